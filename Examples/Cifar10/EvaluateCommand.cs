using System.CommandLine;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Layers.Formats;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The command 'evaluate': how well saved weights do on the test images. The file says all else: network, normalization,
/// classes, input statistics.</summary>
internal static class EvaluateCommand
{
    private static readonly Option<string?> GalleryPath = Options.Path("--gallery", "a PNG file to draw the most confident mistakes to");

    public static void AddTo(RootCommand root)
    {
        var command = new Command("evaluate", "Prints the loss, the accuracy, the accuracy of each class, and the confusion table"
            + " of saved weights.") { Weights.Option, TrainOptions.Data, TrainOptions.TestLimit, GalleryPath };
        command.SetAction(options => Run(Weights.Of(options), options.GetValue(TrainOptions.Data),
            options.GetValue(TrainOptions.TestLimit) ?? int.MaxValue, options.GetValue(GalleryPath)));
        root.Add(command);
    }

    private static int Run(string weights, string? data, int limit, string? galleryPath)
    {
        var network = SavedNetwork.Load(weights);
        if (galleryPath is not null) OutputFile.Check("--gallery", galleryPath, [".png"], weights);
        var (_, test, folder) = DataSource.Find(data, download: false, shapes: network.Description.Dataset == "Shapes10", trainLimit: 0,
            testLimit: limit, side: network.Description.Size?.Height ?? 32);
        if (galleryPath is not null && folder is not null) OutputFile.CheckApart("--gallery", galleryPath, folder);
        test = network.Adapt(test);
        var gallery = galleryPath is null ? null : new Gallery(test);
        var result = network.Use(test.Height, test.Width,
            () => test.Evaluate(images => gallery is null ? network.Model.Apply(images) : gallery.Watch(network.Model.Apply(images))));
        // Where scores are no numbers the first class is taken, which is right now and then.
        if (!double.IsFinite(result.Loss)) throw network.Refusal("its scores for these images are not finite; were its weights?");
        Print(result, [.. test.ClassNames.Select(Line.Of)]);
        if (gallery is not null) Write(gallery, galleryPath!);
        return 0;
    }

    private static void Write(Gallery gallery, string path)
    {
        if (gallery.Draw() is not { } picture)
        {
            Console.WriteLine($"{path}: not written: there is no mistake to show");
            return;
        }
        try
        {
            AtomicFile.Write(path, stream => stream.Write(ImageFile.Encode(picture)));
            Console.WriteLine($"{path}: the mistakes that it was most sure of");
        }
        catch (IOException e)
        {
            throw new UserError($"--gallery: {e.Message}");
        }
    }

    private static void Print(Evaluation result, IReadOnlyList<string> names)
    {
        var width = Math.Max(5, names.Max(name => name.Length)) + 1;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test loss: {result.Loss:F4}"));
        Console.WriteLine();
        Console.WriteLine($"{"class".PadRight(width)} accuracy   classified as {string.Concat(names.Select((_, k) => $"{k,6}"))}");
        for (var actual = 0; actual < names.Count; actual++)
        {
            var row = Enumerable.Range(0, names.Count).Select(k => result.Confusion[actual, k]).ToArray();
            var accuracy = row.Sum() == 0 ? "-" : ((double)row[actual] / row.Sum()).ToString("F4", CultureInfo.InvariantCulture);
            Console.WriteLine($"{names[actual].PadRight(width)} {accuracy,8}   {actual,13}"
                + $" {string.Concat(row.Select(count => $"{count,6}"))}");
        }
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test accuracy: {result.Accuracy:F4}"));
    }
}
