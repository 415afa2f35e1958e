namespace Tapegrad.Memory;

/// <summary>How a device wants its memory kept.</summary>
/// <param name="BytesLimit">The most bytes that wait in the pool; what comes back beyond that is given up.</param>
/// <param name="Alignment">Elements: every buffer that is cut from a larger piece begins at a multiple of so
/// many.</param>
/// <param name="Slack">Elements behind every such buffer that a kernel's last vector may read and write.</param>
public sealed record PoolPolicy(long BytesLimit, int Alignment = 16, int Slack = 32)
{
    /// <summary>For memory of this process: half of it may wait.</summary>
    public static PoolPolicy OfThisProcess => new(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2);

    /// <summary>The elements that a buffer of this length takes up, in whole steps of the alignment.</summary>
    internal int Occupied(int length) => checked((length + Slack + Alignment - 1) / Alignment * Alignment);
}
