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
/// so the inputs of the linear layer that follows stand in another order.</item>
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
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static StateDictReport Load(Module module, string path, bool partial = false, int? inputChannels = null)
    {
        var flattened = FlattenedChannels.Of(module, inputChannels);
        var own = module.StateEntries.ToDictionary(entry => entry.Name);
        var all = ArrayFile.Read(path);
        var prefix = Prefix(path, all, own.Keys);
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
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened.</exception>
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

    // What stands before the model's names: that with which most of them are in the file, nothing rather than
    // something.
    private static string Prefix(string path, IEnumerable<NamedArray> arrays, ICollection<string> own)
    {
        var names = arrays.Where(array => !IsIgnored(array)).Select(array => array.Name).ToHashSet();
        var counts = names.SelectMany(Before).CountBy(prefix => prefix).Where(pair => CanBe(pair.Key)).ToDictionary();
        if (counts.Count == 0) return SharedPrefix([.. names], own);
        var most = counts.Values.Max();
        if (counts.GetValueOrDefault("") == most) return "";
        var best = counts.Where(pair => pair.Value == most).Select(pair => pair.Key).ToArray();
        // With a part of the names alone, none is the model's.
        if (best.Length > 1 && most == own.Count)
            throw new InvalidDataException($"{path}: it holds the model {best.Length} times, behind "
                + $"'{string.Join("', '", best)}'. Take one of them "
                + "out of it. Nothing was changed.");
        return best.Length == 1 ? best[0] : best.MinBy(prefix => (prefix.Length, prefix))!;

        // What stands before one of the model's names, where there is one at the end.
        IEnumerable<string> Before(string name)
        {
            for (var start = 0; start >= 0; start = name.IndexOf('.', start) + 1 is > 0 and var next ? next : -1)
                if (own.Contains(name[start..])) yield return name[..start];
        }

        // What the model's own names begin with belongs to the names.
        bool CanBe(string prefix) => prefix.Split('.', StringSplitOptions.RemoveEmptyEntries).All(word =>
            !own.Any(name => name.StartsWith(word + ".", StringComparison.Ordinal)));
    }

    // As many first words as all names of the file share and not all of the model's.
    private static string SharedPrefix(string[] names, ICollection<string> own)
    {
        var prefix = "";
        while (names.Length > 0 && names[0].IndexOf('.', prefix.Length) is >= 0 and var dot)
        {
            var (longer, word) = (names[0][..(dot + 1)], names[0][prefix.Length..(dot + 1)]);
            if (!names.All(name => name.StartsWith(longer, StringComparison.Ordinal))) break;
            if (own.Any(name => name.StartsWith(word, StringComparison.Ordinal))) break;
            prefix = longer;
        }
        return prefix;
    }

    // The last axis in a file runs over channels and positions: the channel is the slower of the two in PyTorch and the
    // faster here.
    private static Tensor Turn(Tensor value, int channels, bool fromPyTorch)
    {
        var positions = value.Shape[-1] / channels;
        var (slower, faster) = fromPyTorch ? (channels, positions) : (positions, channels);
        return value.Reshape(-1, slower, faster).Permute(0, 2, 1).Reshape(value.Shape);
    }
}
