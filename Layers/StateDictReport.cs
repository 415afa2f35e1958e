namespace Tapegrad.Layers;

/// <summary>
/// What of a file went where (<see cref="StateDict.Load"/>). Names are the module's, without the file's prefix.
/// </summary>
public sealed record StateDictReport
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>What stood before every name of the file, such as <c>module.</c>; otherwise empty.</summary>
    public required string Prefix { get; init; }

    /// <summary>What the module has from the file now.</summary>
    public required IReadOnlyList<string> Loaded { get; init; }

    /// <summary>What of it was turned from PyTorch's order of flattened channels and positions.</summary>
    public required IReadOnlyList<string> Turned { get; init; }

    /// <summary>What the file has and nobody needs, by its name there.</summary>
    public required IReadOnlyList<string> Ignored { get; init; }

    /// <summary>What the module has and the file has not.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>What the file has and the module has not.</summary>
    public required IReadOnlyList<string> Unknown { get; init; }

    /// <summary>What both have in different shapes, with the shapes.</summary>
    public required IReadOnlyList<string> OtherShape { get; init; }

    /// <summary>
    /// Whether everything of the module came from the file, and everything of the file went to the module.
    /// </summary>
    public bool IsComplete => Missing.Count + Unknown.Count + OtherShape.Count == 0;

    /// <summary>One line: what does not fit, where the report is not complete.</summary>
    public string Differences =>
        $"{Path}: the file belongs to another model: {string.Join("; ", Parts(Misfits))}. Shapes are in PyTorch's "
            + "order of axes.";

    /// <summary>The report, a line for each kind of thing that there is.</summary>
    public override string ToString() => string.Join(Environment.NewLine,
    [
        Prefix == "" ? Path : $"{Path}, whose names all begin with '{Prefix}'",
        .. Parts([("loaded", Loaded), ("turned from PyTorch's order of flattened channels", Turned),
            ("ignored", Ignored), .. Misfits]),
    ]);

    private (string What, IReadOnlyList<string> Names)[] Misfits =>
        [("missing in the file", Missing), ("unknown to the model", Unknown), ("of another shape", OtherShape)];

    private static IEnumerable<string> Parts((string What, IReadOnlyList<string> Names)[] parts) =>
        parts.Where(part => part.Names.Count > 0)
        .Select(part => $"{part.What}: {part.Names.Count} ({ModuleFile.List(part.Names)})");
}
