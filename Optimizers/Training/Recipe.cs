using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// What determines a run of training beside its images: the network, what is done to the images, and the steps that are
/// taken. What is left open (null) is chosen by <see cref="Resolve"/>, for the network (<see cref="UsualTraining"/>),
/// the optimizer and the images.
/// <code>
/// var recipe = new Recipe { Model = "resnet20", Normalization = "batch", Epochs = 10 };
/// </code>
/// </summary>
public sealed partial record Recipe
{
    /// <summary>The batches that an epoch has at least, where nobody has said how large they are.</summary>
    public const int LeastBatches = 4;

    /// <summary>The side of a folder's images in pixels, where nobody has said it.</summary>
    public const int UsualSize = 32;

    /// <summary>The network: <c>resnet20</c>, <c>resnet18</c>, <c>wrn16-4</c>, <c>vgg</c>, <c>fast</c>.</summary>
    public string Model { get; init; } = "resnet20";

    /// <summary>
    /// Its normalization: <c>group:8+ws</c>, <c>batch</c>, <c>none</c>; null for the network's usual one.
    /// </summary>
    public string? Normalization { get; init; }

    /// <summary>Whether every residual block begins as its shortcut: its last gamma is 0.</summary>
    public bool ZeroGamma { get; init; }

    /// <summary>Passes over the training images; null for as many as are usual for the network.</summary>
    public int? Epochs { get; init; }

    /// <summary>
    /// Images in a batch; null for as many as are usual for the network, or less where that would make fewer than four
    /// batches an epoch.
    /// </summary>
    public int? BatchSize { get; init; }

    /// <summary>How gradients become steps: <c>sgd</c>, <c>adam</c> or <c>adamw</c>.</summary>
    public string Optimizer { get; init; } = "sgd";

    /// <summary>The learning rate at its highest; null for <see cref="UsualLearningRate"/>.</summary>
    public double? LearningRate { get; init; }

    /// <summary>
    /// The course of the learning rate after the warm-up: <c>constant</c>, <c>multistep:E,E</c>, <c>cosine</c>,
    /// <c>one-cycle</c> or <c>triangular</c>; null for the network's usual one.
    /// </summary>
    public string? Schedule { get; init; }

    /// <summary>
    /// The share of the steps in which the rate rises; null for 0.05, for 0.23 of a triangle, or where the schedule has
    /// a rise of its own.
    /// </summary>
    public double? Warmup { get; init; }

    /// <summary>Of <c>sgd</c>; null for the network's usual one, and for other optimizers.</summary>
    public double? Momentum { get; init; }

    /// <summary>
    /// Whether <c>sgd</c> looks ahead as Nesterov's does; null for what is usual for the network, and for other
    /// optimizers.
    /// </summary>
    public bool? Nesterov { get; init; }

    /// <summary>
    /// The share of a parameter that is added to its gradient; <c>adamw</c> takes it, times the rate, from the
    /// parameter. Null for the network's usual one with <c>sgd</c>, for 0.0005 with <c>adam</c>, and 0.05 with
    /// <c>adamw</c>.
    /// </summary>
    public double? WeightDecay { get; init; }

    /// <summary>
    /// What decays: <c>all</c> parameters, or the <c>weights</c> of convolutions and linear layers. Null for these with
    /// <c>adamw</c> and for all with the others, and where nothing decays.
    /// </summary>
    public string? Decayed { get; init; }

    /// <summary>
    /// How many times as high the rate is for the betas of normalizations, whose weight decay is divided by as much
    /// (see <see cref="Tapegrad.Optimizers.ParameterGroup.WithRateOf"/>). Null for what is usual for the network with
    /// <c>sgd</c>, and else, or where there are no betas, 1.
    /// </summary>
    public double? BetaRate { get; init; }

    /// <summary>Batches whose gradients make one step.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>The decay of moving averages of the weights, which are what is kept; 0 for none.</summary>
    public double Average { get; init; }

    /// <summary>
    /// Whether slow weights follow the fast ones, and take their place after the last step (see
    /// <see cref="Tapegrad.Optimizers.Lookahead"/>); an epoch before is measured, and kept where it is the best, as the
    /// fast ones are behind it. Null for what is usual for the network.
    /// </summary>
    public bool? Lookahead { get; init; }

    /// <summary>
    /// The share of a label that is spread over all classes; null for what is usual for the network.
    /// </summary>
    public double? LabelSmoothing { get; init; }

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

    /// <summary>
    /// How images are mirrored: <c>random</c>, or <c>alternate</c> from epoch to epoch; null for what is usual for the
    /// network, and where they are not.
    /// </summary>
    public string? Flip { get; init; }

    /// <summary>
    /// By how many pixels training images are moved at most, what comes in being their reflection; null for what is
    /// usual for the network, or the crop that is usual for the images.
    /// </summary>
    public int? Translate { get; init; }

    /// <summary>The side of a square that is painted over in every training image; 0 for none.</summary>
    public int Cutout { get; init; }

    /// <summary>
    /// How strongly images are mixed with each other (see <see cref="Training.Mixup"/>); 0 for not at all.
    /// </summary>
    public double Mixup { get; init; }

    /// <summary>How many of the training images are held apart to choose the weights by; 0 for none.</summary>
    public int Validation { get; init; }

    /// <summary>
    /// The views of a test image that are averaged in the end (see <see cref="Tapegrad.Datasets.TestViews"/>):
    /// <c>none</c>, <c>flip</c>, <c>shift</c> or <c>flip+shift</c>; null for what is usual for the network.
    /// </summary>
    public string? TestViews { get; init; }

    /// <summary>Of weights, order, augmentation, and whatever is random in the network.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>The first so many training images; null for all.</summary>
    public int? TrainLimit { get; init; }

    /// <summary>The first so many test images; null for all.</summary>
    public int? TestLimit { get; init; }

    // ---- what is allowed --------------------------------------------------------------------------------------------

    // Each setting that is a number, with its least and its largest value.
    private static readonly (string Name, double Least, double Most, Func<Recipe, double?> Of)[] Numbers =
    [
        (nameof(Epochs), 1, int.MaxValue, recipe => recipe.Epochs),
        (nameof(BatchSize), 1, int.MaxValue, recipe => recipe.BatchSize),
        (nameof(Accumulate), 1, int.MaxValue, recipe => recipe.Accumulate),
        (nameof(Size), 1, InputDescription.MostSide, recipe => recipe.Size),
        (nameof(Translate), 0, InputDescription.MostSide, recipe => recipe.Translate),
        (nameof(Cutout), 0, int.MaxValue, recipe => recipe.Cutout),
        (nameof(Validation), 0, int.MaxValue, recipe => recipe.Validation),
        (nameof(Seed), int.MinValue, int.MaxValue, recipe => recipe.Seed),
        (nameof(TrainLimit), 1, int.MaxValue, recipe => recipe.TrainLimit),
        (nameof(TestLimit), 1, int.MaxValue, recipe => recipe.TestLimit),
        (nameof(LearningRate), 0, 1e6, recipe => recipe.LearningRate),
        (nameof(Warmup), 0, 1, recipe => recipe.Warmup),
        (nameof(Momentum), 0, 0.999999, recipe => recipe.Momentum),
        (nameof(WeightDecay), 0, 1e6, recipe => recipe.WeightDecay),
        (nameof(BetaRate), 1e-6, 1e6, recipe => recipe.BetaRate),
        (nameof(Average), 0, 0.999999, recipe => recipe.Average),
        (nameof(LabelSmoothing), 0, 1, recipe => recipe.LabelSmoothing),
        (nameof(Mixup), 0, 100, recipe => recipe.Mixup),
    ];

    /// <summary>
    /// The least and the largest value of each setting that is a number, by the property's name. Infinity and NaN lie
    /// in none.
    /// </summary>
    public static IReadOnlyDictionary<string, (double Least, double Most)> Ranges { get; } =
        Numbers.ToDictionary(number => number.Name, number => (number.Least, number.Most));

    /// <summary>
    /// Checks all that needs no images: each setting by itself, and what the others leave nothing to do.
    /// </summary>
    /// <exception cref="RecipeException">Something is not as it must be.</exception>
    public void Check()
    {
        Expect(nameof(Model), Model, ModelSpec.IsArchitecture(Model), "a network that is known");
        Expect(nameof(Normalization), Normalization, Normalization is null || ModelSpec.IsNormalization(Normalization),
            "a normalization that is known");
        Expect(nameof(Optimizer), Optimizer, Optimizer is "sgd" or "adam" or "adamw", "sgd, adam or adamw");
        Expect(nameof(Schedule), Schedule, Schedule is null || IsSchedule(Schedule),
            "constant, multistep:E,E, cosine, one-cycle or triangular");
        Expect(nameof(Decayed), Decayed, Decayed is null or "all" or "weights", "all or weights");
        Expect(nameof(Flip), Flip, Flip is null or "random" or "alternate", "random or alternate");
        Expect(nameof(TestViews), TestViews, TestViews is null || Datasets.TestViews.Named(TestViews) is not null,
            "none, flip, shift or flip+shift");
        foreach (var (name, least, most, of) in Numbers)
            Expect(name, of(this), of(this) is not { } value || (value >= least && value <= most),
                string.Create(CultureInfo.InvariantCulture, $"a number from {least} to {most}"));
        Refuse(nameof(Momentum), Momentum is not null && Optimizer != "sgd",
            "adam and adamw have none of it: it is sgd's. Leave it out.");
        Refuse(nameof(Nesterov), Nesterov is not null && Optimizer != "sgd",
            "adam and adamw do not do so: it is sgd's. Leave it out.");
        Refuse(nameof(Nesterov), Nesterov == true && Momentum == 0,
            "without a momentum there is nothing to look ahead to. Leave it out.");
        Refuse(nameof(Warmup), Warmup is not null && Schedule == "one-cycle",
            "the schedule one-cycle has a rise of its own. Leave it out.");
        Refuse(nameof(Decayed), Decayed is not null && WeightDecay == 0,
            "nothing decays with a weight decay of 0. Leave it out.");
        Refuse(nameof(Flip), Flip is not null && NoFlip, "nothing is mirrored. Leave it out.");

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

    [GeneratedRegex(@"^(constant|cosine|one-cycle|triangular|multistep:[0-9]{1,6}(,[0-9]{1,6})*)$")]
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
