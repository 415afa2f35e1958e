namespace Tapegrad;

/// <summary>
/// The path of the layer that this thread is applying, for instance <c>layer1.0.conv1</c>: records on the tape carry
/// it, and errors name it.
/// </summary>
/// <remarks>Immutable; each thread has a current one of its own.</remarks>
public sealed class LayerContext : IDisposable
{
    [ThreadStatic] private static LayerContext? current;

    private readonly LayerContext? parent;
    private readonly string name;

    private LayerContext(LayerContext? parent, string name)
    {
        this.parent = parent;
        this.name = name;
    }

    /// <summary>The innermost layer now; null outside any layer.</summary>
    public static LayerContext? Current { get => current; internal set => current = value; }

    internal static string Suffix =>
        current is { } layer && layer.ToString() is { Length: > 0 } path ? $" (in layer {path})" : "";

    /// <summary>Enters a layer; disposing the result leaves it.</summary>
    /// <param name="name">The layer's name in the one around it.</param>
    /// <param name="before">What entering it gave the last time: the result again, if it is the same layer of the same
    /// one.</param>
    public static LayerContext Enter(string name, LayerContext? before = null) =>
        current = before is not null && before.parent == current && before.name == name ? before
        : new LayerContext(current, name);

    /// <summary>Leaves the layer.</summary>
    public void Dispose() => current = parent;

    /// <summary>The names from the outermost layer to this one, joined by dots; unnamed ones are passed over.</summary>
    public override string ToString() => (parent?.ToString(), name) switch
    {
        (null or "", _) => name,
        (var path, "") => path,
        var (path, last) => $"{path}.{last}",
    };
}
