namespace Tapegrad.Datasets;

/// <summary>
/// Prepares what a loop will ask for next, in the background, while the loop works on what it has.
/// </summary>
/// <remarks>
/// There are as many items under way as there are slots, and each slot is filled again when the loop has moved past it:
/// memory is bounded and used again. Every item is a task of its own on the thread pool, so nothing waits in the
/// background between two items: an enumerator that is forgotten without being disposed holds neither a thread nor
/// memory.
/// </remarks>
internal static class Prefetch
{
    /// <summary>Fills a slot for each item, in order. A slot is the caller's until it asks for the next one.</summary>
    /// <param name="items">Read on the caller's thread.</param>
    /// <param name="slots">Where results are written.</param>
    /// <param name="fill">Runs in the background, for several items at once. What it throws is thrown to the caller at
    /// that item.</param>
    public static IEnumerable<(TItem Item, TSlot Slot)> Run<TItem, TSlot>(IEnumerable<TItem> items, TSlot[] slots,
        Action<TItem, TSlot> fill)
    {
        using var coming = items.GetEnumerator();
        var pending = new Queue<(TItem Item, TSlot Slot, Task Task)>();

        void Start(TSlot slot)
        {
            if (!coming.MoveNext()) return;
            var item = coming.Current;
            pending.Enqueue((item, slot, Task.Run(() => fill(item, slot))));
        }

        try
        {
            foreach (var slot in slots) Start(slot);
            while (pending.TryPeek(out var first))
            {
                first.Task.GetAwaiter().GetResult();
                pending.Dequeue();
                yield return (first.Item, first.Slot);
                Start(first.Slot);
            }
        }
        finally
        {
            // The loop has ended, perhaps early: whatever is still being prepared ends before the caller goes on.
            try
            {
                Task.WaitAll([.. pending.Select(entry => entry.Task)]);
            }
            catch (AggregateException)
            {
                // Either it is on its way to the caller already, or it belongs to an item that nobody asked for.
            }
        }
    }
}
