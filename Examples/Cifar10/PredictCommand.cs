using System.CommandLine;
using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'predict': what a saved network takes images for. They are read and resized as the images of a folder
/// are for training. A terminal gets bars; otherwise each image is one line, its parts separated by tabs: the file,
/// then a class and its probability, the next class, ...
/// </summary>
internal static class PredictCommand
{
    private const int BarWidth = 30;

    private static readonly Argument<string[]> Images = new("image")
    {
        Description = "image files: JPEG, PNG, WebP, BMP, GIF or TIFF",
        Arity = ArgumentArity.OneOrMore,
    };
    private static readonly Option<int> Top = Options.Whole("--top", "show so many classes", 3);
    private static readonly Option<bool> Json = Options.Flag("--json", "print a JSON object for each image");

    public static void AddTo(RootCommand root)
    {
        Images.Validators.Add(result =>
        {
            if (result.Tokens.Any(token => token.Value == ""))
                result.AddError("image '': it must be a path that is not empty.");
        });
        var command = new Command("predict", "Says what saved weights take images for.") { Weights.Option, Images,
            Top, Json };
        command.SetAction(options =>
            Run(Weights.Of(options), options.GetValue(Images)!, options.GetValue(Top), options.GetValue(Json)));
        root.Add(command);
    }

    private static int Run(string weights, string[] images, int top, bool json)
    {
        var classifier = Classifier.Load(weights);
        var failed = 0;
        foreach (var image in images)
        {
            Prediction[] shown;
            try
            {
                shown = [.. classifier.Classify(image).OrderByDescending(guess => guess.Probability).Take(top)];
            }
            catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                failed++;
                if (json) Console.WriteLine(new JsonObject { ["image"] = image, ["error"] = e.Message }.ToJsonString());
                Console.Error.WriteLine(
                    Line.Of($"error: {(e.Message.Contains(image) ? "" : $"{image}: ")}{e.Message}"));
                continue;
            }
            Console.WriteLine(json ? ToJson(image, shown) : Console.IsOutputRedirected ? ToLine(image, shown)
                : ToBars(image, shown));
        }
        return failed == 0 ? 0 : 1;
    }

    private static string ToJson(string image, Prediction[] shown) => new JsonObject
    {
        ["image"] = image,
        ["predictions"] = new JsonArray([.. shown.Select(guess => new JsonObject
        {
            ["class"] = guess.Class,
            ["probability"] = guess.Probability,
        })]),
    }.ToJsonString();

    private static string ToLine(string image, Prediction[] shown) =>
        string.Join('\t', shown.Select(guess => Invariant($"{Line.Of(guess.Class)}\t{guess.Probability:F4}"))
            .Prepend(Line.Of(image)));

    /// <summary>The file's name, and a line for each class with a bar.</summary>
    internal static string ToBars(string image, Prediction[] shown)
    {
        var width = shown.Max(guess => Line.Width(Line.Of(guess.Class)));
        return string.Join('\n', shown.Select(guess =>
            Invariant($"  {Line.Pad(Line.Of(guess.Class), width)}  {Bar(guess.Probability)} {100 * guess.Probability,5:F1} %"))
            .Prepend(Line.Of(image)));
    }

    // In eighths of a sign.
    private static string Bar(double share)
    {
        var eighths = (int)Math.Round(8 * BarWidth * share);
        return (new string('█', eighths / 8) + (eighths % 8 == 0 ? "" : (char)('█' + 8 - eighths % 8)))
            .PadRight(BarWidth);
    }
}
