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

    private readonly Lock adding = new();

    /// <summary>Those of this library in the order of their classes' names, then those that were added.</summary>
    public TInfo[] All { get; private set; } = [.. InfosOf(typeof(Module).Assembly)];

    /// <summary>Adds those of another assembly that are not in it yet.</summary>
    /// <param name="assembly">The assembly.</param>
    /// <param name="check">Throws at one that cannot be added.</param>
    public void Add(Assembly assembly, Action<TInfo> check)
    {
        lock (adding)
        {
            TInfo[] added = [.. InfosOf(assembly).Except(All)];
            foreach (var info in added) check(info);
            All = [.. All, .. added];
        }
    }

    /// <summary>A name that others can be made of, as in <c>layer1=batch,*=group:8+ws</c>.</summary>
    /// <exception cref="ArgumentException">It is none.</exception>
    public static void CheckName(string name)
    {
        if (name == "" || name.AsSpan().IndexOfAny(",=+ ") >= 0)
            throw new ArgumentException($"the name '{name}' is empty, or contains one of ',=+ '.");
    }

    [UnconditionalSuppressMessage("Trimming", "IL2026", Justification = Kept)]
    [UnconditionalSuppressMessage("Trimming", "IL2070", Justification = Kept)]
    [UnconditionalSuppressMessage("Trimming", "IL2075", Justification = Kept)]
    private static IEnumerable<TInfo> InfosOf(Assembly assembly) =>
        from type in assembly.GetTypes().OrderBy(type => type.FullName, StringComparer.Ordinal)
        where !type.ContainsGenericParameters
        from property in type.GetProperties(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly)
        where property.PropertyType == typeof(TInfo)
        select (TInfo)property.GetValue(null)!;
}
