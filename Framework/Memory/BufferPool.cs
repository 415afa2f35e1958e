namespace Tapegrad.Memory;

/// <summary>
/// Buffers that wait to be used again, on shelves of exactly equal length. A training step asks for the same lengths every time, so after
/// the first steps nothing new is made. Thread-safe.
/// </summary>
public sealed class BufferPool
{
    private readonly Lock gate = new();
    private readonly Dictionary<int, Stack<Buffer>> shelves = [];
    private readonly Func<int, Buffer> create;

    internal BufferPool(Func<int, Buffer> create)
    {
        this.create = create;
        BytesLimit = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2;
    }

    /// <summary>The most bytes that wait on the shelves; what comes back beyond that is left to the collector. Half the memory by default.</summary>
    public long BytesLimit { get; set; }

    /// <summary>Bytes that wait on the shelves now.</summary>
    public long BytesWaiting { get; private set; }

    /// <summary>How many buffers were newly made.</summary>
    public long Created { get; private set; }

    /// <summary>How many requests were answered from a shelf.</summary>
    public long Reused { get; private set; }

    /// <summary>A buffer of exactly <paramref name="length"/> elements. Its contents are whatever was there before.</summary>
    public Buffer Rent(int length)
    {
        lock (gate)
        {
            if (shelves.TryGetValue(length, out var shelf) && shelf.TryPop(out var buffer))
            {
                Reused++;
                BytesWaiting -= buffer.Bytes;
                return buffer;
            }
            Created++;
        }
        return create(length);
    }

    /// <summary>A new buffer that nobody will return: the collector takes it.</summary>
    internal Buffer CreateUnpooled(int length)
    {
        lock (gate) Created++;
        return create(length);
    }

    /// <summary>Takes a buffer back and raises its stamp: tensors that still point to it refuse to be read.</summary>
    public void Return(Buffer buffer)
    {
        buffer.Invalidate(BufferChange.Returned);
        buffer.Owner = 0;
        lock (gate)
        {
            if (BytesWaiting + buffer.Bytes > BytesLimit) return;
            if (!shelves.TryGetValue(buffer.Length, out var shelf)) shelves[buffer.Length] = shelf = new Stack<Buffer>();
            shelf.Push(buffer);
            BytesWaiting += buffer.Bytes;
        }
    }

    /// <summary>Forgets every waiting buffer; the collector takes the memory.</summary>
    public void Clear()
    {
        lock (gate)
        {
            shelves.Clear();
            BytesWaiting = 0;
        }
    }
}
