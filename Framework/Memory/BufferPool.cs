namespace Tapegrad.Memory;

/// <summary>
/// Memory that waits to be used again. A training step asks for the same lengths in the same order every time, so after
/// the first steps nothing new is made. Thread-safe.
/// </summary>
/// <remarks>
/// Short buffers wait on shelves of exactly equal length. Long ones are cut from a few large regions and joined with
/// their neighbours when they come back: what many small activations occupied serves a large gradient later in the same
/// step. When the device has no more memory, all that waits is given up and the collector asked to find what was
/// forgotten; then it is tried once more. Written here because the runtime's pools hand out arrays of powers of two, on
/// no boundary, and know one kind of memory.
/// </remarks>
public sealed class BufferPool
{
    private const int LeastCut = 1 << 14;      // elements; shorter buffers would only make holes
    private const int LeastRegion = 1 << 22;
    private const int AmpleRegion = 1 << 25;   // the least where much may wait

    private readonly Lock gate = new();
    private readonly Dictionary<int, Stack<Buffer>> shelves = [];
    private readonly List<Region> regions = [];
    private readonly Func<int, Buffer> create;
    private readonly PoolPolicy policy;
    private long bytesOnShelves;

    internal BufferPool(Func<int, Buffer> create, PoolPolicy? policy = null)
    {
        (this.create, this.policy) = (create, policy ?? PoolPolicy.OfThisProcess);
        BytesLimit = this.policy.BytesLimit;
    }

    /// <summary>
    /// The most bytes that wait; what comes back beyond that is left to the collector, a region when no buffer is cut
    /// from it any more. The device's <see cref="PoolPolicy"/> says how many at first.
    /// </summary>
    public long BytesLimit { get; set; }

    /// <summary>Bytes that wait now.</summary>
    public long BytesWaiting
    {
        get
        {
            lock (gate) return CountBytes();
        }
    }

    /// <summary>How many pieces of memory were newly made: buffers and regions.</summary>
    public long Created { get; private set; }

    /// <summary>How many requests were answered from what was there.</summary>
    public long Reused { get; private set; }

    /// <summary>
    /// What is done with every buffer before it is handed out; tests fill it with NaN, so that nobody lives on what was
    /// there.
    /// </summary>
    internal Action<Buffer>? Renting { get; set; }

    /// <summary>
    /// A buffer of exactly <paramref name="length"/> elements. Its contents are whatever was there before.
    /// </summary>
    public Buffer Rent(int length)
    {
        var buffer = length >= LeastCut ? RentLong(length) : RentShort(length);
        Renting?.Invoke(buffer);
        return buffer;
    }

    private Buffer RentShort(int length)
    {
        lock (gate)
        {
            if (shelves.TryGetValue(length, out var shelf) && shelf.TryPop(out var buffer))
            {
                Reused++;
                bytesOnShelves -= buffer.Bytes;
                return buffer;
            }
            Created++;
        }
        return Create(length);
    }

    // Outside of the lock: finalizers give back what was forgotten.
    private Buffer Create(int length)
    {
        try
        {
            return create(length);
        }
        catch (OutOfMemoryException)
        {
            MakeRoom();
            return create(length);
        }
    }

    private void MakeRoom()
    {
        Clear();
        GC.Collect();
        GC.WaitForPendingFinalizers();   // they give back what they find, and free what nobody holds
        Clear();
    }

    /// <summary>A new buffer that nobody will return: the collector takes it.</summary>
    internal Buffer CreateUnpooled(int length)
    {
        lock (gate) Created++;
        return Create(length);
    }

    /// <summary>Takes a buffer back: nobody may use it any more.</summary>
    public void Return(Buffer buffer)
    {
        lock (gate)
        {
            if (buffer.Region is { } region)
            {
                region.Return(buffer);
                if (CountBytes() > BytesLimit) regions.RemoveAll(other => other.IsWhole);
                return;
            }
            if (CountBytes() + buffer.Bytes > BytesLimit) return;
            if (!shelves.TryGetValue(buffer.Length, out var shelf))
                shelves[buffer.Length] = shelf = new Stack<Buffer>();
            shelf.Push(buffer);
            bytesOnShelves += buffer.Bytes;
        }
    }

    /// <summary>
    /// Forgets all that waits, but for the regions that buffers are still cut from; the collector takes the memory.
    /// </summary>
    public void Clear()
    {
        lock (gate)
        {
            shelves.Clear();
            bytesOnShelves = 0;
            regions.RemoveAll(region => region.IsWhole);
        }
    }

    private Buffer RentLong(int length)
    {
        bool isFirst;
        lock (gate)
        {
            if (CutFromRegions(length) is { } buffer) return buffer;
            isFirst = regions.Count == 0;
        }
        if (!isFirst)
        {
            // The collector sees small objects only, not what was cut for them. Before more memory is taken, it may
            // find some that were forgotten.
            GC.Collect();
            GC.WaitForPendingFinalizers();   // outside of the lock: they give back what they find
        }
        try
        {
            lock (gate) return CutFromRegions(length) ?? CutFromNewRegion(length);
        }
        catch (OutOfMemoryException)
        {
            MakeRoom();
            lock (gate) return CutFromRegions(length) ?? CutFromNewRegion(length, isSmall: true);
        }
    }

    // From the shortest run that is long enough, so that long ones stay whole.
    private Buffer? CutFromRegions(int length)
    {
        Region? best = null;
        var (run, shortest) = (-1, int.MaxValue);
        foreach (var region in regions)
            if (region.Find(length) is var found && found.Length < shortest)
                (best, run, shortest) = (region, found.Run, found.Length);
        if (best is null) return null;
        Reused++;
        return best.Cut(length, run);
    }

    // With room for more buffers, unless memory is scarce. What nobody has touched takes no memory, while the ends of
    // many small regions, too short for a large buffer, do.
    private Buffer CutFromNewRegion(int length, bool isSmall = false)
    {
        var total = regions.Sum(region => (long)region.Length);
        var least = Math.Clamp(BytesLimit / 64, LeastRegion, AmpleRegion);   // of floats, a sixteenth
        var room = isSmall ? 0 : Math.Clamp(total / 2, least, 1 << 28);
        var memory = create((int)Math.Max(policy.Occupied(length), room));
        Created++;
        regions.Add(new Region(memory, policy, gate));
        return regions[^1].Cut(length, run: 0);
    }

    private long CountBytes()
    {
        var bytes = bytesOnShelves;
        foreach (var region in regions) bytes += region.BytesFree;
        return bytes;
    }
}
