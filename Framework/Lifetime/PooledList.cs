using System.Buffers;

namespace Tapegrad;

/// <summary>
/// A list whose array is rented from the runtime's pool and goes back there when it is disposed. A training step fills
/// the same lists as the one before it, so they leave nothing behind for the collector.
/// </summary>
internal sealed class PooledList<T> : IDisposable
{
    private T[] array = [];

    public PooledList() { }

    /// <summary>So many defaults.</summary>
    public PooledList(int count)
    {
        array = ArrayPool<T>.Shared.Rent(count);
        array.AsSpan(0, count).Clear();   // others may leave behind what they had in it
        Count = count;
    }

    public int Count { get; private set; }

    public Span<T> Items => array.AsSpan(0, Count);

    public ref T this[int index] => ref Items[index];

    public void Add(T item)
    {
        if (Count == array.Length)
        {
            var longer = ArrayPool<T>.Shared.Rent(Math.Max(64, 2 * Count));
            Items.CopyTo(longer);
            GiveBack();
            array = longer;
        }
        array[Count++] = item;
    }

    public void Clear()
    {
        array.AsSpan(0, Count).Clear();   // the collector may have what they referred to
        Count = 0;
    }

    public void Dispose()
    {
        Clear();
        GiveBack();
        array = [];
    }

    private void GiveBack()
    {
        array.AsSpan(0, Count).Clear();
        if (array.Length > 0) ArrayPool<T>.Shared.Return(array);
    }
}
