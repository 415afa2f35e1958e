using System.Diagnostics.CodeAnalysis;
using System.Reflection;

namespace Tapegrad.Layers;

/// <summary>
/// What can be found by name: classes carry their own entry, in a public static property, so that no list has to be
/// kept.
/// </summary>
/// <typeparam name="TInfo">The entry's type.</typeparam>
internal sealed class Catalogue<TInfo> where TInfo : class
{
    private const string Kept =
        "ILLink.Descriptors.xml keeps all of this assembly; who registers another one is told to keep that.";

    /// <summary>Those of this library in the order of their classes' names, then those that were added.</summary>
    public TInfo[] All { get; set; } = [.. InfosOf(typeof(Module).Assembly).Select(found => found.Info)];

    /// <summary>All, and behind them those of another assembly that are not among them yet.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <param name="check">Throws at one that cannot be added to others; it is told which class carries it.</param>
    public TInfo[] With(Assembly assembly, Action<Type, TInfo, TInfo[]> check)
    {
        var all = All;
        foreach (var (carrier, info) in InfosOf(assembly))
        {
            if (all.Contains(info)) continue;
            check(carrier, info, all);
            all = [.. all, info];
        }
        return all;
    }

    /// <summary>A name that others can be made of, as in <c>layer1=batch,*=group:8+ws</c>.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static void CheckName(string name)
    {
        if (name == "" || name.AsSpan().IndexOfAny(",=+ ") >= 0)
            throw new ArgumentException($"the name '{name}' is empty, or contains one of ',=+ '.");
    }

    /// <summary>Whether an entry's example is found by its name, and is what the entry's class promises.</summary>
    /// <param name="kind">What it is a name of, for the message.</param>
    /// <param name="example">The name.</param>
    /// <param name="isKnown">Whether it is another's already.</param>
    /// <param name="make">What it makes, and the name that this has; null for nothing.</param>
    /// <param name="carrier">The class with the entry; one that is a layer itself carries its own.</param>
    /// <exception cref="ArgumentException">It is not.</exception>
    public static void CheckExample<TLayer>(string kind, string example, bool isKnown,
        Func<(TLayer? Layer, string? Name)> make, Type carrier) where TLayer : Module
    {
        CheckName(example);
        if (isKnown) throw new ArgumentException($"there is a {kind} '{example}' already.");
        var (layer, name) = make();
        if (layer is null || name != example)
            throw new ArgumentException($"the example '{example}' in {carrier.Name} makes no layer whose Variant is "
                + "this name.");
        if (carrier.IsAssignableTo(typeof(TLayer)) && !carrier.IsInstanceOfType(layer))
            throw new ArgumentException($"the example '{example}' in {carrier.Name} makes a {layer.GetType().Name}. "
                + "Each class carries its own.");
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Kept)]
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = Kept)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Kept)]
    private static IEnumerable<(Type Carrier, TInfo Info)> InfosOf(Assembly assembly) =>
        from type in assembly.GetTypes().OrderBy(type => type.FullName, StringComparer.Ordinal)
        where !type.ContainsGenericParameters
        from property in type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly)
        where property.PropertyType == typeof(TInfo)
        select (type, (TInfo)property.GetValue(null)!);
}
