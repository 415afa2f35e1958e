namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The adjoint of <see cref="SliceGather"/>: x[o, j, :] is the sum of all y[o, i, :] with indices[i] = j. The threads
/// share parts of slices, so that each element adds up on one thread, in the order of the indices.
/// </summary>
internal readonly unsafe struct SliceAddition
{
    private const int PartElements = 256;

    private readonly GatherGeometry geometry;
    private readonly Blocks parts;     // of a slice
    private readonly Ranges ranges;    // of parts, for all of the outer axis

    public SliceAddition(GatherGeometry geometry)
    {
        this.geometry = geometry;
        parts = new Blocks(geometry.Inner, PartElements);
        var slices = (long)geometry.Length + geometry.Indices.Length;
        ranges = new Ranges(geometry.Outer * parts.Count, slices * Math.Min(geometry.Inner, PartElements));
    }

    public void Run(float* y, float* x) => ranges.Run(new Parts(this, y, x));

    private readonly struct Parts(SliceAddition addition, float* y, float* x) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++) addition.AddPart(item, y, x);
        }
    }

    private void AddPart(int item, float* y, float* x)
    {
        var (indices, inner) = (geometry.Indices, geometry.Inner);
        var (outer, part) = Math.DivRem(item, parts.Count);
        var (start, length) = (parts.From(part), parts.SizeOf(part));
        var sums = x + (long)outer * geometry.Length * inner + start;
        for (var slice = 0; slice < geometry.Length; slice++)
            new Span<float>(sums + (long)slice * inner, length).Clear();
        var source = y + (long)outer * indices.Length * inner + start;
        for (var i = 0; i < indices.Length; i++, source += inner)
        {
            var sum = sums + (long)indices[i] * inner;
            for (var element = 0; element < length; element++) sum[element] += source[element];
        }
    }
}
