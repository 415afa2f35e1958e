using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>
/// Whether a file belongs to a model: every difference at once, so that nobody mends them one by one.
/// </summary>
internal static class ModuleFile
{
    /// <exception cref="InvalidDataException">It does not.</exception>
    public static void CheckFit(string path, SafetensorsFile file, IEnumerable<(string Name, Shape Shape)> own,
        IDictionary<string, string> metadata)
    {
        var inFile = file.Entries.ToDictionary(entry => entry.Name, entry => entry.Shape);
        var inModel = own.ToDictionary(entry => entry.Name, entry => entry.Shape);
        var both = inModel.Keys.Where(inFile.ContainsKey).ToArray();
        string[] differences =
        [
            .. List("it says",
                file.Metadata.Where(pair => metadata.TryGetValue(pair.Key, out var text) && text != pair.Value)
                .Select(pair => $"{pair.Key} = {NamedArray.Show(pair.Value)} (here {metadata[pair.Key]})")),
            .. List("missing in the file", inModel.Keys.Where(name => !inFile.ContainsKey(name))),
            .. List("unknown to the model", inFile.Keys.Where(name => !inModel.ContainsKey(name))),
            .. List("of another shape", both.Where(name => inFile[name] != inModel[name])
                .Select(name => $"{name} {inFile[name]} (here {inModel[name]})")),
        ];
        if (differences.Length > 0)
            throw new InvalidDataException($"{path}: the file belongs to another model: "
                + $"{string.Join("; ", differences)}. Nothing was changed. "
                + "Build the model that the file was saved from. Shapes are in the file's order of axes.");
    }

    /// <summary>Names weights that are no numbers: the model that has them gives none either.</summary>
    public static void NoticeNonFinite(string path, IEnumerable<StateEntry> loaded)
    {
        var names = loaded.Where(entry => !entry.Parameter.Value.ToFloats().All(float.IsFinite))
            .Select(entry => entry.Name).ToArray();
        if (names.Length > 0)
            Notices.Raise($"{path}: {names.Length} of its arrays hold numbers that are infinite or NaN: {List(names)}. "
                + "It was written after a run had diverged.");
    }

    /// <summary>The first few names, and how many there are beside.</summary>
    public static string List(IReadOnlyCollection<string> names)
    {
        const int most = 5;
        return $"{string.Join(", ", names.Take(most))}{(names.Count > most ? $" and {names.Count - most} more" : "")}";
    }

    private static string[] List(string what, IEnumerable<string> names) =>
        names.ToArray() is { Length: > 0 } all ? [$"{what}: {List(all)}"] : [];
}
