namespace Tapegrad.Devices.Cpu;

/// <summary>What is done with some consecutive ones of many like things.</summary>
internal interface IRangeBody
{
    /// <summary>Does it with the things from .. to - 1.</summary>
    void Run(int from, int to);
}

/// <summary>
/// Many like things in consecutive ranges, which the threads share. They are cut by size alone: about <see
/// cref="Threshold"/> / 2 elements each, and one range for what is smaller than the threshold.
/// </summary>
internal readonly struct Ranges
{
    // Below this many elements a verb runs on the calling thread: waking another one would cost more than it brings.
    private const int Threshold = 32768;

    private readonly int count, size;

    /// <summary>So many things, each of which costs as much as so many elements of a sum.</summary>
    public Ranges(int count, long elementsEach)
    {
        this.count = count;
        size = count * elementsEach < Threshold ? count : (int)Math.Clamp(Threshold / 2 / elementsEach, 1, count);
    }

    /// <summary>Calls the body for each range, on any thread.</summary>
    public void Run<TBody>(TBody body) where TBody : struct, IRangeBody
    {
        if (size < count) Share(body);
        else if (count > 0) body.Run(0, count);
    }

    private void Share<TBody>(TBody body) where TBody : struct, IRangeBody =>
        Workers.Run((count - 1) / size + 1, new Range<TBody>(body, count, size));

    private readonly struct Range<TBody>(TBody body, int count, int size) : IItemBody where TBody : struct, IRangeBody
    {
        public void Run(int item) => body.Run(item * size, (int)Math.Min((item + 1L) * size, count));
    }
}

/// <summary>So many elements in ranges of whole vectors; the last vector may reach beyond the last element.</summary>
internal readonly struct VectorRanges
{
    private readonly Ranges ranges;

    public VectorRanges(int length) => ranges = new Ranges((int)((length + Vectors.Lanes - 1L) / Vectors.Lanes), Vectors.Lanes);

    /// <summary>Calls the body for each range of vectors, on any thread.</summary>
    public void Run<TBody>(TBody body) where TBody : struct, IRangeBody => ranges.Run(body);
}
