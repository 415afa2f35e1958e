using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Slices picked along an axis, and their sums. A slice is one contiguous run. Threads share what is written: picked slices going there, parts of
// slices coming back, so that each element adds up on one thread, in the order of the indices.
public sealed unsafe partial class CpuDevice
{
    private const int SlicePart = 256;   // elements

    /// <inheritdoc/>
    public override void Gather(GatherGeometry geometry, Buffer x, Buffer y)
    {
        InRanges(geometry.Outer * geometry.Indices.Length, geometry.Inner, new PickingSlices(geometry, Pointer(x), Pointer(y)));
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    /// <inheritdoc/>
    public override void AddGathered(GatherGeometry geometry, Buffer y, Buffer x)
    {
        var parts = (geometry.Inner + SlicePart - 1) / SlicePart;
        var each = (long)(geometry.Length + geometry.Indices.Length) * Math.Min(geometry.Inner, SlicePart);
        InRanges(geometry.Outer * parts, each, new AddingSlices(geometry, parts, Pointer(y), Pointer(x)));
        GC.KeepAlive(y);
        GC.KeepAlive(x);
    }

    private readonly struct PickingSlices(GatherGeometry geometry, float* x, float* y) : IRangeBody
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

    private readonly struct AddingSlices(GatherGeometry geometry, int parts, float* y, float* x) : IRangeBody
    {
        public void Run(int from, int to)
        {
            var (indices, inner) = (geometry.Indices, geometry.Inner);
            for (var item = from; item < to; item++)
            {
                var (outer, part) = Math.DivRem(item, parts);
                var (start, length) = (part * SlicePart, Math.Min(SlicePart, inner - part * SlicePart));
                var sums = x + (long)outer * geometry.Length * inner + start;
                for (var slice = 0; slice < geometry.Length; slice++) new Span<float>(sums + (long)slice * inner, length).Clear();
                var source = y + (long)outer * indices.Length * inner + start;
                for (var i = 0; i < indices.Length; i++, source += inner)
                {
                    var sum = sums + (long)indices[i] * inner;
                    for (var element = 0; element < length; element++) sum[element] += source[element];
                }
            }
        }
    }
}
