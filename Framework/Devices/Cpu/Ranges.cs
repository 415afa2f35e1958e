using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>What is done with some consecutive ones of many like things.</summary>
internal interface IRangeBody
{
    /// <summary>Does it with the things from .. to - 1.</summary>
    void Run(int from, int to);
}

/// <summary>
/// Many like things in consecutive ranges, which the threads share. They are cut by size alone: about
/// <see cref="Threshold"/> / 2 elements each, and one range for what is smaller than the threshold.
/// </summary>
internal readonly struct Ranges
{
    // Below this many elements a verb runs on the calling thread: waking another one would cost more than it brings.
    private const int Threshold = 32768;

    private readonly Clamped size;   // where there are several
    private readonly Blocks ranges;

    /// <summary>So many things, each of which costs as much as so many elements of a sum.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Ranges(int count, long elementsEach)
    {
        if (count * elementsEach < Threshold) ranges = new Blocks(count, Math.Max(1, count));
        else
        {
            size = new Clamped(Threshold / 2 / elementsEach, 1, count);
            ranges = new Blocks(count, size.Value);
        }
    }

    /// <summary>Calls the body for each range, on any thread.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run<TBody>(TBody body) where TBody : struct, IRangeBody
    {
        if (ranges.Size < ranges.Length) Share(this, body);
        else if (ranges.Length > 0) body.Run(0, ranges.Length);
    }

    // Apart, so that the way without threads is short.
    private static void Share<TBody>(Ranges all, TBody body) where TBody : struct, IRangeBody =>
        Workers.Run(all.ranges.Count, new Range<TBody>(all, body));

    private readonly struct Range<TBody>(Ranges all, TBody body) : IItemBody where TBody : struct, IRangeBody
    {
        public void Run(int item)
        {
            var from = all.ranges.From(item);
            body.Run(from, from + all.ranges.SizeOf(item));
        }
    }
}

/// <summary>So many elements in ranges of whole vectors; the last vector may reach beyond the last element.</summary>
internal readonly struct VectorRanges
{
    private readonly Blocks vectors;
    private readonly Ranges ranges;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public VectorRanges(int length, int lanes)
    {
        vectors = new Blocks(length, lanes);
        ranges = new Ranges(vectors.Count, lanes);
    }

    /// <summary>Calls the body for each range of vectors, on any thread.</summary>
    public void Run<TBody>(TBody body) where TBody : struct, IRangeBody => ranges.Run(body);
}
