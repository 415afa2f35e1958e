using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>
/// Weights to and from PyTorch: a <c>state_dict</c> as a .safetensors or .npz file, under PyTorch's names and in its
/// order of axes. Unlike <see cref="Module.Load"/> and <see cref="Module.Save"/>, which do the same for files of our
/// own, this
/// <list type="bullet">
/// <item>drops what stands before the model's names in the file, such as <c>module.</c>, and ignores what does not
/// stand behind it, such as <c>n_averaged</c> or <c>criterion.weight</c>;</item>
/// <item>ignores <c>num_batches_tracked</c>, which has no meaning here;</item>
/// <item>turns what stands behind a <see cref="Flatten"/>: PyTorch flattens [N, C, H, W] and this library [N, H, W, C],
/// so the inputs of the linear layer that follows stand in another order. A Forward that reshapes by itself is not
/// seen: what it could put into another order is refused, or named in a notice.</item>
/// </list>
/// </summary>
public static class StateDict
{
    private const string Ignored = "num_batches_tracked";

    /// <summary>Gives a module the weights of a file.</summary>
    /// <param name="module">With PyTorch's names, as all models of this library have.</param>
    /// <param name="path">A .safetensors or .npz file.</param>
    /// <param name="partial">Whether to take what fits, and leave the rest as it is; for a network with another last
    /// layer, for instance.</param>
    /// <param name="inputChannels">The channels of the module's input: needed where a <see cref="Flatten"/> comes
    /// first.</param>
    /// <returns>What matched, and what did not.</returns>
    /// <exception cref="InvalidDataException">The file is not well-formed; or, unless <paramref name="partial"/>, does
    /// not fit: the message names all differences. Or nothing of it fits. Nothing was changed.</exception>
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened, or whether any were: a
    /// linear layer takes more or less than the channels before it, and no <see cref="Flatten"/> is
    /// between.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static StateDictReport Load(Module module, string path, bool partial = false, int? inputChannels = null)
    {
        var flattened = FlattenedChannels.Of(module, inputChannels);
        var own = module.StateEntries.ToDictionary(entry => entry.Name);
        var all = ArrayFile.Read(path);
        var prefix = StateDictPrefix.Of(path,
            [.. all.Where(array => !IsIgnored(array)).Select(array => array.Name).Distinct()], own.Keys);
        // Beside a model that stands behind a prefix there may be what belongs to its training.
        var byUse = all.ToLookup(array => !IsIgnored(array) && array.Name.StartsWith(prefix, StringComparison.Ordinal));
        var inFile = byUse[true].ToDictionary(array => array.Name[prefix.Length..]);
        var differences = FileDifferences.Of(own.ToDictionary(entry => entry.Key, entry => entry.Value.FileShape),
            inFile.ToDictionary(entry => entry.Key, entry => entry.Value.Shape));
        string[] loaded =
            [.. own.Keys.Where(name => inFile.TryGetValue(name, out var array) && array.Shape == own[name].FileShape)];
        var report = new StateDictReport
        {
            Path = path,
            Prefix = prefix,
            Loaded = loaded,
            Turned = [.. loaded.Where(name => flattened.ContainsKey(own[name].Parameter))],
            Ignored = [.. byUse[false].Select(array => array.Name)],
            Missing = differences.Missing,
            Unknown = differences.Unknown,
            OtherShape = differences.OtherShape,
        };
        if (report.Loaded.Count == 0 ? own.Count > 0 : !partial && !report.IsComplete)
            throw new InvalidDataException($"{report.Differences} Nothing was changed.");

        foreach (var name in report.Loaded)
            own[name].Restore(inFile[name].ToDoubles(),
                flattened.TryGetValue(own[name].Parameter, out var channels) ? value =>
                Turn(value, channels, fromPyTorch: true) : null);
        ModuleFile.NoticeNonFinite(path, report.Loaded.Select(name => own[name]));
        return report;
    }

    /// <summary>
    /// Writes a module's weights for PyTorch: <c>model.load_state_dict(...)</c> takes what safetensors'
    /// <c>load_file</c> or NumPy's <c>load</c> makes of the file.
    /// </summary>
    /// <inheritdoc cref="Load" path="/param"/>
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened, or whether any were: a
    /// linear layer takes more or less than the channels before it, and no <see cref="Flatten"/> is
    /// between.</exception>
    /// <exception cref="IOException">The file cannot be written; an old one is as it was.</exception>
    public static void Save(Module module, string path, int? inputChannels = null)
    {
        var flattened = FlattenedChannels.Of(module, inputChannels);
        using var scope = new Scope();
        using var _ = Tape.Current?.Pause();
        ArrayFile.Write(path, [.. module.StateEntries.Select(entry => NamedArray.Of(entry.Name,
            flattened.TryGetValue(entry.Parameter, out var channels)
            ? Turn(entry.ToFile(), channels, fromPyTorch: false) : entry.ToFile()))]);
    }

    private static bool IsIgnored(NamedArray array) =>
        array.Name == Ignored || array.Name.EndsWith("." + Ignored, StringComparison.Ordinal);

    // The last axis in a file runs over channels and positions: the channel is the slower of the two in PyTorch and the
    // faster here.
    private static Tensor Turn(Tensor value, int channels, bool fromPyTorch)
    {
        var positions = value.Shape[-1] / channels;
        var (slower, faster) = fromPyTorch ? (channels, positions) : (positions, channels);
        return value.Reshape(-1, slower, faster).Permute(0, 2, 1).Reshape(value.Shape);
    }
}
