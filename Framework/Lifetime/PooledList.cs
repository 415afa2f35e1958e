using System.Buffers;

namespace Tapegrad;

/// <summary>
/// A list whose array is rented from the runtime's pool and goes back there when it is disposed. A training step fills
/// the same lists as the one before it, so they leave nothing behind for the collector.
/// </summary>
internal sealed class PooledList<T> : IDisposable
{
    private T[] array = [];

    public int Count { get; private set; }

    public ReadOnlySpan<T> Items => array.AsSpan(0, Count);

    public T this[int index] => Items[index];

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
