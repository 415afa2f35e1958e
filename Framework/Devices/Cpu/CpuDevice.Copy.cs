using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Strided copies: permute, broadcast, slice, pad, concatenate. Rows that are contiguous on both sides are copied as memory, rows that repeat one
// element are filled; anything else goes element by element.
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to)
    {
        if (extent.Count == 0) return;
        var walks = new MergedWalk(extent, from.Strides, to.Strides);
        InRanges(walks.Rows, walks.Length, new CopyingRows(walks, Pointer(source) + from.Offset, Pointer(target) + to.Offset));
        GC.KeepAlive(source);
        GC.KeepAlive(target);
    }

    private readonly struct CopyingRows(MergedWalk walks, float* source, float* target) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var row = from; row < to; row++)
            {
                var (placeFrom, placeTo) = walks.Row(row);
                CopyRow(source + placeFrom, walks.Inner.A, target + placeTo, walks.Inner.B, walks.Length);
            }
        }
    }

    // for (i = 0; i < length; i++) target[i * strideTo] = source[i * strideFrom];
    private static void CopyRow(float* source, int strideFrom, float* target, int strideTo, int length)
    {
        if (strideFrom == 1 && strideTo == 1) new Span<float>(source, length).CopyTo(new Span<float>(target, length));
        else if (strideFrom == 0 && strideTo == 1) new Span<float>(target, length).Fill(*source);
        else
            for (; length > 0; length--, source += strideFrom, target += strideTo) *target = *source;
    }
}
