using System.CommandLine;
using System.Globalization;
using System.Text;
using Tapegrad.Datasets;
using Tapegrad.Layers.Files;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'evaluate': how well saved weights do on the test images. The file says all else: network,
/// normalization, classes, input statistics.
/// </summary>
internal static class EvaluateCommand
{
    // A larger table does not fit on a screen.
    private const int MostInTable = 20, Worst = 20;

    private static readonly Option<string> Views = Options.Choice("--tta",
        "average the scores of several views of each image: mirrored, moved by a pixel, or both", $"{TestViews.None}",
        name => TestViews.Named(name) is not null, "none|flip|shift|flip+shift");
    private static readonly Option<string?> GalleryPath =
        Options.Path("--gallery", "an HTML page to show the most confident mistakes on");
    private static readonly Option<string?> MistakesPath =
        Options.Path("--mistakes", "a CSV file for all mistakes, the most confident first");
    private static readonly Option<string?> ConfusionPath =
        Options.Path("--confusion", "a CSV file for how often each class was taken for which");

    public static void AddTo(RootCommand root)
    {
        var command =
            new Command("evaluate", "Prints the loss, the accuracy, the accuracy of each class, and the confusion table"
            + " of saved weights; of more than twenty classes, the worst of these.")
        { Weights.Option, TrainOptions.Data, TrainOptions.TestLimit, TrainOptions.Strict, Views, GalleryPath,
            MistakesPath, ConfusionPath };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        var weights = Weights.Of(options);
        var network = SavedNetwork.Load(weights);
        var outputs = new List<Output>();
        foreach (var (option, ending) in ((Option<string?>, string)[])[(GalleryPath, ".html"), (MistakesPath, ".csv"),
            (ConfusionPath, ".csv")])
        {
            if (options.GetValue(option) is not { } path) continue;
            outputs.Add(new Output(option.Name, path));
            OutputFile.Check(outputs[^1], [ending], weights);
        }
        OutputFile.CheckDifferent(outputs);
        var (_, test, _) = DataSource.Find(options.GetValue(TrainOptions.Data), download: false,
            shapes: network.Description.Dataset == Shapes10.Name, trainLimit: 0,
            options.GetValue(TrainOptions.TestLimit) ?? int.MaxValue,
            side: network.Description.Size?.Height ?? Recipe.UsualSize, outputs, options.GetValue(TrainOptions.Strict));
        test = network.Adapt(test);
        var (mistakes, views) = (new Mistakes(test), TestViews.Named(options.GetValue(Views)!)!);
        if (views.Flips && !test.Augment.Flips)
            throw new UserError($"{Views.Name} {views}: images of {test.Name} are not mirrored in training, and not "
                + "known to the network from the other side. Leave it out, or say 'shift'.");
        TrainOptions.RefuseIdle(options, TrainOptions.Strict,
            options.GetValue(TrainOptions.Strict) && !test.IsResized, Recipe.IsWhole(test));
        var classify = views.Over(network.Model.Apply);
        var result = network.Use(test.Height, test.Width, () =>
            test.Evaluate(images => mistakes.Watch(classify(images))));
        // Where scores are no numbers the first class is taken, which is right now and then.
        if (!double.IsFinite(result.Loss))
            throw network.Refusal("its scores for these images are not finite; were its weights?");
        Print(result, [.. test.ClassNames.Select(Line.Of)]);
        Write(options, ConfusionPath, ConfusionCsv(result.Confusion, test.ClassNames),
            "how often each class was taken for which");
        Write(options, MistakesPath, mistakes.ToCsv(), "the mistakes, the most confident first");
        Write(options, GalleryPath, mistakes.All.Any() ? Gallery.Of(test, mistakes) : null,
            "the mistakes that it was most sure of");
        return 0;
    }

    private static void Write(ParseResult options, Option<string?> option, string? text, string what)
    {
        if (options.GetValue(option) is not { } path) return;
        if (text is null)
        {
            Console.WriteLine($"{path}: not written: there is no mistake to show");
            return;
        }
        try
        {
            AtomicFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
            Console.WriteLine($"{path}: {what}");
        }
        catch (IOException e)
        {
            throw new UserError($"{option.Name}: {e.Message}");
        }
    }

    // The pairs that happened, in a line each.
    private static string ConfusionCsv(Confusion confusion, IReadOnlyList<string> names) =>
        Csv.Of(["class", "taken for", "images"],
        confusion.Pairs.Select(pair => (string[])[names[pair.Actual], names[pair.Taken], $"{pair.Count}"]));

    private static void Print(Evaluation result, IReadOnlyList<string> names)
    {
        var (confusion, classes) = (result.Confusion, result.Confusion.OfClasses());
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test loss: {result.Loss:F4}"));
        Console.WriteLine();
        if (names.Count <= MostInTable) PrintTable(confusion, classes, names);
        else PrintWorst(confusion, classes, names);
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test accuracy: {result.Accuracy:F4}"));
    }

    private static void PrintTable(Confusion confusion, IReadOnlyList<(int Images, int Right)> classes,
        IReadOnlyList<string> names)
    {
        var width = Math.Max(5, names.Max(Line.Width)) + 1;
        Console.WriteLine($"{"class".PadRight(width)} accuracy   classified as "
            + $"{string.Concat(names.Select((_, k) => $"{k,6}"))}");
        foreach (var (actual, name) in names.Index())
            Console.WriteLine($"{Line.Pad(name, width)} {Accuracy(classes[actual]),8}   {actual,13}"
                + $" {string.Concat(names.Select((_, taken) => $"{confusion[actual, taken],6}"))}");
    }

    private static void PrintWorst(Confusion confusion, IReadOnlyList<(int Images, int Right)> classes,
        IReadOnlyList<string> names)
    {
        var worst = classes.Index().Where(one => one.Item.Images > 0)
            .OrderBy(one => (double)one.Item.Right / one.Item.Images).Take(Worst).ToArray();
        var pairs = confusion.Mistakes.Take(Worst).ToArray();
        var width = Math.Max(5, worst.Select(one => one.Index).Concat(pairs.Select(pair => pair.Actual))
            .Max(actual => Line.Width(names[actual]))) + 1;
        Console.WriteLine($"the worst of {names.Count} classes ({ConfusionPath.Name} FILE.csv writes how often each "
            + "was taken for which):");
        Console.WriteLine();
        Console.WriteLine($"{"class".PadRight(width)} accuracy   images");
        foreach (var (actual, counts) in worst)
            Console.WriteLine($"{Line.Pad(names[actual], width)} {Accuracy(counts),8}   {counts.Images,6}");
        if (pairs.Length == 0) return;
        Console.WriteLine();
        Console.WriteLine($"{"class".PadRight(width)}   images   taken for");
        foreach (var (actual, taken, count) in pairs)
            Console.WriteLine($"{Line.Pad(names[actual], width)}   {count,6}   {names[taken]}");
    }

    private static string Accuracy((int Images, int Right) counts) =>
        counts.Images == 0 ? "-" : ((double)counts.Right / counts.Images).ToString("F4", CultureInfo.InvariantCulture);
}
