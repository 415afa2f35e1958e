using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Training;

// What a recipe is made into: a network, an optimizer, a course of the learning rate, a loop.
public sealed partial record Recipe
{
    /// <summary>The network, before its first step.</summary>
    /// <param name="train">The images to learn from.</param>
    /// <exception cref="RecipeException">There is no such network, or the images do not pass it.</exception>
    public Module CreateModel(ImageDataset train)
    {
        var model = CreateNetwork(train);
        InputDescription.Write(model, train);
        try
        {
            // a pass whose gradients nobody asks for changes nothing
            using var tape = Tape.Training(new RandomSource(Seed));
            model.Apply(Tensor.Zeros(new Shape(Math.Min(BatchSize ?? UsualBatchSize, train.Count), train.Height,
                train.Width, train.Channels)));
        }
        catch (ShapeException e)   // images too small for the network, for instance
        {
            throw new RecipeException(nameof(Model), Model, $"images of {train.Height}x{train.Width}: {e.Message}");
        }
        return model;
    }

    private Module CreateNetwork(ImageDataset train)
    {
        try
        {
            return new ModelSpec(Model, Normalization, train.Classes, train.Channels, ZeroGamma: ZeroGamma).Build(Seed);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw IsPossible(train)
                ? new RecipeException(nameof(Normalization), Normalization, $"in {Model}: {e.Message}")
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
    internal Augment CreateAugment(ImageDataset train) =>
        train.Augment with { Flips = train.Augment.Flips && !NoFlip, Cutout = Cutout };

    /// <summary>The network's training, of a recipe with nothing left open.</summary>
    internal Fit CreateFit(Module model, ImageDataset train) =>
        new(model.Apply, CreateOptimizer(model), CreateLearningRate(train))
        {
            LabelSmoothing = LabelSmoothing,
            Mixup = Mixup,
            Accumulate = Accumulate,
            Average = Average > 0 ? new AveragedWeights(model.State, Average) : null,
        };

    private Optimizer CreateOptimizer(Module model)
    {
        var decay = WeightDecay!.Value;
        var groups = Decayed == "weights" ? ParameterGroup.DecayWeightsOnly(model.Parameters, decay)
            : [new(model.Parameters, decay)];
        return Optimizer switch
        {
            "sgd" => new Sgd(groups, Momentum!.Value),
            "adam" => new Adam(groups),
            _ => new AdamW(groups),
        };
    }

    private LearningRate CreateLearningRate(ImageDataset train)
    {
        var (highest, batches, together) = (LearningRate!.Value, train.BatchesPerEpoch(BatchSize!.Value), Accumulate);
        if ((long)batches * Epochs < together)
            throw new RecipeException(nameof(Accumulate), together,
                $"{Epochs} {(Epochs == 1 ? "epoch has" : "epochs have")} only {(long)batches * Epochs} "
                    + $"{((long)batches * Epochs == 1 ? "batch" : "batches")},"
                    + " not one whole step.");
        if ((long)batches * Epochs > int.MaxValue)
            throw new RecipeException(nameof(Epochs), Epochs,
                $"so many epochs of {batches} steps are more steps than can be counted.");
        var steps = batches * Epochs / together;
        if (Schedule == "one-cycle") return Optimizers.LearningRate.OneCycle(highest, steps);
        var warmup = Warmup!.Value;
        if (Schedule == "constant") return Optimizers.LearningRate.Constant(highest, steps, warmup);
        if (Schedule == "cosine") return Optimizers.LearningRate.Cosine(highest, steps, warmup);
        int[] milestones = [.. Schedule["multistep:".Length..].Split(',')
            .Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= Epochs)
            throw new RecipeException(nameof(Schedule), Schedule,
                $"the epochs must rise and lie before the last one, {Epochs}.");
        return Optimizers.LearningRate.MultiStep(highest, [.. milestones.Select(epoch => epoch * batches / together)],
            steps: steps, warmup: warmup);
    }
}
