using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

// What stands in the place of what a recipe leaves open.
public sealed partial record Recipe
{
    /// <summary>
    /// The learning rate that goes with a network, an optimizer and a number of images a step: with <c>sgd</c> the
    /// network's (<see cref="UsualTraining"/>), with its normalization (null for the usual one); 0.002 with the others,
    /// whose steps have the length of the rate, whatever the gradient's.
    /// </summary>
    public static double UsualLearningRate(string model, string optimizer, double images, string? normalization = null)
    {
        var usual = ModelSpec.UsualTraining(model, normalization);
        return optimizer != "sgd" ? 0.002
            : usual.RateFollowsBatch ? usual.LearningRate * images / usual.BatchSize : usual.LearningRate;
    }

    /// <summary>Why nothing is left out of images that are those of no folder.</summary>
    public static string IsWhole(ImageDataset images) =>
        $"the files of {images.Name} are whole, or refused; only images of a folder may be cut off.";

    /// <summary>The recipe with nothing left open, for some images.</summary>
    /// <param name="train">Those to learn from, without those that are held apart.</param>
    /// <exception cref="RecipeException">There is no such run, or a setting changes nothing in it.</exception>
    public Recipe Resolve(ImageDataset train)
    {
        Check();
        CheckImages(train);
        var (usual, isSgd) = (ModelSpec.UsualTraining(Model, Normalization), Optimizer == "sgd");
        var (batchSize, schedule) = (BatchSize ?? BatchSizeFor(train.Count, usual.BatchSize),
            Schedule ?? usual.Schedule);
        var momentum = Momentum ?? (isSgd ? usual.Momentum : null);
        var weightDecay = WeightDecay ?? (isSgd ? usual.WeightDecay : Optimizer == "adamw" ? 0.05 : 5e-4);
        var resolved = this with
        {
            Normalization = Normalization ?? usual.Normalization,
            Epochs = Epochs ?? usual.Epochs,
            BatchSize = batchSize,
            LearningRate = LearningRate ?? UsualLearningRate(Model, Optimizer, (double)batchSize * Accumulate,
                Normalization),
            Schedule = schedule,
            Warmup = Warmup ?? (schedule == "one-cycle" ? null : schedule == "triangular" ? 0.23 : 0.05),
            Momentum = momentum,
            Nesterov = Nesterov ?? (isSgd ? usual.Nesterov && momentum > 0 : null),
            WeightDecay = weightDecay,
            Decayed = Decayed ?? (WeightDecay == 0 ? null : Optimizer == "adamw" ? "weights" : "all"),
            BetaRate = BetaRateFor(train, isSgd ? usual.BetaRate : 1),
            Lookahead = Lookahead ?? usual.Lookahead,
            LabelSmoothing = LabelSmoothing ?? usual.LabelSmoothing,
            Size = train.IsResized ? train.Height : null,
            Flip = Flips(train) ? Flip ?? usual.Flip : null,
            Translate = Translate ?? (train.Augment.Padding > 0 ? usual.Translate : null),
            TestViews = TestViews ?? UsualViews(usual, Flips(train)),
        };
        if (train.Count < resolved.BatchSize || train.Count == 0)
            throw new RecipeException(nameof(BatchSize), resolved.BatchSize,
                $"there {(train.Count == 1 ? "is only 1 training image" : $"are only {train.Count} training images")}, "
                    + "not one whole batch.");
        resolved.CreateLearningRate(train);
        return resolved;
    }

    // What the images leave nothing to do, or make impossible.
    private void CheckImages(ImageDataset train)
    {
        Refuse(nameof(NoFlip), NoFlip && !train.Augment.Flips,
            $"images of {train.Name} are not mirrored anyway. Leave it out.");
        Refuse(nameof(Flip), Flip is not null && !train.Augment.Flips,
            $"images of {train.Name} are not mirrored. Leave it out.");
        Refuse(nameof(TestViews), TestViews?.Contains("flip") == true && !Flips(train),
            "images that are not mirrored in training are not known to the network from the other side. Leave it out, "
            + "or say 'shift'.");
        Refuse(nameof(Size), Size is not null && !train.IsResized,
            $"the images of {train.Name} have a size already; only those of a folder get one."
            + " Leave it out.");
        Refuse(nameof(Strict), Strict && !train.IsResized, $"{IsWhole(train)} Leave it out.");
        if (Cutout >= Math.Max(train.Height, train.Width))
            throw new RecipeException(nameof(Cutout), Cutout,
                $"nothing would be left to see of images of {train.Height}x{train.Width} pixels.");
        if (Translate >= Math.Min(train.Height, train.Width))
            throw new RecipeException(nameof(Translate), Translate,
                $"images of {train.Height}x{train.Width} pixels have no reflection as wide as that.");
    }

    // 1 where there are no betas.
    private double BetaRateFor(ImageDataset train, double usual)
    {
        var rate = BetaRate ?? usual;
        if (rate == 1 || BetasOf(CreateNetwork(train)).Any()) return rate;
        Refuse(nameof(BetaRate), BetaRate is not null, "the network's normalizations have no betas. Leave it out.");
        return 1;
    }

    private bool Flips(ImageDataset train) => train.Augment.Flips && !NoFlip;

    // Without mirror images where there were none in training.
    private static string UsualViews(UsualTraining usual, bool flips)
    {
        var views = Datasets.TestViews.Named(usual.TestViews)!;
        return $"{views with { Flips = views.Flips && flips }}";
    }

    // As large as usual, or half of it, ... so that an epoch has several batches, and few images are left out of the
    // last one.
    private static int BatchSizeFor(int images, int usual)
    {
        var size = usual;
        while (size > 1 && images / size < LeastBatches) size /= 2;
        return size;
    }
}
