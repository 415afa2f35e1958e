using Tapegrad.Layers.Formats;

namespace Tapegrad.Layers;

/// <summary>
/// Weights to and from PyTorch: a <c>state_dict</c> as a .safetensors or .npz file, under PyTorch's names and in its order of
/// axes. Unlike <see cref="Module.Load"/> and <see cref="Module.Save"/>, which do the same for files of our own, this
/// <list type="bullet">
/// <item>drops a beginning that all names of the file share and the model's do not, such as <c>module.</c>;</item>
/// <item>ignores <c>num_batches_tracked</c>, which has no meaning here;</item>
/// <item>turns what stands behind a <see cref="Flatten"/>: PyTorch flattens [N, C, H, W] and this library [N, H, W, C], so the
/// inputs of the linear layer that follows stand in another order.</item>
/// </list>
/// </summary>
public static class StateDict
{
    private const string Ignored = "num_batches_tracked";

    /// <summary>Gives a module the weights of a file.</summary>
    /// <param name="module">With PyTorch's names, as all models of this library have.</param>
    /// <param name="path">A .safetensors or .npz file.</param>
    /// <param name="partial">Whether to take what fits, and leave the rest as it is; for a network with another last layer, for
    /// instance.</param>
    /// <param name="inputChannels">The channels of the module's input: needed where a <see cref="Flatten"/> comes first.</param>
    /// <returns>What matched, and what did not.</returns>
    /// <exception cref="InvalidDataException">The file is not well-formed; or, unless <paramref name="partial"/>, does not fit:
    /// the message names all differences. Nothing was changed.</exception>
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static StateDictReport Load(Module module, string path, bool partial = false, int? inputChannels = null)
    {
        var flattened = FlattenedChannels.Of(module, inputChannels);
        var own = module.StateEntries.ToDictionary(entry => entry.Parameter.Name);
        var all = ArrayFile.Read(path);
        var (ignored, arrays) = (all.Where(IsIgnored).ToArray(), all.Where(array => !IsIgnored(array)).ToArray());
        var prefix = SharedPrefix(arrays, own.Keys);
        var inFile = arrays.ToDictionary(array => array.Name[prefix.Length..]);
        var both = own.Keys.Where(inFile.ContainsKey).ToLookup(name => inFile[name].Shape == own[name].FileShape);
        var report = new StateDictReport
        {
            Path = path,
            Prefix = prefix,
            Loaded = [.. both[true]],
            Turned = [.. both[true].Where(name => flattened.ContainsKey(own[name].Parameter))],
            Ignored = [.. ignored.Select(array => array.Name)],
            Missing = [.. own.Keys.Where(name => !inFile.ContainsKey(name))],
            Unknown = [.. inFile.Keys.Where(name => !own.ContainsKey(name))],
            OtherShape = [.. both[false].Select(name => $"{name} {inFile[name].Shape} (here {own[name].FileShape})")],
        };
        if (!partial && !report.IsComplete) throw new InvalidDataException($"{report.Differences} Nothing was changed.");

        foreach (var name in report.Loaded)
            own[name].Restore(inFile[name].ToDoubles(),
                flattened.TryGetValue(own[name].Parameter, out var channels) ? value => Turn(value, channels, fromPyTorch: true) : null);
        return report;
    }

    /// <summary>Writes a module's weights for PyTorch: <c>model.load_state_dict(...)</c> takes what safetensors' <c>load_file</c> or
    /// NumPy's <c>load</c> makes of the file.</summary>
    /// <inheritdoc cref="Load" path="/param"/>
    /// <exception cref="ArgumentException">It cannot be known how many channels were flattened.</exception>
    /// <exception cref="IOException">The file cannot be written; an old one is as it was.</exception>
    public static void Save(Module module, string path, int? inputChannels = null)
    {
        var flattened = FlattenedChannels.Of(module, inputChannels);
        using var scope = new Scope();
        using var _ = Tape.Current?.Pause();
        ArrayFile.Write(path, [.. module.StateEntries.Select(entry => NamedArray.Of(entry.Parameter.Name,
            flattened.TryGetValue(entry.Parameter, out var channels) ? Turn(entry.ToFile(), channels, fromPyTorch: false) : entry.ToFile()))]);
    }

    private static bool IsIgnored(NamedArray array) => array.Name == Ignored || array.Name.EndsWith("." + Ignored, StringComparison.Ordinal);

    // As many first words of the names as all of the file's share and not all of the model's.
    private static string SharedPrefix(NamedArray[] arrays, ICollection<string> own)
    {
        var prefix = "";
        while (arrays.Length > 0 && arrays[0].Name.IndexOf('.', prefix.Length) is >= 0 and var dot)
        {
            var (longer, word) = (arrays[0].Name[..(dot + 1)], arrays[0].Name[prefix.Length..(dot + 1)]);
            if (!arrays.All(array => array.Name.StartsWith(longer, StringComparison.Ordinal))) break;
            if (own.Any(name => name.StartsWith(word, StringComparison.Ordinal))) break;
            prefix = longer;
        }
        return prefix;
    }

    // The last axis in a file runs over channels and positions: the channel is the slower of the two in PyTorch and the faster here.
    private static Tensor Turn(Tensor value, int channels, bool fromPyTorch)
    {
        var positions = value.Shape[-1] / channels;
        var (slower, faster) = fromPyTorch ? (channels, positions) : (positions, channels);
        return value.Reshape(-1, slower, faster).Permute(0, 2, 1).Reshape(value.Shape);
    }
}
