namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Strided copies: permute, broadcast, slice, pad, concatenate. Rows that are contiguous on both sides are copied as
/// memory, rows that repeat one element are filled; anything else goes element by element.
/// </summary>
internal readonly unsafe struct StridedCopy
{
    private readonly MergedWalk walks;
    private readonly Ranges ranges;   // of rows

    public StridedCopy(Shape extent, ReadOnlySpan<int> from, ReadOnlySpan<int> to)
    {
        walks = new MergedWalk(extent, from, to);
        ranges = new Ranges(walks.Rows, walks.Length);
    }

    public void Run(float* source, float* target)
    {
        fixed (MergedWalk* walk = &walks) ranges.Run(new Rows(walk, source, target));   // where it is: it is large
    }

    private readonly struct Rows(MergedWalk* walks, float* source, float* target) : IRangeBody
    {
        public void Run(int from, int to)
        {
            var at = new MergedWalk.Places(walks, from);
            for (var row = from; row < to; row++, at.MoveNext())
                CopyRow(source + at.A, walks->Inner.A, target + at.B, walks->Inner.B, walks->Length);
        }
    }

    /// <summary>for (i = 0; i &lt; length; i++) target[i * strideTo] = source[i * strideFrom];</summary>
    public static void CopyRow(float* source, int strideFrom, float* target, int strideTo, int length)
    {
        if (strideFrom == 1 && strideTo == 1) new Span<float>(source, length).CopyTo(new Span<float>(target, length));
        else if (strideFrom == 0 && strideTo == 1) new Span<float>(target, length).Fill(*source);
        else
            for (; length > 0; length--, source += strideFrom, target += strideTo) *target = *source;
    }
}
