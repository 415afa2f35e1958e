namespace Tapegrad.Layers;

/// <summary>
/// What of a file and a model is not the same, by names and shapes: all of it at once, so that nobody mends one after
/// the other.
/// </summary>
/// <param name="Missing">What the model has and the file has not.</param>
/// <param name="Unknown">What the file has and the model has not.</param>
/// <param name="OtherShape">What both have in different shapes, with the shapes, in the file's order of axes.</param>
internal sealed record FileDifferences(IReadOnlyList<string> Missing, IReadOnlyList<string> Unknown,
    IReadOnlyList<string> OtherShape)
{
    /// <summary>Those of a model and a file.</summary>
    /// <param name="own">The model's shapes, in the file's order of axes.</param>
    /// <param name="inFile">The file's.</param>
    public static FileDifferences Of(IReadOnlyDictionary<string, Shape> own,
        IReadOnlyDictionary<string, Shape> inFile) =>
        new([.. own.Keys.Where(name => !inFile.ContainsKey(name))],
            [.. inFile.Keys.Where(name => !own.ContainsKey(name))],
            [.. own.Where(entry => inFile.TryGetValue(entry.Key, out var shape) && shape != entry.Value)
                .Select(entry => $"{entry.Key} {inFile[entry.Key]} (here {entry.Value})")]);

    /// <summary>Whether there is none.</summary>
    public bool IsEmpty => Missing.Count + Unknown.Count + OtherShape.Count == 0;

    /// <summary>One text for each kind that there is.</summary>
    public IEnumerable<string> Texts =>
    [
        .. Text("missing in the file", Missing), .. Text("unknown to the model", Unknown),
        .. Text("of another shape", OtherShape),
    ];

    /// <summary>How many names, and the first few of them; nothing for none.</summary>
    public static IEnumerable<string> Text(string what, IReadOnlyList<string> names) =>
        names.Count == 0 ? [] : [$"{what}: {names.Count} ({ModuleFile.List(names)})"];

    /// <summary>The message of a file that is refused for them.</summary>
    public static string Message(string path, IEnumerable<string> texts) =>
        $"{path}: the file belongs to another model: {string.Join("; ", texts)}. Shapes are in the file's order of "
            + "axes.";
}
