using System.Globalization;

namespace Tapegrad.Layers;

/// <summary>A normalization as a person chooses it. Each one carries its own, in a static property, so that no list has to be
/// kept.</summary>
/// <param name="Usage">Its names, for messages and help.</param>
/// <param name="Parse">From a name to a function that makes the layer for a number of channels; null when the name is
/// another's.</param>
public sealed record NormalizationInfo(string Usage, Func<string, Func<int, Normalization>?> Parse);

/// <summary>
/// Finds normalizations by name: <c>batch</c>, <c>layer</c>, <c>instance</c>, <c>group:8</c>, <c>size:8</c>, ..., and
/// <c>none</c>.
/// </summary>
public static class Normalizations
{
    /// <summary>All normalizations of this library, in the order of their names.</summary>
    public static IReadOnlyList<NormalizationInfo> All { get; } =
    [
        .. typeof(Normalizations).Assembly.GetTypes().OrderBy(type => type.Name, StringComparer.Ordinal).SelectMany(type => type.GetProperties())
            .Where(property => property.PropertyType == typeof(NormalizationInfo) && property.GetMethod is { IsStatic: true })
            .Select(property => (NormalizationInfo)property.GetValue(null)!),
    ];

    /// <summary>Whether <see cref="Parse"/> knows a name.</summary>
    public static bool IsKnown(string name) => Find(name) is not null;

    /// <summary>
    /// The function that makes a normalization for a number of channels, by its name; for <c>none</c>, one that makes layers that do nothing.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such normalization.</exception>
    public static Func<int, Normalization> Parse(string name) => Find(name) ?? throw new ArgumentException(Unknown(name));

    internal static string Unknown(string name) => $"there is no normalization '{name}'. Known are: {string.Join("; ", All.Select(info => info.Usage))}.";

    /// <summary>The name that makes a normalization equal to this one; for one that no name makes, its type and settings.</summary>
    internal static string NameOf(Normalization layer) =>
        Find(layer.Variant)?.Invoke(layer.Channels) is { } made && made.GetType() == layer.GetType() && made.Settings == layer.Settings && Entries(made).SequenceEqual(Entries(layer))
            ? layer.Variant : $"{layer.GetType().Name}({layer.Settings})";

    private static IEnumerable<(string, Shape, bool)> Entries(Module layer) =>
        layer.StateEntries.Select(entry => (entry.Name, entry.Parameter.Shape, entry.FileAxes is null));

    /// <summary>The positive whole number behind a prefix.</summary>
    internal static int? Number(string name, string prefix) => name.StartsWith(prefix, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : null;

    private static Func<int, Normalization>? Find(string name) => All.Select(info => info.Parse(name)).FirstOrDefault(make => make is not null);
}
