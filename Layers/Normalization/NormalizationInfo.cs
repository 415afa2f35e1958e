namespace Tapegrad.Layers;

/// <summary>
/// A normalization as a person chooses it. Each class carries its own, in a public static property, so that no list has
/// to be kept; those of another assembly are found once it was given to <see cref="Normalizations.Register"/>.
/// </summary>
/// <param name="Usage">Its names, for messages and help.</param>
/// <param name="Parse">From a name to a function that makes the layer for a number of channels; null when the name is
/// another's.</param>
public sealed record NormalizationInfo(string Usage, Func<string, Func<int, Normalization>?> Parse)
{
    internal const int Channels = 32;

    /// <summary>
    /// Names that <see cref="Parse"/> reads, for tests and for help: at least one. They fit 32 channels.
    /// </summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>x^, or y where it is more than that.</summary>
    public required string Formula { get; init; }

    /// <summary>Where it comes from: authors and year, or a preprint's number.</summary>
    public required string Paper { get; init; }

    /// <summary>The laws of normalizations that it does not obey, by their names.</summary>
    public IReadOnlyList<string> DisobeyedLaws { get; init; } = [];

    /// <summary>Whether the samples of a batch share, so that the size of the batch matters.</summary>
    public bool NeedsBatch => Example.S.Batch;

    /// <summary>Whether it remembers what training saw, for evaluation.</summary>
    public bool KeepsState => Example.Running is not null;

    /// <summary>Whether an activation is in it.</summary>
    public bool ContainsActivation => Example.ContainsActivation;

    private Normalization Example => Parse(Examples[0])!(Channels);
}
