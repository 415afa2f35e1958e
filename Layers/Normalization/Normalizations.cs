using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;

namespace Tapegrad.Layers;

/// <summary>
/// Finds normalizations by name: <c>batch</c>, <c>layer</c>, <c>instance</c>, <c>group:8</c>, <c>size:8</c>, ..., and
/// <c>none</c>.
/// </summary>
public static class Normalizations
{
    private static readonly Catalogue<NormalizationInfo> Catalogue = new();
    private static readonly Lock Registering = new();

    /// <summary>
    /// All normalizations that are known: those of this library in the order of their classes' names, then those that
    /// were registered.
    /// </summary>
    public static IReadOnlyList<NormalizationInfo> All => Catalogue.All;

    /// <summary>
    /// Makes the normalizations and <see cref="WeightTransforms"/> of another assembly known by their names: its
    /// classes with a public static property of type <see cref="NormalizationInfo"/> or
    /// <see cref="WeightTransformInfo"/>. Again, it does nothing.
    /// </summary>
    /// <exception cref="ArgumentException">A name is known already, or given to two; or an example makes no layer of
    /// that name and of the class that carries it. None was registered.</exception>
    [RequiresUnreferencedCode("The assembly's classes are found by reflection: a program that is trimmed keeps them "
        + "with TrimmerRootAssembly.")]
    public static void Register(Assembly assembly)
    {
        lock (Registering)
        {
            var all = Catalogue.With(assembly, Check);
            WeightTransforms.Register(assembly);   // what is refused here leaves both as they were
            Catalogue.All = all;
        }
    }

    private static void Check(Type carrier, NormalizationInfo info, NormalizationInfo[] known)
    {
        foreach (var example in info.Examples)
            Catalogue<NormalizationInfo>.CheckExample("normalization", example, Find(example, known) is not null, () =>
            {
                var made = info.Parse(example)?.Invoke(NormalizationInfo.Channels);
                return (made, made?.Variant);
            }, carrier);
    }

    /// <summary>Whether <see cref="Parse"/> knows a name.</summary>
    public static bool IsKnown(string name) => Find(name) is not null;

    /// <summary>
    /// The function that makes a normalization for a number of channels, by its name; for <c>none</c>, one that makes
    /// layers that do nothing.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such normalization.</exception>
    public static Func<int, Normalization> Parse(string name) =>
        Find(name) ?? throw new ArgumentException(Unknown(name));

    /// <summary>The entry that a name belongs to; null for one that is unknown.</summary>
    internal static NormalizationInfo? Of(string name) => All.FirstOrDefault(info => info.Parse(name) is not null);

    internal static string Unknown(string name) =>
        $"there is no normalization '{name}'. Known are: {string.Join("; ", All.Select(info => info.Usage))}.";

    /// <summary>
    /// The name that makes a normalization equal to this one; for one that no name makes, its type and settings.
    /// </summary>
    internal static string NameOf(Normalization layer) =>
        IsMadeBy(layer.Variant, layer) ? layer.Variant : $"{layer.GetType().Name}({layer.Settings})";

    /// <summary>Whether a name makes a normalization equal to this one; several names can.</summary>
    internal static bool IsMadeBy(string name, Normalization layer)
    {
        try
        {
            return Find(name)?.Invoke(layer.Channels) is { } made && made.GetType() == layer.GetType()
                && made.Settings == layer.Settings && Entries(made).SequenceEqual(Entries(layer));
        }
        catch (ArgumentException)   // it makes none of so many channels
        {
            return false;
        }
    }

    private static IEnumerable<(string, Shape, bool)> Entries(Module layer) =>
        layer.StateEntries.Select(entry => (entry.Name, entry.Parameter.Shape, entry.FileAxes is null));

    /// <summary>The positive whole number behind a prefix, as it is written: without zeros in front.</summary>
    internal static int? Number(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal) && !name.AsSpan(prefix.Length).StartsWith('0')
        && int.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number : null;

    private static Func<int, Normalization>? Find(string name) => Find(name, Catalogue.All);

    private static Func<int, Normalization>? Find(string name, NormalizationInfo[] known) =>
        known.Select(info => info.Parse(name)).FirstOrDefault(make => make is not null);
}
