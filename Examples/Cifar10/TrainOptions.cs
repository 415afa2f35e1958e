using System.CommandLine;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The options of 'train'. Most of them are the recipe, which determines what is computed; the others say where, and on
/// how many threads. A run that goes on takes its recipe from its checkpoint.
/// </summary>
internal static class TrainOptions
{
    /// <summary>The most threads that can be asked for.</summary>
    public const int MostThreads = 1024;

    private const string Networks = "resnet20|resnet32|resnet44|resnet56|resnet110|...|resnet18|wrn16-4|...|vgg|fast";
    private const string Schedules = "constant|multistep:E,E|cosine|one-cycle|triangular";

    /// <summary>What --norm can be.</summary>
    public static readonly string NormalizationNames =
        $"{string.Join(", ", Normalizations.All.Select(info => info.Usage))}; each but none also with "
            + $"{WeightStandardization.Suffix};"
            + " or one for each part of the network, the first that fits: layer1=batch,*=group:8";

    private static readonly Recipe Unsaid = new();
    private static readonly UsualTraining Usual = ModelSpec.UsualTraining(Unsaid.Model),
        UsualOfFast = ModelSpec.UsualTraining("fast");

    public static readonly Option<string?> Data = Options.Path("--data",
        "folder of CIFAR-10, CIFAR-100 or an IDX set (MNIST), or one with a folder of images for each class [default: "
            + $"what the environment variable {DataSource.Variable} names, or CIFAR-10 in the cache folder, or "
            + "Shapes10]");
    public static readonly Option<string?> Out =
        Options.Path("--out",
            "folder for run.json, metrics.jsonl and model.safetensors [default: runs/..., a new one]");
    public static readonly Option<string?> From =
        Options.Path("--from",
            "begin with the weights of this model.safetensors, whose --model, --norm and --size are taken; other "
                + "classes get a new last layer");
    public static readonly Option<string?> Resume =
        Options.Path("--resume",
            "go on with the run in this folder where it was interrupted; it knows the other options");
    public static readonly Option<double> CheckpointEvery =
        Options.Number("--checkpoint-every",
            "seconds between files from which the run can go on; 0 for after every step", 60, (0, 1e6));
    public static readonly Option<bool> Overwrite = Options.Flag("--overwrite", "replace a run that is in --out");
    public static readonly Option<bool> Download =
        Options.Flag("--download", "fetch CIFAR-10 (162 MB) where it is missing");
    public static readonly Option<int?> Threads = Options.Limit("--threads",
        $"threads to compute with; the results do not depend on it [default: {Workers.Variable}, or one a processor]",
        (1, MostThreads));

    public static readonly Option<string> Model = Options.Choice("--model",
        "network; fast comes with a recipe of its own, for minutes", Unsaid.Model, ModelSpec.IsArchitecture, Networks,
        KnownElsewhere.Missing);
    public static readonly Option<string?> Norm = Options.OptionalChoice("--norm",
        $"normalization: so many groups, so many channels a group, or a name {Of(usual => usual.Normalization)}",
        ModelSpec.IsNormalization, NormalizationNames);
    public static readonly Option<int?> Epochs = Options.Limit("--epochs",
        $"passes over the training images {Of(usual => usual.Epochs)}", Recipe.Ranges[nameof(Recipe.Epochs)]);
    public static readonly Option<double?> Minutes = Options.OptionalNumber("--minutes",
        "in the place of --epochs: as many as fit into this time here, by a look at the first steps", Budget.Range, 10);
    public static readonly Option<int?> BatchSize =
        Options.Limit("--batch",
            $"images a step [default: {Usual.BatchSize}, or less where that would make fewer than "
                + $"{Recipe.LeastBatches} an epoch; {UsualOfFast.BatchSize} for fast, likewise]",
            Recipe.Ranges[nameof(Recipe.BatchSize)]);
    public static readonly Option<string> OptimizerName =
        Options.Choice("--optimizer", "how gradients become steps", Unsaid.Optimizer, name =>
            name is "sgd" or "adam" or "adamw", "sgd|adam|adamw");
    public static readonly Option<double?> Rate =
        Options.OptionalNumber("--lr", string.Create(CultureInfo.InvariantCulture,
        $"learning rate at its highest [default: {UsualRate("resnet20", "sgd")}; {UsualRate("vgg", "sgd")} for vgg;"
            + $" {UsualRate("resnet20", "adam")} with adam and adamw; {UsualOfFast.LearningRate} for fast in batches of"
            + $" {UsualOfFast.BatchSize}, {UsualOfFast.WithinSamples!.LearningRate} with normalizations of one sample"
            + $" at a time, in proportion for other batches]"),
            Recipe.Ranges[nameof(Recipe.LearningRate)], 0.05);
    public static readonly Option<string?> Schedule = Options.OptionalChoice("--schedule",
        $"course of the learning rate after the warm-up {Of(usual => usual.Schedule)}", Recipe.IsSchedule, Schedules);
    public static readonly Option<double?> Warmup =
        Options.OptionalNumber("--warmup", "share of the steps in which the rate rises [default: 0.05; 0.23 of a "
            + "triangle]", Recipe.Ranges[nameof(Recipe.Warmup)], 0.05);
    public static readonly Option<double?> Momentum = Options.OptionalNumber("--momentum",
        $"of sgd {Of(usual => usual.Momentum)}", Recipe.Ranges[nameof(Recipe.Momentum)], 0.9);
    public static readonly Option<bool?> Nesterov = Options.OptionalFlag("--nesterov",
        $"have sgd look ahead as Nesterov's does {Of(usual => usual.Nesterov)}");
    public static readonly Option<double?> WeightDecay = Options.OptionalNumber("--weight-decay",
        "share of a parameter that is added to its gradient; adamw takes it, times the rate, from the parameter "
            + string.Create(CultureInfo.InvariantCulture,
                $"[default: 0.0005; 0.05 with adamw; {UsualOfFast.WeightDecay} for fast]"),
        Recipe.Ranges[nameof(Recipe.WeightDecay)], 5e-4);
    public static readonly Option<string?> Decayed = Options.OptionalChoice("--decay",
        "what decays: every parameter, or the weights of convolutions and linear layers [default: all; weights with "
            + "adamw]",
        name => name is "all" or "weights", "all|weights");
    public static readonly Option<double?> BetaRate = Options.OptionalNumber("--beta-rate",
        "multiply the rate of the normalizations' betas, and divide their weight decay by as much: with sgd and adamw "
            + $"as much decays in a step as before [default: {Usual.BetaRate}; {UsualOfFast.BetaRate} for fast with "
            + "normalizations over the batch]",
        Recipe.Ranges[nameof(Recipe.BetaRate)], 8);
    public static readonly Option<bool> ZeroGamma =
        Options.Flag("--zero-gamma", "begin with every residual block as its shortcut: its last gamma is 0");
    public static readonly Option<int> Accumulate =
        Options.Whole("--accumulate", "batches whose gradients make one step",
        Unsaid.Accumulate, Recipe.Ranges[nameof(Recipe.Accumulate)]);
    public static readonly Option<double> Average =
        Options.Number("--average", "keep moving averages of the weights, with this decay, and use them: 0.999",
            Unsaid.Average, Recipe.Ranges[nameof(Recipe.Average)]);
    public static readonly Option<bool?> Lookahead = Options.OptionalFlag("--lookahead",
        $"have slow weights follow those that the steps move, and use them in the end {Of(usual => usual.Lookahead)}");
    public static readonly Option<double?> Smoothing = Options.OptionalNumber("--label-smoothing",
        $"share of a label that all classes get {Of(usual => usual.LabelSmoothing)}",
        Recipe.Ranges[nameof(Recipe.LabelSmoothing)], 0.1);
    public static readonly Option<int?> Size =
        Options.Limit("--size",
            $"side that images of a folder get, in pixels [default: {Recipe.UsualSize}, or that of --from]",
            Recipe.Ranges[nameof(Recipe.Size)]);
    public static readonly Option<bool> Strict =
        Options.Flag("--strict",
            "leave out images of a folder whose files are cut off; otherwise they are used as far as they go");
    public static readonly Option<bool> NoFlip =
        Options.Flag("--no-flip", "do not mirror training images: where left and right mean something");
    public static readonly Option<string?> Flip = Options.OptionalChoice("--flip",
        "mirror half of the training images: by chance, or each in every second epoch "
            + Of(usual => usual.Flip), name => name is "random" or "alternate", "random|alternate");
    public static readonly Option<int?> Translate = Options.Limit("--translate",
        "move training images by up to so many pixels, with their reflection at the edges [default: crops out of a "
            + $"black border of 4; {UsualOfFast.Translate} for fast]", Recipe.Ranges[nameof(Recipe.Translate)]);
    public static readonly Option<int> Cutout =
        Options.Whole("--cutout", "side of a square painted over in every training image",
        Unsaid.Cutout, Recipe.Ranges[nameof(Recipe.Cutout)]);
    public static readonly Option<double> MixupAlpha =
        Options.Number("--mixup", "mix training images, the more the larger: 0.2", Unsaid.Mixup,
            Recipe.Ranges[nameof(Recipe.Mixup)]);
    public static readonly Option<int> Validation =
        Options.Whole("--validation", "hold so many training images apart, and keep the weights that are best on them",
            Unsaid.Validation, Recipe.Ranges[nameof(Recipe.Validation)]);
    public static readonly Option<string?> Views = Options.OptionalChoice("--tta",
        "average the scores of several views of a test image, mirrored or moved by a pixel, in the end "
            + Of(usual => usual.TestViews), name => TestViews.Named(name) is not null, "none|flip|shift|flip+shift");
    public static readonly Option<int> Seed = Options.Whole("--seed", "of weights, order and augmentation", Unsaid.Seed,
        Recipe.Ranges[nameof(Recipe.Seed)]);
    public static readonly Option<int?> TrainLimit =
        Options.Limit("--train-limit", "use the first so many training images [default: all]",
            Recipe.Ranges[nameof(Recipe.TrainLimit)]);
    public static readonly Option<int?> TestLimit =
        Options.Limit("--test-limit", "use the first so many test images [default: all]",
        Recipe.Ranges[nameof(Recipe.TestLimit)]);

    private static double UsualRate(string model, string optimizer) =>
        Recipe.UsualLearningRate(model, optimizer, Usual.BatchSize);

    // What stands in the place of what is not given.
    private static string Of<T>(Func<UsualTraining, T> setting) where T : notnull
    {
        var (most, fast) = (Said(setting(Usual)), Said(setting(UsualOfFast)));
        return most == fast ? $"[default: {most}]" : $"[default: {most}; {fast} for fast]";

        static string Said(T value) => value is bool isOn ? isOn ? "yes" : "no"
            : Convert.ToString(value, CultureInfo.InvariantCulture)!;
    }

    /// <summary>The option of each setting of a recipe, in the order of the help.</summary>
    public static readonly IReadOnlyDictionary<string, Option> Settings = new OrderedDictionary<string, Option>
    {
        [nameof(Recipe.Size)] = Size,
        [nameof(Recipe.Strict)] = Strict,
        [nameof(Recipe.Model)] = Model,
        [nameof(Recipe.Normalization)] = Norm,
        [nameof(Recipe.Epochs)] = Epochs,
        [nameof(Recipe.BatchSize)] = BatchSize,
        [nameof(Recipe.Optimizer)] = OptimizerName,
        [nameof(Recipe.LearningRate)] = Rate,
        [nameof(Recipe.Schedule)] = Schedule,
        [nameof(Recipe.Warmup)] = Warmup,
        [nameof(Recipe.Momentum)] = Momentum,
        [nameof(Recipe.Nesterov)] = Nesterov,
        [nameof(Recipe.WeightDecay)] = WeightDecay,
        [nameof(Recipe.Decayed)] = Decayed,
        [nameof(Recipe.BetaRate)] = BetaRate,
        [nameof(Recipe.ZeroGamma)] = ZeroGamma,
        [nameof(Recipe.Accumulate)] = Accumulate,
        [nameof(Recipe.Average)] = Average,
        [nameof(Recipe.Lookahead)] = Lookahead,
        [nameof(Recipe.LabelSmoothing)] = Smoothing,
        [nameof(Recipe.NoFlip)] = NoFlip,
        [nameof(Recipe.Flip)] = Flip,
        [nameof(Recipe.Translate)] = Translate,
        [nameof(Recipe.Cutout)] = Cutout,
        [nameof(Recipe.Mixup)] = MixupAlpha,
        [nameof(Recipe.Validation)] = Validation,
        [nameof(Recipe.TestViews)] = Views,
        [nameof(Recipe.Seed)] = Seed,
        [nameof(Recipe.TrainLimit)] = TrainLimit,
        [nameof(Recipe.TestLimit)] = TestLimit,
    };

    // What a run may be given anew when it goes on.
    private static readonly Option[] Anew = [Resume, CheckpointEvery, Data, Threads];

    /// <summary>All of them, in the order of the help.</summary>
    public static IEnumerable<Option> All =>
        [Data, Out, From, Resume, CheckpointEvery, Overwrite, Download, .. Settings.Values, Minutes, Threads];

    /// <summary>What was given, and what stands in the place of the rest.</summary>
    public static Recipe RecipeOf(ParseResult options) => new()
    {
        Model = options.GetValue(Model)!,
        Normalization = options.GetValue(Norm),
        ZeroGamma = options.GetValue(ZeroGamma),
        Epochs = options.GetValue(Epochs),
        BatchSize = options.GetValue(BatchSize),
        Optimizer = options.GetValue(OptimizerName)!,
        LearningRate = options.GetValue(Rate),
        Schedule = options.GetValue(Schedule),
        Warmup = options.GetValue(Warmup),
        Momentum = options.GetValue(Momentum),
        Nesterov = options.GetValue(Nesterov),
        WeightDecay = options.GetValue(WeightDecay),
        Decayed = options.GetValue(Decayed),
        BetaRate = options.GetValue(BetaRate),
        Accumulate = options.GetValue(Accumulate),
        Average = options.GetValue(Average),
        Lookahead = options.GetValue(Lookahead),
        LabelSmoothing = options.GetValue(Smoothing),
        Size = options.GetValue(Size),
        Strict = options.GetValue(Strict),
        NoFlip = options.GetValue(NoFlip),
        Flip = options.GetValue(Flip),
        Translate = options.GetValue(Translate),
        Cutout = options.GetValue(Cutout),
        Mixup = options.GetValue(MixupAlpha),
        Validation = options.GetValue(Validation),
        TestViews = options.GetValue(Views),
        Seed = options.GetValue(Seed),
        TrainLimit = options.GetValue(TrainLimit),
        TestLimit = options.GetValue(TestLimit),
    };

    /// <summary>A recipe that cannot be, in the words of the options.</summary>
    public static UserError Refusal(RecipeException e) =>
        new(string.Create(CultureInfo.InvariantCulture,
            $"{Settings[e.Setting].Name}{(e.Value is null ? "" : " ")}{e.Value}: {e.Why}"));

    /// <summary>Refuses what a run that goes on cannot be given.</summary>
    public static void CheckGoingOn(ParseResult given)
    {
        if (All.Except(Anew).FirstOrDefault(option => IsGiven(given, option)) is { } other)
            throw new UserError($"{other.Name}: a run goes on with the options that it began with. With --resume, give "
                + $"only {string.Join(", ", Anew.Skip(1).Select(option => option.Name))}, or nothing.");
    }

    /// <summary>Refuses an option that was given and that the others leave nothing to do.</summary>
    public static void RefuseIdle(ParseResult given, Option option, bool isIdle, string why)
    {
        if (isIdle && IsGiven(given, option)) throw new UserError($"{option.Name}: {why} Leave it out.");
    }

    public static bool IsGiven(ParseResult options, Option option) => options.GetResult(option) is { Implicit: false };
}
