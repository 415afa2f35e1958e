namespace Tapegrad.Layers;

/// <summary>
/// What of a file went where (<see cref="StateDict.Load"/>). Names are without the file's prefix, but those of
/// <see cref="Ignored"/>, which are whole.
/// </summary>
public sealed record StateDictReport
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>
    /// What stands before the module's names in the file, such as <c>module.</c>; empty for nothing. What does not
    /// stand behind it is <see cref="Ignored"/>.
    /// </summary>
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
    public bool IsComplete => Misfits.IsEmpty;

    /// <summary>One line: what does not fit, where the report is not complete.</summary>
    public string Differences => FileDifferences.Message(Path, Misfits.Texts);

    /// <summary>The report, a line for each kind of thing that there is.</summary>
    public override string ToString() => string.Join(Environment.NewLine,
    [
        Prefix == "" ? Path : $"{Path}, where the model's names stand behind '{Prefix}'",
        .. FileDifferences.Text("loaded", Loaded),
        .. FileDifferences.Text("turned from PyTorch's order of flattened channels", Turned),
        .. FileDifferences.Text("ignored", Ignored), .. Misfits.Texts,
    ]);

    private FileDifferences Misfits => new(Missing, Unknown, OtherShape);
}
