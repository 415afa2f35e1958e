using System.Globalization;
using System.Text.Json;
using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// What a saved network must say beside its weights so that it can be used without the training data: the dataset's name, the
/// classes' names, the images' size, and each channel's mean and standard deviation that its inputs were normalized with.
/// </summary>
internal static class InputStatistics
{
    /// <summary>The metadata's key of the images' size, height x width.</summary>
    public const string Size = "input_size";

    private const string Dataset = "dataset", ClassNames = "class_names", Mean = "input_mean", Std = "input_std", Channels = "inputs";

    /// <summary>Notes a dataset's in a model's metadata.</summary>
    public static void Write(Module model, ImageDataset dataset)
    {
        model.Metadata[Dataset] = dataset.Name;
        model.Metadata[ClassNames] = Join(dataset.ClassNames);
        model.Metadata[Size] = $"{dataset.Height}x{dataset.Width}";
        model.Metadata[Mean] = Join(dataset.Mean);
        model.Metadata[Std] = Join(dataset.Std);
    }

    /// <summary>The classes' names; null when it does not say them, or others than it has classes.</summary>
    public static string[]? ClassNamesOf(Module model)
    {
        if (!model.Metadata.TryGetValue(ClassNames, out var text)) return null;
        try
        {
            var names = text.StartsWith('[') ? JsonSerializer.Deserialize<string[]>(text) : text.Split(',');
            return $"{names?.Length}" == model.Metadata["classes"] ? names : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The dataset's name that a model was trained on; null when it does not say.</summary>
    public static string? DatasetOf(Module model) => model.Metadata.TryGetValue(Dataset, out var name) ? name : null;

    /// <summary>The height and the width of the images that a model was trained on; null when it does not say.</summary>
    public static (int Height, int Width)? SizeOf(Module model) => model.Metadata.TryGetValue(Size, out var text) ? ParseSize(text) : null;

    /// <summary>The channels of the images that a model takes.</summary>
    public static int ChannelsOf(Module model) => model.Metadata.TryGetValue(Channels, out var text)
        ? int.Parse(text, CultureInfo.InvariantCulture) : 3;

    /// <summary>"32x20" as height and width, "32" as both; null for another text, and for sizes that no image has.</summary>
    public static (int Height, int Width)? ParseSize(string text)
    {
        var parts = Array.ConvertAll(text.Split('x'), part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= 1 << 14 ? length : 0);
        return parts is [> 0 and var height] ? (height, height) : parts is [> 0 and var first, > 0 and var second] ? (first, second) : null;
    }

    /// <summary>Each channel's mean and standard deviation that a model's inputs were normalized with; null when it does not say.</summary>
    public static (double[] Mean, double[] Std)? NormalizationOf(Module model)
    {
        return Numbers(Mean) is { } mean && Numbers(Std) is { } std ? (mean, std) : null;

        double[]? Numbers(string key)
        {
            if (!model.Metadata.TryGetValue(key, out var text)) return null;
            var numbers = Array.ConvertAll(text.Split(','), part =>
                double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number : double.NaN);
            return numbers.All(double.IsFinite) ? numbers : null;
        }
    }

    /// <summary>Refuses to evaluate a model on images of another kind or size, or of other classes, than those it was trained on; normalizes
    /// them as it was trained.</summary>
    /// <exception cref="UserError">They differ; the message says in what.</exception>
    public static ImageDataset Fit(Module model, ImageDataset dataset, string file)
    {
        foreach (var (key, here) in ((string, string)[])[(Dataset, dataset.Name), (ClassNames, Join(dataset.ClassNames)),
            (Size, $"{dataset.Height}x{dataset.Width}")])
            if (model.Metadata.TryGetValue(key, out var there) && there != here)
                throw new UserError($"--weights {file}: its {key} is '{there}', but that of the data is '{here}'. Give the --data"
                    + $" that the network was trained on.");
        if (ChannelsOf(model) is var channels && channels != dataset.Channels)
            throw new UserError($"--weights {file}: it takes images of {channels} channels, but those of the data have {dataset.Channels}.");
        return NormalizationOf(model) is var (mean, std) && mean.Length == dataset.Channels && std.Length == dataset.Channels && std.All(value =>
            value > 0)
            ? dataset.NormalizedBy(mean, std) : dataset;
    }

    // With commas between them; as a JSON array where that would not say which they are.
    private static string Join(IReadOnlyList<string> names) =>
        names.Any(name => name.Contains(',')) || names[0].StartsWith('[') ? JsonSerializer.Serialize(names) : string.Join(',', names);

    private static string Join(IEnumerable<double> values) => string.Join(',', values.Select(value =>
        value.ToString("R", CultureInfo.InvariantCulture)));
}
