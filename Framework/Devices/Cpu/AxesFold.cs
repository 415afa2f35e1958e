using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// A fold over some axes, as folds of the middle axis of [outer, length, inner], one after the other
/// (<see cref="MiddleFold{TLanes}"/>): neighbouring axes that are all folded, or all kept, are one. The order is
/// decided by the shape alone.
/// </summary>
internal static unsafe class AxesFold<TLanes> where TLanes : struct, ILanes<TLanes>
{
    // A run of neighbouring axes that are all folded, or all kept.
    private readonly record struct Part(bool IsFolded, int Length);

    public static void Run<TFold>(BufferPool pool, TFold fold, float* x, ReadOnlySpan<int> shape,
        ReadOnlySpan<int> axes, float* y) where TFold : struct, IFold
    {
        Span<Part> parts = stackalloc Part[shape.Length];
        parts = parts[..FindParts(shape, axes, parts)];
        // The longest part first: it leaves the least work for the others.
        var at = LongestFolded(parts);
        if (at < 0) StridedCopy.CopyRow(x, 1, y, 1, Product(parts));
        HostBuffer<float>? before = null;
        while (at >= 0)
        {
            var (outer, length, inner) = (Product(parts[..at]), parts[at].Length, Product(parts[(at + 1)..]));
            parts[at] = new Part(IsFolded: false, 1);
            at = LongestFolded(parts);
            var result = at < 0 ? null : (HostBuffer<float>)pool.Rent(outer * inner);
            new MiddleFold<TLanes>(outer, length, inner).Run(pool, fold, x, result is null ? y : result.Pointer);
            if (before is not null) pool.Return(before);
            before = result;
            if (result is not null) x = result.Pointer;
        }
    }

    // Returns how many there are.
    private static int FindParts(ReadOnlySpan<int> shape, ReadOnlySpan<int> axes, Span<Part> parts)
    {
        var count = 0;
        for (var axis = 0; axis < shape.Length; axis++)
        {
            if (shape[axis] == 1) continue;
            var isFolded = axes.Contains(axis);
            if (count == 0 || parts[count - 1].IsFolded != isFolded) parts[count++] = new Part(isFolded, 1);
            parts[count - 1] = new Part(isFolded, parts[count - 1].Length * shape[axis]);
        }
        return count;
    }

    // The first of the longest; -1 when none is left.
    private static int LongestFolded(ReadOnlySpan<Part> parts)
    {
        var longest = -1;
        for (var i = 0; i < parts.Length; i++)
            if (parts[i].IsFolded && (longest < 0 || parts[i].Length > parts[longest].Length)) longest = i;
        return longest;
    }

    private static int Product(ReadOnlySpan<Part> parts)
    {
        var product = 1;
        foreach (var part in parts) product *= part.Length;
        return product;
    }
}
