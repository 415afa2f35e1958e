namespace Tapegrad;

/// <summary>
/// A collection that a step of this thread has grown and emptied, for the next step, which will need as much. Equal steps then grow nothing, and
/// leave no lists behind for the collector.
/// </summary>
internal static class Spare<T> where T : class, new()
{
    [ThreadStatic] private static T? kept;

    /// <summary>The collection that was given to <see cref="Keep"/> last, or a new one.</summary>
    public static T Take()
    {
        var taken = kept ?? new T();
        kept = null;
        return taken;
    }

    /// <summary>Keeps an empty collection, which the caller does not touch any more.</summary>
    public static void Keep(T emptied) => kept = emptied;
}
