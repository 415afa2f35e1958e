using System.CommandLine;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using static Tapegrad.Examples.Cifar10.TrainOptions;

namespace Tapegrad.Examples.Cifar10;

/// <summary>What the options of 'train' determine: the network, what is done to its images, and the steps that it takes.</summary>
internal sealed class Recipe
{
    private readonly ParseResult options;
    private readonly ImageDataset train;
    private readonly LearningRate rate;

    /// <exception cref="UserError">There is no such course of the learning rate for so many images.</exception>
    public Recipe(ParseResult options, ImageDataset train)
    {
        (this.options, this.train) = (options, train);
        rate = RateOf();
    }

    /// <summary>Refuses an option that was given and that the others leave nothing to do.</summary>
    public static void RefuseIdle(ParseResult given, ImageDataset train)
    {
        Refuse(given, Momentum, given.GetValue(OptimizerName) is "adam" or "adamw", "adam and adamw have none of it: it is sgd's.");
        Refuse(given, Warmup, given.GetValue(Schedule) == "one-cycle", "the schedule one-cycle has a rise of its own.");
        Refuse(given, Decayed, given.GetValue(WeightDecay) == 0, "nothing decays with --weight-decay 0.");
        Refuse(given, NoFlip, !train.Augment.Flips, $"images of {train.Name} are not mirrored anyway.");
        Refuse(given, Overwrite, given.GetValue(Out) is null, "without --out a run gets a folder of its own.");
        Refuse(given, Download, given.GetValue(Data) is not null, "--data says where the images are.");
        RefuseIdleSize(given, train);
    }

    /// <summary>Refuses --size for images that have one.</summary>
    public static void RefuseIdleSize(ParseResult given, ImageDataset images) => Refuse(given, Size, images.Name != nameof(ImageFolder),
        $"the images of {images.Name} have a size already; only those of a folder get one.");

    private static void Refuse(ParseResult given, Option option, bool isIdle, string why)
    {
        if (isIdle && IsGiven(given, option)) throw new UserError($"{option.Name}: {why} Leave it out.");
    }

    public string ModelName => Get(Model);

    public int Epochs => Get(TrainOptions.Epochs);

    public int BatchSize => Get(TrainOptions.BatchSize);

    public int Seed => Get(TrainOptions.Seed);

    public Augment Augment => train.Augment with { Flips = train.Augment.Flips && !Get(NoFlip), Cutout = Get(Cutout) };

    /// <summary>The recipe as it would be typed.</summary>
    public string[] ToTexts() => RecipeOf(options);

    /// <summary>The network, before its first step.</summary>
    /// <exception cref="UserError">There is no such network, or the images do not pass it.</exception>
    public Module CreateModel()
    {
        var model = TrainCommand.Create(Get(Model), Get(Norm), train.Classes, Seed, Get(ZeroGamma), train.Channels);
        InputDescription.Write(model, train);
        try
        {
            using var tape = Tape.Training(new RandomSource(Seed));   // a pass whose gradients nobody asks for changes nothing
            model.Apply(Tensor.Zeros(new Shape(Math.Min(BatchSize, train.Count), train.Height, train.Width, train.Channels)));
        }
        catch (ShapeException e)   // images too small for the network, for instance
        {
            throw new UserError($"--model {ModelName}: images of {train.Height}x{train.Width}: {e.Message}");
        }
        return model;
    }

    /// <summary>The network's training.</summary>
    public Fit CreateFit(Module model, Action<TrainingProgress> afterStep, Func<Epoch, bool> afterEpoch) =>
        new(model.Apply, CreateOptimizer(model), rate)
        {
            LabelSmoothing = Get(Smoothing),
            Mixup = Get(MixupAlpha),
            Accumulate = Get(Accumulate),
            Average = Get(Average) > 0 ? new AveragedWeights(model.State, Get(Average)) : null,
            AfterStep = afterStep,
            AfterEpoch = afterEpoch,
        };

    private Optimizer CreateOptimizer(Module model)
    {
        var groups = Get(Decayed) == "weights" ? ParameterGroup.DecayWeightsOnly(model.Parameters, Get(WeightDecay))
            : [new(model.Parameters, Get(WeightDecay))];
        return Get(OptimizerName) switch
        {
            "sgd" => new Sgd(groups, Get(Momentum)),
            "adam" => new Adam(groups),
            _ => new AdamW(groups),
        };
    }

    private LearningRate RateOf()
    {
        var (schedule, highest, batches, together, warmup) =
            (Get(Schedule), Get(TrainOptions.Rate), train.BatchesPerEpoch(BatchSize), Get(Accumulate), Get(Warmup));
        if ((long)batches * Epochs < together)
            throw new UserError($"--accumulate {together}: {Epochs} epochs have only {(long)batches * Epochs} batches, not one whole step.");
        if ((long)batches * Epochs > int.MaxValue)
            throw new UserError($"--epochs {Epochs}: so many epochs of {batches} steps are more steps than can be counted.");
        var steps = batches * Epochs / together;
        if (schedule == "constant") return LearningRate.Constant(highest, steps, warmup);
        if (schedule == "cosine") return LearningRate.Cosine(highest, steps, warmup);
        if (schedule == "one-cycle") return LearningRate.OneCycle(highest, steps);
        int[] milestones = [.. schedule["multistep:".Length..].Split(',').Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= Epochs)
            throw new UserError($"--schedule {schedule}: the epochs must rise and lie before the last one, {Epochs}.");
        return LearningRate.MultiStep(highest, [.. milestones.Select(epoch => epoch * batches / together)], steps: steps, warmup: warmup);
    }

    private T Get<T>(Option<T> option) => options.GetValue(option)!;
}
