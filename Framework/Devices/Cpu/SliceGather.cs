namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Slices picked along an axis: y[o, i, :] = x[o, indices[i], :]. A slice is one contiguous run; the threads share
/// those that are written.
/// </summary>
internal readonly unsafe struct SliceGather(GatherGeometry geometry)
{
    private readonly Ranges ranges = new(geometry.Outer * geometry.Indices.Length, geometry.Inner);   // of y's slices

    public void Run(float* x, float* y) => ranges.Run(new Slices(geometry, x, y));

    private readonly struct Slices(GatherGeometry geometry, float* x, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            var (indices, inner) = (geometry.Indices, geometry.Inner);
            for (var slice = from; slice < to; slice++)
            {
                var (outer, i) = Math.DivRem(slice, indices.Length);
                var source = x + ((long)outer * geometry.Length + indices[i]) * inner;
                new Span<float>(source, inner).CopyTo(new Span<float>(y + (long)slice * inner, inner));
            }
        }
    }
}
