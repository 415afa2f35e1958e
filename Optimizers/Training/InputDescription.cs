using System.Globalization;
using System.Text.Json;
using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// What a saved network must say beside its weights so that it can be used without the training data. Each part is null
/// where the file does not say it, or says what cannot be: the file may be a stranger's.
/// <code>
/// dataset      a name                       class_names  with commas between them, or a JSON array
/// input_size   height x width: 32x32        input_mean, input_std  a number for each channel, with commas between them
/// </code>
/// </summary>
/// <param name="Dataset">The dataset's name.</param>
/// <param name="ClassNames">One name a class.</param>
/// <param name="Size">The images' height and width, each at most <see cref="MostSide"/>.</param>
/// <param name="Channels">The images' channels, which every file says.</param>
/// <param name="Normalization">Each channel's mean and standard deviation that the inputs were normalized with.</param>
public sealed record InputDescription(string? Dataset, string[]? ClassNames, (int Height, int Width)? Size,
    int Channels,
    (double[] Mean, double[] Std)? Normalization)
{
    /// <summary>
    /// An image of this side takes some hundred MB of memory on its way through a network; a larger one, gigabytes.
    /// </summary>
    public const int MostSide = 1024;

    private const string DatasetKey = "dataset", ClassNamesKey = "class_names", SizeKey = "input_size",
        MeanKey = "input_mean", StdKey = "input_std",
        ChannelsKey = "inputs", ClassesKey = "classes";   // the last two are written by ModelSpec

    /// <summary>What a model's metadata say.</summary>
    public static InputDescription Of(Module model)
    {
        var channels = Text(ChannelsKey) is { } text
            && int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? count : 3;
        return new(Text(DatasetKey), ParseNames(Text(ClassNamesKey)) is { } names
            && $"{names.Length}" == Text(ClassesKey) ? names : null,
            ParseSize(Text(SizeKey), MostSide), channels,
            ParseNormalization(Text(MeanKey), Text(StdKey), channels));

        string? Text(string key) => model.Metadata.TryGetValue(key, out var value) ? value : null;
    }

    /// <summary>Notes a dataset's in a model's metadata.</summary>
    public static void Write(Module model, ImageDataset dataset)
    {
        model.Metadata[DatasetKey] = dataset.Name;
        model.Metadata[ClassNamesKey] = Join(dataset.ClassNames);
        WriteSize(model, dataset.Height, dataset.Width);
        model.Metadata[MeanKey] = Join(dataset.Mean);
        model.Metadata[StdKey] = Join(dataset.Std);
    }

    /// <summary>Notes another size.</summary>
    public static void WriteSize(Module model, int height, int width) => model.Metadata[SizeKey] = $"{height}x{width}";

    /// <summary>
    /// "32x20" as height and width, "32" as both; null for another text, and for sizes beyond the limit.
    /// </summary>
    /// <param name="text">The text.</param>
    /// <param name="most">The longest side.</param>
    public static (int Height, int Width)? ParseSize(string? text, int most)
    {
        var parts = Array.ConvertAll(text?.Split('x') ?? [], part =>
            int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var length) && length <= most
            ? length : 0);
        return parts is [> 0 and var height] ? (height, height) : parts is [> 0 and var first, > 0 and var second]
            ? (first, second) : null;
    }

    /// <summary>
    /// Each channel's mean and standard deviation, from numbers with commas between them; null for other texts, or a
    /// deviation that is not above 0.
    /// </summary>
    /// <param name="means">The means.</param>
    /// <param name="deviations">The standard deviations.</param>
    /// <param name="channels">How many there must be of each.</param>
    public static (double[] Mean, double[] Std)? ParseNormalization(string? means, string? deviations, int channels)
    {
        return Numbers(means) is { } mean && Numbers(deviations) is { } std && std.All(value => value > 0)
            ? (mean, std) : null;

        double[]? Numbers(string? text)
        {
            var numbers = Array.ConvertAll(text?.Split(',') ?? [], part =>
                double.TryParse(part, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) ? number
                : double.NaN);
            return numbers.Length == channels && numbers.All(double.IsFinite) ? numbers : null;
        }
    }

    /// <summary>In what images are others than those that a model was trained on; null where they are not.</summary>
    internal string? Difference(Module model, ImageDataset dataset)
    {
        var classes = model.Metadata[ClassesKey];
        foreach (var (key, here) in ((string, string)[])[(DatasetKey, dataset.Name),
            (ClassNamesKey, Join(dataset.ClassNames)),
            (SizeKey, $"{dataset.Height}x{dataset.Width}")])
            if (model.Metadata.TryGetValue(key, out var there) && there != here
                && !(key == ClassNamesKey && ClassNames?.SequenceEqual(dataset.ClassNames) == true))
                return $"its {key} is '{there}', but that of the data is '{here}'. Give the data that the network was "
                    + "trained on.";
        return classes != $"{dataset.Classes}"
            ? $"it tells {classes} classes apart, but the data have {dataset.Classes}."
            : Channels != dataset.Channels
            ? $"it takes images of {Channels} channels, but those of the data have {dataset.Channels}." : null;
    }

    private static string[]? ParseNames(string? text)
    {
        if (text is null || !text.StartsWith('[')) return text?.Split(',');
        try
        {
            return JsonSerializer.Deserialize<string[]>(text) is { } names && !names.Contains(null!) ? names : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    // With commas between them; as a JSON array where that would not say which they are.
    private static string Join(IReadOnlyList<string> names) =>
        names.Any(name => name.Contains(',')) || names[0].StartsWith('[') ? JsonSerializer.Serialize(names)
        : string.Join(',', names);

    private static string Join(IEnumerable<double> values) =>
        string.Join(',', values.Select(value => value.ToString("R", CultureInfo.InvariantCulture)));
}
