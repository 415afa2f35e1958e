using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Training;

// What a recipe is made into: a network, an optimizer, a course of the learning rate, a loop.
public sealed partial record Recipe
{
    // What a whitening is made from has the pixels of so many images of 32x32.
    private const int WhitenedImages = 5000;

    /// <summary>The network, before its first step; where it whitens, it has seen some of the images.</summary>
    /// <param name="train">The images to learn from.</param>
    /// <exception cref="RecipeException">There is no such network, or the images do not pass it.</exception>
    public Module CreateModel(ImageDataset train)
    {
        var model = CreateNetwork(train);
        InputDescription.Write(model, train);
        AdaptWhitening(model, train);
        try
        {
            // a pass whose gradients nobody asks for changes nothing
            using var tape = Tape.Training(new RandomSource(Seed));
            var together = Math.Min(BatchSize ?? ModelSpec.UsualTraining(Model).BatchSize, train.Count);
            model.Apply(Tensor.Zeros(new Shape(together, train.Height, train.Width, train.Channels)));
        }
        catch (ShapeException e)   // images too small for the network, for instance
        {
            throw new RecipeException(nameof(Model), Model, $"images of {train.Height}x{train.Width}: {e.Message}");
        }
        return model;
    }

    private static void AdaptWhitening(Module model, ImageDataset train)
    {
        var count = (int)Math.Clamp(WhitenedImages * 1024L / ((long)train.Height * train.Width), 1, train.Count);
        foreach (var layer in model.Modules.OfType<Whitening>())
            layer.AdaptTo(train.Split(count).Held.InOrder(100).Select(batch => batch.Images));
    }

    private Module CreateNetwork(ImageDataset train)
    {
        var normalization = Normalization ?? ModelSpec.UsualTraining(Model).Normalization;
        try
        {
            return new ModelSpec(Model, normalization, train.Classes, train.Channels, ZeroGamma: ZeroGamma).Build(Seed);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw IsPossible(train)
                ? new RecipeException(nameof(Normalization), normalization, $"in {Model}: {e.Message}")
                : new RecipeException(nameof(Model), Model, e.Message);
        }
    }

    // Whether there is such a network at all, with a normalization that fits all.
    private bool IsPossible(ImageDataset train)
    {
        try
        {
            new ModelSpec(Model, "batch", train.Classes, train.Channels, ZeroGamma: ZeroGamma).Build(Seed);
            return true;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    /// <summary>What is done to the training images.</summary>
    internal Augment CreateAugment(ImageDataset train)
    {
        var augment = train.Augment with { Flips = Flips(train), Alternates = Flip == "alternate", Cutout = Cutout };
        return Translate is { } pixels ? augment with { Padding = pixels, Reflects = true } : augment;
    }

    /// <summary>The network's training, of a recipe with nothing left open.</summary>
    internal Fit CreateFit(Module model, ImageDataset train) =>
        new(model.Apply, CreateOptimizer(model), CreateLearningRate(train))
        {
            LabelSmoothing = LabelSmoothing!.Value,
            Mixup = Mixup,
            Accumulate = Accumulate,
            Lookahead = Lookahead == true ? new Lookahead(model.State, Steps(train)) : null,
            Average = Average > 0 ? new AveragedWeights(model.State, Average) : null,
        };

    private Optimizer CreateOptimizer(Module model)
    {
        var decay = WeightDecay!.Value;
        var groups = Decayed == "weights" ? ParameterGroup.DecayWeightsOnly(model.Parameters, decay)
            : [new(model.Parameters, decay)];
        if (BetaRate != 1)
            groups = [.. groups.SelectMany(group => group.WithRateOf(BetasOf(model), BetaRate!.Value))];
        return Optimizer switch
        {
            "sgd" => new Sgd(groups, Momentum!.Value, Nesterov!.Value),
            "adam" => new Adam(groups),
            _ => new AdamW(groups),
        };
    }

    private static IEnumerable<Parameter> BetasOf(Module model) =>
        model.Modules.OfType<Normalization>().Select(norm => norm.Bias).OfType<Parameter>();

    // Of the optimizer, in the whole run, and one at least in the first epoch: what is measured behind it is trained.
    private int Steps(ImageDataset train)
    {
        var (epochs, batches, together) = (Epochs!.Value, train.BatchesPerEpoch(BatchSize!.Value), Accumulate);
        if (batches < together)
            throw new RecipeException(nameof(Accumulate), together,
                $"an epoch has only {batches} {(batches == 1 ? "batch" : "batches")}, not one whole step.");
        var all = (long)batches * epochs;
        if (all > int.MaxValue)
            throw new RecipeException(nameof(Epochs), epochs,
                $"so many epochs of {batches} steps are more steps than can be counted.");
        return (int)(all / together);
    }

    private LearningRate CreateLearningRate(ImageDataset train)
    {
        var (highest, steps) = (LearningRate!.Value, Steps(train));
        if (Schedule == "one-cycle") return Optimizers.LearningRate.OneCycle(highest, steps);
        var warmup = Warmup!.Value;
        if (Schedule == "triangular") return Optimizers.LearningRate.Triangular(highest, steps, warmup);
        if (Schedule == "constant") return Optimizers.LearningRate.Constant(highest, steps, warmup);
        if (Schedule == "cosine") return Optimizers.LearningRate.Cosine(highest, steps, warmup);
        int[] milestones = [.. Schedule!["multistep:".Length..].Split(',')
            .Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= Epochs)
            throw new RecipeException(nameof(Schedule), Schedule,
                $"the epochs must rise and lie before the last one, {Epochs}.");
        var batches = train.BatchesPerEpoch(BatchSize!.Value);
        return Optimizers.LearningRate.MultiStep(highest, [.. milestones.Select(epoch => epoch * batches / Accumulate)],
            steps: steps, warmup: warmup);
    }
}
