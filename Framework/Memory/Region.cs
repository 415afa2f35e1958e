namespace Tapegrad.Memory;

/// <summary>
/// A large piece of memory that buffers are cut from. Its free runs are kept in the order of their places, and
/// neighbours joined. A buffer that is forgotten instead of returned gives its run back when the collector finds it.
/// Everything happens under the pool's lock.
/// </summary>
internal sealed class Region
{
    private const int MostIdle = 1024;

    private readonly Buffer memory;
    private readonly PoolPolicy policy;
    private readonly Lock gate;
    private readonly List<(int Start, int Length)> free;
    // cut before, and handed out again in the same place
    private readonly Dictionary<(int Start, int Length), Buffer> idle = [];
    private int lengthFree;

    public Region(Buffer memory, PoolPolicy policy, Lock gate)
    {
        (this.memory, this.policy, this.gate) = (memory, policy, gate);
        lengthFree = memory.Length;
        free = [(0, memory.Length)];
    }

    /// <summary>The elements of the whole region.</summary>
    public int Length => memory.Length;

    /// <summary>Whether no buffer is cut from it.</summary>
    public bool IsWhole => lengthFree == memory.Length;

    /// <summary>What is not cut off now.</summary>
    public long BytesFree => lengthFree * (memory.Bytes / memory.Length);

    /// <summary>
    /// The shortest free run in which a buffer has room: its number, and its length; -1 and int.MaxValue if there is
    /// none.
    /// </summary>
    public (int Run, int Length) Find(int length)
    {
        var (occupied, shortest, found) = (policy.Occupied(length), int.MaxValue, -1);
        for (var run = 0; run < free.Count; run++)
            if (free[run].Length >= occupied && free[run].Length < shortest)
                (found, shortest) = (run, free[run].Length);
        return (found, shortest);
    }

    /// <summary>Cuts a buffer from the start of a run that has room for it.</summary>
    public Buffer Cut(int length, int run)
    {
        var (occupied, (start, whole)) = (policy.Occupied(length), free[run]);
        if (whole == occupied) free.RemoveAt(run);
        else free[run] = (start + occupied, whole - occupied);
        lengthFree -= occupied;
        if (!idle.Remove((start, length), out var buffer))
        {
            buffer = memory.Cut(start, length, occupied);
            buffer.BelongTo(this, start);
        }
        buffer.IsCut = true;
        return buffer;
    }

    /// <summary>Takes back what was cut.</summary>
    public void Return(Buffer buffer)
    {
        Free(buffer);
        if (idle.Count == MostIdle) idle.Clear();
        idle[(buffer.Start, buffer.Length)] = buffer;
        buffer.IsCut = false;
    }

    /// <summary>Takes back what nobody refers to any more.</summary>
    public void ReturnForgotten(Buffer buffer)
    {
        lock (gate)
            if (buffer.IsCut) Free(buffer);
    }

    private void Free(Buffer buffer)
    {
        var (start, length) = (buffer.Start, policy.Occupied(buffer.Length));
        lengthFree += length;
        var index = 0;
        while (index < free.Count && free[index].Start < start) index++;
        if (index < free.Count && start + length == free[index].Start)
        {
            length += free[index].Length;
            free.RemoveAt(index);
        }
        if (index > 0 && free[index - 1] is var before && before.Start + before.Length == start)
            free[index - 1] = (before.Start, before.Length + length);
        else free.Insert(index, (start, length));
    }
}
