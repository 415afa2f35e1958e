using System.Globalization;
using Tapegrad.Layers.Formats;

namespace Tapegrad.Layers;

/// <summary>
/// Models by name, and models from files: the metadata of a saved model say what it is, so that its file alone rebuilds it.
/// <code>
/// format_version  1               architecture  resnet20, vgg          normalization  group:8, batch, group:8+ws, ..., none
/// classes         10              zero_gamma    true, where it is      width          where it is not 16
/// inputs          channels of the images, where they are not 3
/// </code>
/// A program adds what else it needs to evaluate, such as <c>input_mean</c>.
/// </summary>
public static class SavedModel
{
    internal const string Normalization = "normalization";

    private const string FormatVersion = "1", Version = "format_version", Architecture = "architecture", Classes = "classes",
        Width = "width", Inputs = "inputs", BuildIt = "In code, build the model that it was saved from, and call Load.";

    /// <summary>
    /// Whether <see cref="Create"/> knows an architecture: <c>vgg</c>, <c>resnet18</c>, <c>resnet</c> and a depth of 6n + 2, or
    /// <c>wrn</c>, a depth of 6n + 4 and how much wider: <c>wrn16-4</c>.
    /// </summary>
    public static bool IsKnown(string architecture) =>
        architecture is "vgg" or "resnet18" || Depth(architecture) is not null || WideResNet.Parse(architecture) is not null;

    /// <summary>
    /// Whether <see cref="Create"/> knows a normalization: one of <see cref="Normalizations"/>, alone or, as in <c>group:8+ws</c>, with
    /// <see cref="WeightStandardization"/> of the convolutions before it.
    /// </summary>
    public static bool IsKnownNormalization(string name) =>
        WeightStandardization.Split(name) is var (layer, isStandardized) && Normalizations.IsKnown(layer) && !(isStandardized && layer == "none");

    /// <summary>A new model by the names of its architecture and normalization.</summary>
    /// <exception cref="ArgumentException">A name is unknown, or does not fit the other; or memory does not suffice.</exception>
    public static Module Create(string architecture, string normalization, int classes, int seed, bool zeroGamma = false, int width = 16,
        int inputs = 3)
    {
        var (layer, isStandardized) = WeightStandardization.Split(normalization);
        // For each number a gradient, the optimizer's, and while it is drawn one of twice the size.
        var (numbers, available) = (CountNumbers(architecture, classes, width, inputs), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        if (numbers * 24 > available)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{architecture} with {classes} classes has {numbers:G3} numbers: more than fit into the {available / 1e9:F1} GB of memory here."));
        var model = Create(architecture, Normalizations.Parse(layer), classes, seed, zeroGamma, width, inputs);
        if (isStandardized) model.StandardizeWeights();
        return model;
    }

    private static Module Create(string architecture, Func<int, Normalization?> normalizing, int classes, int seed, bool zeroGamma, int width, int inputs)
    {
        if (Depth(architecture) is { } depth) return ResNet.Cifar(depth, normalizing, classes, seed, zeroGamma, width, inputs);
        if (WideResNet.Parse(architecture) is var (wideDepth, times))
            return width == 16 && !zeroGamma ? WideResNet.Cifar(wideDepth, times, normalizing, classes, seed, inputs)
                : throw new ArgumentException($"{architecture} has its width in its name, and no gamma behind its blocks that could start at 0.");
        return architecture switch
        {
            "resnet18" when width == 16 => ResNet.Cifar18(normalizing, classes, seed, zeroGamma, inputs),
            "vgg" when width == 16 && !zeroGamma => Vgg.Cifar(normalizing, classes, seed, inputs),
            "resnet18" => throw new ArgumentException("resnet18 has one width: 64 channels in its first stage."),
            "vgg" => throw new ArgumentException("vgg has neither residual blocks, whose gamma could start at 0, nor another width."),
            _ => throw new ArgumentException($"there is no architecture '{architecture}'. Known are: vgg; resnet18; resnet and a depth of "
                + "6n + 2, such as resnet20; wrn, a depth of 6n + 4 and how much wider, such as wrn16-4."),
        };
    }

    /// <summary>The model that was saved in a file: architecture, weights, statistics and metadata, with no other
    /// option.</summary>
    /// <exception cref="InvalidDataException">The file is not well-formed, or does not say what it holds.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Module Rebuild(string path)
    {
        Module model;
        using (var file = SafetensorsFile.Open(path))
        {
            if (Text(Version) is var version && version != FormatVersion)
                throw Refused($"its {Version} is '{NamedArray.Show(version)}', and only {FormatVersion} is known: "
                    + "it was made by a newer version of this library, or by something else.");
            var (architecture, normalization, classes) = (Text(Architecture), Text(Normalization), Number(Classes));
            var width = file.Metadata.ContainsKey(Width) ? Number(Width) : 16;
            var inputs = file.Metadata.ContainsKey(Inputs) ? Number(Inputs) : 3;
            if (!IsKnown(architecture)) throw Refused($"its {Architecture} '{NamedArray.Show(architecture)}' is unknown. {BuildIt}");
            if (!IsKnownNormalization(normalization))
                throw Refused($"its {Normalization} '{NamedArray.Show(normalization)}' has no name here. {BuildIt}");
            var numbers = file.Entries.Sum(entry => (double)entry.Shape.Count);   // before memory is taken for what the text promises
            if (numbers < CountNumbers(architecture, classes, width, inputs))
                throw Refused($"it holds {numbers} numbers, fewer than {architecture} of width {width} with {classes} classes has.");
            try
            {
                model = Create(architecture, normalization, classes, seed: 0, width: width, inputs: inputs);
            }
            catch (ArgumentException error)
            {
                throw Refused(error.Message);
            }

            string Text(string key) => file.Metadata.TryGetValue(key, out var value) ? value
                : throw Refused($"it does not say its {key}. {BuildIt}");
            int Number(string key) => int.TryParse(Text(key), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number
                : throw Refused($"its {key} '{NamedArray.Show(Text(key))}' is not a positive whole number.");
            InvalidDataException Refused(string why) => new($"{path}: cannot rebuild the model: {why}");
        }
        model.Load(path);
        return model;
    }

    // Of a known architecture: its convolutions' and its last layer's weights, nearly all that there is.
    private static double CountNumbers(string architecture, double classes, int width, int inputs) =>
        Depth(architecture) is { } depth ? ResNet.CountWeights(depth, width, inputs) + 4.0 * width * classes
        : WideResNet.Parse(architecture) is var (wideDepth, times) ? WideResNet.CountWeights(wideDepth, times, inputs) + 64.0 * times * classes
        : architecture == "resnet18" ? ResNet.CountWeights18(inputs) + 512 * classes
        : architecture == "vgg" ? Vgg.CountWeights(inputs) + 512 * classes : 0;

    internal static void Describe(Module model, string architecture, string normalization, int classes, int inputs)
    {
        model.Metadata[Version] = FormatVersion;
        model.Metadata[Architecture] = architecture;
        model.Metadata[Normalization] = normalization;
        model.Metadata[Classes] = $"{classes}";
        if (inputs != 3) model.Metadata[Inputs] = $"{inputs}";
    }

    private static int? Depth(string architecture) =>
        Normalizations.Number(architecture, "resnet") is { } depth && ResNet.IsDepth(depth) ? depth : null;
}
