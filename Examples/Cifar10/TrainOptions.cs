using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The options of 'train'. Most of them are the recipe, which determines what is computed; the others say where, and on how many threads. A run that
/// goes on takes its recipe from its checkpoint.
/// </summary>
internal static partial class TrainOptions
{
    private const string Networks = "resnet20|resnet32|resnet44|resnet56|resnet110|...|resnet18|wrn16-4|...|vgg";
    private static readonly string NormalizationNames =
        $"{string.Join(", ", Normalizations.All.Select(info => info.Usage))}; each but none also with {WeightStandardization.Suffix}";
    private const string Schedules = "constant|multistep:E,E|cosine|one-cycle";

    public static readonly Option<string?> Data = Options.Path("--data",
        "folder of CIFAR-10, CIFAR-100 or an IDX set (MNIST), or one with a folder of images for each class");
    public static readonly Option<string?> Out =
        Options.Path("--out", "folder for metrics.jsonl and model.safetensors [default: runs/..., a new one]");
    public static readonly Option<string?> Resume =
        Options.Path("--resume", "go on with the run in this folder where it was interrupted; it knows the other options");
    public static readonly Option<double> CheckpointEvery =
        Options.Number("--checkpoint-every", "seconds between files from which the run can go on; 0 for after every step", 60, 0, 1e6);
    public static readonly Option<bool> Overwrite = Options.Flag("--overwrite", "replace a run that is in --out");
    public static readonly Option<bool> Download = Options.Flag("--download", "fetch CIFAR-10 where it is missing, without asking");
    public static readonly Option<string> Model = Options.Choice("--model", "network", "resnet20", ModelSpec.IsArchitecture, Networks);
    public static readonly Option<string> Norm = Options.Choice("--norm",
        "normalization: so many groups, so many channels a group, or a name", "group:8+ws", ModelSpec.IsNormalization, NormalizationNames);
    public static readonly Option<int> Epochs = Options.Whole("--epochs", "passes over the training images", 3);
    public static readonly Option<int> BatchSize = Options.Whole("--batch", "images a step", 32);
    public static readonly Option<string> OptimizerName =
        Options.Choice("--optimizer", "how gradients become steps", "sgd", name => name is "sgd" or "adam" or "adamw", "sgd|adam|adamw");
    public static readonly Option<double> Rate = Options.Number("--lr",
        "learning rate at its highest; 0.002 unless given for adam and adamw", 0.05, 0, 1e6, OfOptimizer(sgd: 0.05, adam: 0.002, adamw: 0.002));
    public static readonly Option<string> Schedule = Options.Choice("--schedule",
        "course of the learning rate after the warm-up", "cosine", SchedulePattern().IsMatch, Schedules);
    public static readonly Option<double> Warmup =
        Options.Number("--warmup", "share of the steps in which the rate rises", 0.05, 0, 1);
    public static readonly Option<double> Momentum = Options.Number("--momentum", "of sgd", 0.9, 0, 0.999999);
    public static readonly Option<double> WeightDecay =
        Options.Number("--weight-decay", "share of a parameter that is added to its gradient; adamw takes it, 0.05 unless given,"
            + " times the rate, from the parameter", 5e-4, 0, 1e6, OfOptimizer(sgd: 5e-4, adam: 5e-4, adamw: 0.05));
    public static readonly Option<string> Decayed = Options.Choice("--decay",
        "what decays: every parameter, or the weights of convolutions and linear layers, as with adamw unless given", "all",
        name => name is "all" or "weights", "all|weights", OfOptimizer(sgd: "all", adam: "all", adamw: "weights"));
    public static readonly Option<bool> ZeroGamma =
        Options.Flag("--zero-gamma", "begin with every residual block as its shortcut: its last gamma is 0");
    public static readonly Option<int> Accumulate = Options.Whole("--accumulate", "batches whose gradients make one step", 1);
    public static readonly Option<double> Average =
        Options.Number("--average", "keep moving averages of the weights, with this decay, and use them: 0.999", 0, 0, 0.999999);
    public static readonly Option<double> Smoothing = Options.Number("--label-smoothing", "share of a label that all classes get", 0, 0, 1);
    public static readonly Option<int> Size =
        Options.Whole("--size", "side that images of a folder get, in pixels", 32, most: InputDescription.MostSide);
    public static readonly Option<bool> Strict =
        Options.Flag("--strict", "leave out images of a folder whose files are cut off; otherwise they are used as far as they go");
    public static readonly Option<bool> NoFlip = Options.Flag("--no-flip", "do not mirror training images: where left and right mean something");
    public static readonly Option<int> Cutout = Options.Whole("--cutout", "side of a square painted over in every training image", 0, 0);
    public static readonly Option<double> MixupAlpha = Options.Number("--mixup", "mix training images, the more the larger: 0.2", 0, 0, 100);
    public static readonly Option<int> Validation =
        Options.Whole("--validation", "hold so many training images apart, and keep the weights that are best on them", 0, 0);
    public static readonly Option<int> Seed = Options.Whole("--seed", "of weights, order and augmentation", 1, int.MinValue);
    public static readonly Option<int?> Threads = Options.Limit("--threads",
        $"threads to compute with; the results do not depend on it [default: {Workers.Variable}, or one a processor]", most: 1024);
    public static readonly Option<int?> TrainLimit =
        Options.Limit("--train-limit", "use the first so many training images [default: all]");
    public static readonly Option<int?> TestLimit = Options.Limit("--test-limit", "use the first so many test images [default: all]");

    // Adam's steps have the length of the rate, whatever the gradient's.
    private static Func<ArgumentResult, T> OfOptimizer<T>(T sgd, T adam, T adamw) =>
        result => result.GetResult(OptimizerName)?.Tokens.LastOrDefault()?.Value switch { "adam" => adam, "adamw" => adamw, _ => sgd };

    [GeneratedRegex(@"^(constant|cosine|one-cycle|multistep:[0-9]{1,6}(,[0-9]{1,6})*)$")]
    private static partial Regex SchedulePattern();

    private static readonly Option[] Recipe = [Size, Strict, Model, Norm, Epochs, BatchSize, OptimizerName, Rate, Schedule, Warmup, Momentum, WeightDecay,
        Decayed, ZeroGamma, Accumulate, Average, Smoothing, NoFlip, Cutout, MixupAlpha, Validation, Seed, TrainLimit, TestLimit];

    // What a run may be given anew when it goes on.
    private static readonly Option[] Anew = [Resume, CheckpointEvery, Data, Threads];

    /// <summary>All of them, in the order of the help.</summary>
    public static IEnumerable<Option> All => [Data, Out, Resume, CheckpointEvery, Overwrite, Download, .. Recipe, Threads];

    /// <summary>The recipe as it would be typed, defaults too: later versions may have others.</summary>
    public static string[] RecipeOf(ParseResult options) =>
        [.. Recipe.SelectMany(option => Text(options, option) is { } text ? (string[])[option.Name, text] : [])];

    /// <summary>Options with which a run begins again as it began, but for what is given anew.</summary>
    /// <exception cref="UserError">Something was given that cannot change.</exception>
    /// <exception cref="InvalidDataException">The recipe is none.</exception>
    public static ParseResult GoingOn(ParseResult given, string[] recipe)
    {
        if (All.Except(Anew).FirstOrDefault(option => IsGiven(given, option)) is { } other)
            throw new UserError($"{other.Name}: a run goes on with the options that it began with. With --resume, give only "
                + $"{string.Join(", ", Anew.Skip(1).Select(option => option.Name))}, or nothing.");
        // A recipe comes from a file, perhaps from a stranger: '@name' in it must not read that file.
        var parsed = given.CommandResult.Command.Parse(recipe, new ParserConfiguration { ResponseFileTokenReplacer = null });
        return parsed.Errors.Count == 0 ? parsed
            : throw new InvalidDataException($"the run's options '{string.Join(' ', recipe)}' are not understood: {parsed.Errors[0].Message}");
    }

    public static bool IsGiven(ParseResult options, Option option) => options.GetResult(option) is { Implicit: false };

    private static string? Text(ParseResult options, Option option) => option switch
    {
        Option<int> whole => options.GetValue(whole).ToString(CultureInfo.InvariantCulture),
        Option<int?> limit => options.GetValue(limit)?.ToString(CultureInfo.InvariantCulture),
        Option<double> number => options.GetValue(number).ToString("R", CultureInfo.InvariantCulture),
        Option<bool> flag => options.GetValue(flag) ? "true" : "false",
        Option<string> text => options.GetValue(text),
        _ => throw new NotSupportedException($"{option.Name} has no text."),
    };
}
