using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>What is said of a model and a file.</summary>
internal static class ModuleFile
{
    /// <summary>Whether a file belongs to a model, and says nothing else than the model does.</summary>
    /// <exception cref="InvalidDataException">It does not; the message names all differences.</exception>
    public static void CheckFit(string path, SafetensorsFile file, IEnumerable<(string Name, Shape Shape)> own,
        IDictionary<string, string> metadata)
    {
        string[] said = [.. file.Metadata
            .Where(pair => metadata.TryGetValue(pair.Key, out var text) && text != pair.Value)
            .Select(pair => $"{pair.Key} = {NamedArray.Show(pair.Value)} (here {metadata[pair.Key]})")];
        var differences = FileDifferences.Of(own.ToDictionary(entry => entry.Name, entry => entry.Shape),
            file.Entries.ToDictionary(entry => entry.Name, entry => entry.Shape));
        if (said.Length > 0 || !differences.IsEmpty)
            throw new InvalidDataException(FileDifferences.Message(path,
                [.. said.Length > 0 ? [$"it says: {List(said)}"] : (string[])[], .. differences.Texts])
                + " Nothing was changed. Build the model that the file was saved from.");
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
}
