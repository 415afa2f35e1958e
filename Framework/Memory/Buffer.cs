namespace Tapegrad.Memory;

/// <summary>
/// A run of numbers on a device. Operations never look inside: only the device that made a buffer can.
/// </summary>
/// <remarks>A buffer belongs to one thread at a time; the pool it returns to may be shared.</remarks>
public abstract class Buffer
{
    /// <summary>
    /// Makes a buffer of <paramref name="length"/> elements that occupies <paramref name="bytes"/> bytes.
    /// </summary>
    protected Buffer(int length, long bytes)
    {
        Length = length;
        Bytes = bytes;
        GC.SuppressFinalize(this);   // see BelongTo
    }

    /// <summary>
    /// Gives the memory back to the region that it was cut from, when nobody refers to the buffer any more.
    /// </summary>
    ~Buffer() => Region?.ReturnForgotten(this);

    /// <summary>The number of elements.</summary>
    public int Length { get; }

    /// <summary>The memory held, padding included.</summary>
    public long Bytes { get; }

    /// <summary>Where this buffer was cut from; null if it has memory of its own.</summary>
    internal Region? Region { get; private set; }

    /// <summary>Its first element in the region.</summary>
    internal int Start { get; private set; }

    /// <summary>Whether it occupies its place in the region; false while it waits to be handed out again.</summary>
    internal bool IsCut { get; set; }

    /// <summary>
    /// A buffer of <paramref name="length"/> elements over a run of this one's memory, which starts where the device's
    /// <see cref="PoolPolicy"/> says that buffers may, and is <paramref name="occupied"/> elements long, its slack
    /// included.
    /// </summary>
    protected internal abstract Buffer Cut(int start, int length, int occupied);

    /// <summary>Says where it was cut from: its place goes back there when nobody refers to it any more.</summary>
    internal void BelongTo(Region region, int start)
    {
        (Region, Start) = (region, start);
        GC.ReRegisterForFinalize(this);
    }
}
