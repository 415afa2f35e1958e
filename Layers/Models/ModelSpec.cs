using System.Globalization;
using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>
/// What a model is, in words: enough to build it, and to build it again from its file. It stands in the model's
/// metadata, and so in the file:
/// <code>
/// format_version  1
/// architecture    resnet20, vgg, fast
/// normalization   group:8+ws, batch, none, or layer1=batch,*=group:8
/// classes         10
/// inputs          channels of the images, where they are not 3
/// width           where it is not 16
/// zero_gamma      true, where it is
/// </code>
/// A program adds what else it needs to evaluate, such as <c>input_mean</c>. In one line, which <see cref="Parse"/>
/// reads, the same is <c>architecture=resnet20 normalization=group:8+ws classes=10</c>.
/// </summary>
/// <param name="Architecture"><c>vgg</c>, <c>fast</c>, <c>resnet18</c>, <c>resnet</c> and a depth of 6n + 2, or
/// <c>wrn</c>, a depth of 6n + 4 and how much wider: <c>wrn16-4</c>.</param>
/// <param name="Normalization">One of <see cref="Normalizations"/>, alone or, as in <c>group:8+ws</c>, with one of
/// <see cref="WeightTransforms"/> in the convolutions before it; or one for each part of the model:
/// <c>layer1=batch,*.0.bn1=layer,*=group:8+ws</c>. The first pattern decides that
/// is a layer's path or the beginning of it; <c>*</c> is any word.</param>
/// <param name="Classes">The number of outputs.</param>
/// <param name="Inputs">Channels of the images.</param>
/// <param name="Width">Channels of the first stage, for <c>resnet</c> and a depth of 6n + 2.</param>
/// <param name="ZeroGamma">Whether the last gamma of each residual block starts at 0, so that every block starts as its
/// shortcut (Goyal et al., 2017).</param>
public sealed record ModelSpec(string Architecture, string Normalization, int Classes = 10, int Inputs = 3,
    int Width = 16, bool ZeroGamma = false)
{
    private const string FormatVersion = "1", VersionKey = "format_version", ArchitectureKey = "architecture",
        NormalizationKey = "normalization", ClassesKey = "classes", InputsKey = "inputs", WidthKey = "width",
        ZeroGammaKey = "zero_gamma", BuildIt = "In code, build the model that it was saved from, and call Load.";

    // ---- names ------------------------------------------------------------------------------------------------------

    /// <summary>Whether there is an architecture of this name.</summary>
    public static bool IsArchitecture(string name) => Network.Named(name) is not null;

    /// <summary>How an architecture is trained where nobody says otherwise.</summary>
    /// <param name="architecture">Its name.</param>
    /// <param name="normalization">Its normalization; null for the usual one.</param>
    /// <exception cref="ArgumentException">One of them is unknown.</exception>
    public static UsualTraining UsualTraining(string architecture, string? normalization = null)
    {
        var usual = Find(architecture).Usual;
        return usual.WithinSamples is { } within && normalization is not null
            && !NormalizationRules.Parse(normalization).AllNeedBatch ? within : usual;
    }

    /// <summary>Whether there is a normalization, or one for each part of a model, of this name.</summary>
    public static bool IsNormalization(string name) => NormalizationRules.Problem(name) is null;

    /// <summary>The one line that <see cref="Parse"/> reads: what is as usual is left out.</summary>
    public override string ToString() =>
        string.Join(' ', Texts.Where(text => text.Key != VersionKey).Select(text => $"{text.Key}={text.Value}"));

    /// <summary>A model from one line: <c>architecture=resnet20 normalization=group:8+ws classes=10</c>.</summary>
    /// <exception cref="FormatException">The line says something else; the message says what.</exception>
    public static ModelSpec Parse(string line)
    {
        var texts = new Dictionary<string, string> { [VersionKey] = FormatVersion };
        foreach (var word in line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            if (word.Split('=', 2) is not [var key, var text]
                || key is not (ArchitectureKey or NormalizationKey or ClassesKey or InputsKey
                or WidthKey or ZeroGammaKey))
                throw new FormatException($"a model '{line}': what is '{word}'? An example is "
                    + $"'{new ModelSpec("resnet20", "group:8+ws")}'.");
            if (!texts.TryAdd(key, text)) throw new FormatException($"a model '{line}': its {key} is said twice.");
        }
        return Read(texts, why => new FormatException($"a model '{line}': {why}"));
    }

    // ---- building ---------------------------------------------------------------------------------------------------

    /// <summary>A new model, whose metadata say what it is.</summary>
    /// <param name="seed">Of the initial weights.</param>
    /// <exception cref="ArgumentException">A name is unknown, or does not fit the other; or memory does not
    /// suffice.</exception>
    public Module Build(int seed)
    {
        var network = CheckedNetwork();
        // For each number a gradient, the optimizer's, and while it is drawn one of twice the size.
        var (numbers, available) = (CountWeights(), GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);
        if (numbers * 24 > available)
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"{Architecture} with {Classes} classes has {numbers:G3} numbers: more than fit into the {available / 1e9:F1} GB of memory here."));
        var rules = NormalizationRules.Parse(Normalization);
        var model = network.Build(this, new LayerMaker(rules.Make, seed));
        rules.TransformWeights(model);
        rules.CheckUsed(model);
        Describe(model);
        return model;
    }

    /// <summary>
    /// The same architecture with normalizations made by a function, whatever <see cref="Normalization"/> says; the
    /// metadata say what they are.
    /// </summary>
    internal Module Build(Func<int, Normalization?>? normalization, int seed)
    {
        var model = CheckedNetwork()
            .Build(this, new LayerMaker((_, channels) => normalization?.Invoke(channels), seed));
        (this with { Normalization = NormalizationRules.Of(model) }).Describe(model);
        return model;
    }

    /// <summary>
    /// How many weights the convolutions and the linear layer hold, nearly all numbers that there are; without building
    /// it.
    /// </summary>
    /// <exception cref="ArgumentException">The architecture is unknown.</exception>
    public double CountWeights() => CheckedNetwork().CountWeights(this);

    private Network CheckedNetwork()
    {
        foreach (var (what, number) in ((string, int)[])[("classes", Classes), ("inputs", Inputs), ("width", Width)])
            if (number < 1 || (what == "width" && number > Network.MostChannels))
                throw new ArgumentOutOfRangeException(what,
                    $"{Architecture} with {number} for its {what}: it lies between 1 and "
                    + $"{(what == "width" ? Network.MostChannels : int.MaxValue)}.");
        var network = Find(Architecture);
        if ((Width != 16 && !network.HasWidths) || (ZeroGamma && !network.HasGammas))
            throw new ArgumentException(network.Refusal);
        return network;
    }

    private static Network Find(string architecture) => Network.Named(architecture)
        ?? throw new ArgumentException($"there is no architecture '{architecture}'. Known are: vgg; fast; resnet18; resnet "
            + "and a depth of 6n + 2, such as resnet20; wrn, a depth of 6n + 4 and how much wider, such as wrn16-4.");

    // ---- metadata and files -----------------------------------------------------------------------------------------

    private IEnumerable<KeyValuePair<string, string>> Texts
    {
        get
        {
            yield return new(VersionKey, FormatVersion);
            yield return new(ArchitectureKey, Architecture);
            yield return new(NormalizationKey, Normalization);
            yield return new(ClassesKey, string.Create(CultureInfo.InvariantCulture, $"{Classes}"));
            if (Inputs != 3) yield return new(InputsKey, string.Create(CultureInfo.InvariantCulture, $"{Inputs}"));
            if (Width != 16) yield return new(WidthKey, string.Create(CultureInfo.InvariantCulture, $"{Width}"));
            if (ZeroGamma) yield return new(ZeroGammaKey, "true");
        }
    }

    private void Describe(Module model)
    {
        foreach (var (key, text) in Texts) model.Metadata[key] = text;
    }

    /// <summary>What a model's metadata say that it is.</summary>
    /// <exception cref="InvalidDataException">They do not say it.</exception>
    public static ModelSpec Of(Module model) =>
        Read(model.Metadata.AsReadOnly(), why => new InvalidDataException($"the model's metadata: {why}"));

    /// <summary>The model that was saved in a file: architecture, weights, statistics and metadata, with no other
    /// option.</summary>
    /// <exception cref="InvalidDataException">The file is not well-formed, or does not say what it holds.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Module Rebuild(string path)
    {
        Module model;
        using (var file = SafetensorsFile.Open(path))
        {
            var spec = Read(file.Metadata, Refused);
            // before memory is taken for what the text promises
            var numbers = file.Entries.Sum(entry => (double)entry.Shape.Count);
            try
            {
                if (numbers < spec.CountWeights())
                    throw Refused($"it holds {numbers} numbers, fewer than {spec.Architecture} of width {spec.Width} "
                        + $"with {spec.Classes} classes "
                        + "has.");
                model = (spec with { ZeroGamma = false }).Build(seed: 0);   // the file says where gamma is by now
            }
            catch (ArgumentException error)
            {
                throw Refused(error.Message);
            }

            InvalidDataException Refused(string why) => new($"{path}: cannot rebuild the model: {why}");
        }
        model.Load(path);
        return model;
    }

    private static ModelSpec Read(IReadOnlyDictionary<string, string> texts, Func<string, Exception> refused)
    {
        if (Text(VersionKey) is var version && version != FormatVersion)
            throw refused($"its {VersionKey} is '{NamedArray.Show(version)}', and only {FormatVersion} is known: "
                + "it was made by a newer version of this library, or by something else.");
        var (architecture, normalization) = (Text(ArchitectureKey), Text(NormalizationKey));
        if (!IsArchitecture(architecture))
            throw refused($"its {ArchitectureKey} '{NamedArray.Show(architecture)}' is unknown. {BuildIt}");
        if (!IsNormalization(normalization))
            throw refused($"its {NormalizationKey} '{NamedArray.Show(normalization)}' has no name here. {BuildIt}");
        var zeroGamma = texts.TryGetValue(ZeroGammaKey, out var zero) && (zero == "true" ? true
            : throw refused($"its {ZeroGammaKey} is '{NamedArray.Show(zero)}', which should be true, or missing."));
        return new(architecture, normalization, Number(ClassesKey, null), Number(InputsKey, 3), Number(WidthKey, 16),
            zeroGamma);

        string Text(string key) =>
            texts.TryGetValue(key, out var value) ? value : throw refused($"it does not say its {key}. {BuildIt}");
        int Number(string key, int? otherwise) => otherwise is { } usual && !texts.ContainsKey(key) ? usual
            : int.TryParse(Text(key), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0
            ? number
            : throw refused($"its {key} '{NamedArray.Show(Text(key))}' is not a positive whole number.");
    }

    /// <summary>Refuses a model whose metadata say another one: its file would be rebuilt as that.</summary>
    /// <exception cref="InvalidOperationException">A layer is another one than the metadata say.</exception>
    internal static void CheckTrue(Module model)
    {
        // A name that nothing is built from cannot mislead.
        if (!model.Metadata.TryGetValue(ArchitectureKey, out _)
            || !model.Metadata.TryGetValue(NormalizationKey, out var normalization)
            || !IsNormalization(normalization)) return;
        if (NormalizationRules.Parse(normalization).Contradiction(model) is { } layer)
            throw new InvalidOperationException($"the model says that its {NormalizationKey} is '{normalization}', but "
                + $"{layer}. Its file would be rebuilt as another model. Say in Metadata[\"{NormalizationKey}\"] what "
                + "it is, or remove that. Nothing was written.");
    }

    /// <summary>Refuses to transform the weights of a model that has no normalization to make up for it.</summary>
    /// <exception cref="ArgumentException">It has none.</exception>
    internal static void CheckNormalized(Module model)
    {
        if (model.Metadata.TryGetValue(NormalizationKey, out var name) && name == "none")
            throw new ArgumentException("weights are transformed for a normalization behind them, not for none.");
    }

    /// <summary>Notes that the weights of a model are transformed from now on.</summary>
    internal static void NoteTransformed(Module model, string transform)
    {
        if (model.Metadata.TryGetValue(NormalizationKey, out var name))
            model.Metadata[NormalizationKey] = NormalizationRules.Transformed(name, transform);
    }
}
