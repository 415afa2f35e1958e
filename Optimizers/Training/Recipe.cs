using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// What determines a run of training beside its images: the network, what is done to the images, and the steps that are
/// taken. What is left open (null) is chosen by <see cref="Resolve"/>, for the network, the optimizer and the images.
/// <code>
/// var recipe = new Recipe { Model = "resnet20", Normalization = "batch", Epochs = 10 };
/// </code>
/// </summary>
public sealed partial record Recipe
{
    /// <summary>Images in a batch, where there are enough.</summary>
    public const int UsualBatchSize = 32;

    /// <summary>The batches that an epoch has at least, where nobody has said how large they are.</summary>
    public const int LeastBatches = 4;

    /// <summary>The side of a folder's images in pixels, where nobody has said it.</summary>
    public const int UsualSize = 32;

    /// <summary>The network: <c>resnet20</c>, <c>resnet18</c>, <c>wrn16-4</c>, <c>vgg</c>.</summary>
    public string Model { get; init; } = "resnet20";

    /// <summary>Its normalization: <c>group:8+ws</c>, <c>batch</c>, <c>none</c>.</summary>
    public string Normalization { get; init; } = "group:8+ws";

    /// <summary>Whether every residual block begins as its shortcut: its last gamma is 0.</summary>
    public bool ZeroGamma { get; init; }

    /// <summary>Passes over the training images.</summary>
    public int Epochs { get; init; } = 3;

    /// <summary>
    /// Images in a batch; null for 32, or less where that would make fewer than four batches an epoch.
    /// </summary>
    public int? BatchSize { get; init; }

    /// <summary>How gradients become steps: <c>sgd</c>, <c>adam</c> or <c>adamw</c>.</summary>
    public string Optimizer { get; init; } = "sgd";

    /// <summary>The learning rate at its highest; null for <see cref="UsualLearningRate"/>.</summary>
    public double? LearningRate { get; init; }

    /// <summary>
    /// The course of the learning rate after the warm-up: <c>constant</c>, <c>multistep:E,E</c>, <c>cosine</c> or
    /// <c>one-cycle</c>.
    /// </summary>
    public string Schedule { get; init; } = "cosine";

    /// <summary>
    /// The share of the steps in which the rate rises; null for 0.05, or where the schedule has a rise of its own.
    /// </summary>
    public double? Warmup { get; init; }

    /// <summary>Of <c>sgd</c>; null for 0.9, and for the others.</summary>
    public double? Momentum { get; init; }

    /// <summary>
    /// The share of a parameter that is added to its gradient; <c>adamw</c> takes it, times the rate, from the
    /// parameter. Null for 0.05 with that one, and else 0.0005.
    /// </summary>
    public double? WeightDecay { get; init; }

    /// <summary>
    /// What decays: <c>all</c> parameters, or the <c>weights</c> of convolutions and linear layers. Null for these with
    /// <c>adamw</c> and for all with the others, and where nothing decays.
    /// </summary>
    public string? Decayed { get; init; }

    /// <summary>Batches whose gradients make one step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>The decay of moving averages of the weights, which are what is kept; 0 for none.</summary>
    public double Average { get; init; }

    /// <summary>The share of a label that is spread over all classes.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>
    /// The side that images of a folder get, in pixels; null for 32, and for images that have a size.
    /// </summary>
    public int? Size { get; init; }

    /// <summary>
    /// Whether images of a folder whose files are cut off are left out; otherwise they are used as far as they go.
    /// </summary>
    public bool Strict { get; init; }

    /// <summary>Whether images are left unmirrored that would be mirrored otherwise.</summary>
    public bool NoFlip { get; init; }

    /// <summary>The side of a square that is painted over in every training image; 0 for none.</summary>
    public int Cutout { get; init; }

    /// <summary>
    /// How strongly images are mixed with each other (see <see cref="Training.Mixup"/>); 0 for not at all.
    /// </summary>
    public double Mixup { get; init; }

    /// <summary>How many of the training images are held apart to choose the weights by; 0 for none.</summary>
    public int Validation { get; init; }

    /// <summary>Of weights, order, augmentation, and whatever is random in the network.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The first so many training images; null for all.</summary>
    public int? TrainLimit { get; init; }

    /// <summary>The first so many test images; null for all.</summary>
    public int? TestLimit { get; init; }

    // ---- what belongs together --------------------------------------------------------------------------------------

    /// <summary>
    /// The learning rate that goes with a network and an optimizer: with <c>sgd</c> the network's
    /// (<see cref="ModelSpec.UsualLearningRate"/>); 0.002 with the others, whose steps have the length of the rate,
    /// whatever the gradient's.
    /// </summary>
    public static double UsualLearningRate(string model, string optimizer) =>
        optimizer == "sgd" ? ModelSpec.UsualLearningRate(model) : 0.002;

    /// <summary>The recipe with nothing left open, for some images.</summary>
    /// <param name="train">Those to learn from, without those that are held apart.</param>
    /// <exception cref="RecipeException">There is no such run, or a setting changes nothing in it.</exception>
    public Recipe Resolve(ImageDataset train)
    {
        Check();
        var isFolder = train.Name == nameof(ImageFolder);
        Refuse(nameof(NoFlip), NoFlip && !train.Augment.Flips,
            $"images of {train.Name} are not mirrored anyway. Leave it out.");
        Refuse(nameof(Size), Size is not null && !isFolder,
            $"the images of {train.Name} have a size already; only those of a folder get one."
            + " Leave it out.");
        if (Cutout >= Math.Max(train.Height, train.Width))
            throw new RecipeException(nameof(Cutout), Cutout,
                $"nothing would be left to see of images of {train.Height}x{train.Width} pixels.");
        var resolved = this with
        {
            BatchSize = BatchSize ?? BatchSizeFor(train.Count),
            LearningRate = LearningRate ?? UsualLearningRate(Model, Optimizer),
            Warmup = Warmup ?? (Schedule == "one-cycle" ? null : 0.05),
            Momentum = Momentum ?? (Optimizer == "sgd" ? 0.9 : null),
            WeightDecay = WeightDecay ?? (Optimizer == "adamw" ? 0.05 : 5e-4),
            Decayed = Decayed ?? (WeightDecay == 0 ? null : Optimizer == "adamw" ? "weights" : "all"),
            Size = isFolder ? train.Height : null,
        };
        if (train.Count < resolved.BatchSize || train.Count == 0)
            throw new RecipeException(nameof(BatchSize), resolved.BatchSize,
                $"there {(train.Count == 1 ? "is only 1 training image" : $"are only {train.Count} training images")}, "
                    + "not one whole batch.");
        resolved.CreateLearningRate(train);
        return resolved;
    }

    // As large as usual, or half of it, ... so that an epoch has several batches, and few images are left out of the
    // last one.
    private static int BatchSizeFor(int images)
    {
        var size = UsualBatchSize;
        while (size > 1 && images / size < LeastBatches) size /= 2;
        return size;
    }

    /// <summary>
    /// The least and the largest value of each setting that is a number, by the property's name. Infinity and NaN lie
    /// in none.
    /// </summary>
    public static IReadOnlyDictionary<string, (double Least, double Most)> Ranges { get; } =
        new Dictionary<string, (double, double)>
        {
            [nameof(Epochs)] = (1, int.MaxValue),
            [nameof(BatchSize)] = (1, int.MaxValue),
            [nameof(Accumulate)] = (1, int.MaxValue),
            [nameof(Size)] = (1, InputDescription.MostSide),
            [nameof(Cutout)] = (0, int.MaxValue),
            [nameof(Validation)] = (0, int.MaxValue),
            [nameof(Seed)] = (int.MinValue, int.MaxValue),
            [nameof(TrainLimit)] = (1, int.MaxValue),
            [nameof(TestLimit)] = (1, int.MaxValue),
            [nameof(LearningRate)] = (0, 1e6),
            [nameof(Warmup)] = (0, 1),
            [nameof(Momentum)] = (0, 0.999999),
            [nameof(WeightDecay)] = (0, 1e6),
            [nameof(Average)] = (0, 0.999999),
            [nameof(LabelSmoothing)] = (0, 1),
            [nameof(Mixup)] = (0, 100),
        };

    /// <summary>
    /// Checks all that needs no images: each setting by itself, and what the others leave nothing to do.
    /// </summary>
    /// <exception cref="RecipeException">Something is not as it must be.</exception>
    public void Check()
    {
        Expect(nameof(Model), Model, ModelSpec.IsArchitecture(Model), "a network that is known");
        Expect(nameof(Normalization), Normalization, ModelSpec.IsNormalization(Normalization),
            "a normalization that is known");
        Expect(nameof(Optimizer), Optimizer, Optimizer is "sgd" or "adam" or "adamw", "sgd, adam or adamw");
        Expect(nameof(Schedule), Schedule, IsSchedule(Schedule), "constant, multistep:E,E, cosine or one-cycle");
        Expect(nameof(Decayed), Decayed, Decayed is null or "all" or "weights", "all or weights");
        foreach (var (name, value) in ((string, double?)[])[(nameof(Epochs), Epochs), (nameof(BatchSize), BatchSize),
            (nameof(Accumulate), Accumulate),
            (nameof(Size), Size), (nameof(Cutout), Cutout), (nameof(Validation), Validation),
            (nameof(TrainLimit), TrainLimit),
            (nameof(TestLimit), TestLimit), (nameof(LearningRate), LearningRate), (nameof(Warmup), Warmup),
            (nameof(Momentum), Momentum),
            (nameof(WeightDecay), WeightDecay), (nameof(Average), Average), (nameof(LabelSmoothing), LabelSmoothing),
            (nameof(Mixup), Mixup)])
            Expect(name, value, value is null || (value >= Ranges[name].Least && value <= Ranges[name].Most),
                string.Create(CultureInfo.InvariantCulture,
                    $"a number from {Ranges[name].Least} to {Ranges[name].Most}"));
        Refuse(nameof(Momentum), Momentum is not null && Optimizer != "sgd",
            "adam and adamw have none of it: it is sgd's. Leave it out.");
        Refuse(nameof(Warmup), Warmup is not null && Schedule == "one-cycle",
            "the schedule one-cycle has a rise of its own. Leave it out.");
        Refuse(nameof(Decayed), Decayed is not null && WeightDecay == 0,
            "nothing decays with a weight decay of 0. Leave it out.");

        static void Expect(string setting, object? value, bool isGood, string expected)
        {
            if (!isGood) throw new RecipeException(setting, value, $"it must be {expected}.");
        }
    }

    private static void Refuse(string setting, bool isIdle, string why)
    {
        if (isIdle) throw new RecipeException(setting, null, why);
    }

    /// <summary>Whether there is a schedule of this name.</summary>
    public static bool IsSchedule(string name) => SchedulePattern().IsMatch(name);

    [GeneratedRegex(@"^(constant|cosine|one-cycle|multistep:[0-9]{1,6}(,[0-9]{1,6})*)$")]
    private static partial Regex SchedulePattern();

    // ---- JSON -------------------------------------------------------------------------------------------------------

    /// <summary>
    /// The recipe as a JSON object with every setting, in lower case with underscores: <c>"batch_size": 32</c>.
    /// </summary>
    public string ToJson() => JsonSerializer.Serialize(this, RunJson.Options);

    /// <summary>A recipe from <see cref="ToJson"/>.</summary>
    /// <exception cref="InvalidDataException">It is none: a setting is missing, unknown, or not as it must
    /// be.</exception>
    public static Recipe FromJson(string text)
    {
        try
        {
            var recipe = JsonSerializer.Deserialize<Recipe>(text, RunJson.Options)
                ?? throw new InvalidDataException("a recipe is a JSON object.");
            recipe.Check();
            return recipe;
        }
        catch (Exception e) when (e is JsonException or RecipeException)
        {
            throw new InvalidDataException($"this is no recipe: {e.Message}");
        }
    }
}
