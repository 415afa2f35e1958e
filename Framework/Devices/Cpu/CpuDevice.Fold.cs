using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Folds over axes, in an order that the shape alone decides: blocks of elements, or of rows, are folded each for itself, then the results of the
// blocks are folded in the same way. This also keeps long sums accurate: the error grows with the depth of the tree.
public sealed unsafe partial class CpuDevice
{
    private const int ElementBlock = 1024;
    private const int RowBlock = 64;
    private const int TileColumns = 512;

    /// <inheritdoc/>
    public override void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
    {
        if (shape.Count == 0)
        {
            Fill(y, fold.Neutral);
            return;
        }
        Span<Part> parts = stackalloc Part[shape.Rank];
        parts = parts[..FindParts(shape, axes, parts)];
        // The longest part first: it leaves the least work for the others.
        var (current, at) = (x, LongestFolded(parts));
        if (at < 0) CopyRow(Pointer(x), 1, Pointer(y), 1, y.Length);
        while (at >= 0)
        {
            var (outer, length, inner) = (Product(parts[..at]), parts[at].Length, Product(parts[(at + 1)..]));
            parts[at] = new Part(IsFolded: false, 1);
            at = LongestFolded(parts);
            var result = at < 0 ? y : Pool.Rent(outer * inner);
            FoldMiddle(fold, current, outer, length, inner, result);
            if (current != x) Pool.Return(current);
            current = result;
        }
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    // A run of neighbouring axes that are all folded, or all kept.
    private readonly record struct Part(bool IsFolded, int Length);

    // Returns how many there are.
    private static int FindParts(Shape shape, ReadOnlySpan<int> axes, Span<Part> parts)
    {
        var count = 0;
        for (var axis = 0; axis < shape.Rank; axis++)
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

    // y [outer, inner] from x [outer, length, inner], length >= 2: each block of the middle axis first, then the blocks' results.
    private void FoldMiddle<TFold>(TFold fold, Buffer x, int outer, int length, int inner, Buffer y) where TFold : struct, IFold
    {
        var block = inner == 1 ? ElementBlock : RowBlock;
        var blocks = (length - 1) / block + 1;
        var partial = blocks == 1 ? y : Pool.Rent(outer * blocks * inner);
        if (inner == 1)
            InRanges(outer * blocks, Math.Min(length, block), new FoldingRuns<TFold>(fold, Pointer(x), length, block, blocks, Pointer(partial)));
        else
        {
            var tiles = (inner - 1) / TileColumns + 1;
            InRanges(outer * blocks * tiles, (long)Math.Min(length, block) * Math.Min(inner, TileColumns),
                new FoldingRows<TFold>(fold, Pointer(x), length, block, blocks, inner, tiles, Pointer(partial)));
        }
        GC.KeepAlive(x);
        GC.KeepAlive(partial);
        if (blocks == 1) return;
        FoldMiddle(fold, partial, outer, blocks, inner, y);
        Pool.Return(partial);
    }

    private readonly struct FoldingRuns<TFold>(TFold fold, float* x, int length, int block, int blocks, float* y) : IRangeBody
        where TFold : struct, IFold
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++)
            {
                var start = item % blocks * block;
                y[item] = FoldRun(fold, x + (long)(item / blocks) * length + start, Math.Min(block, length - start));
            }
        }
    }

    // The fold of x[0 .. length - 1]. Lanes: 16, in two vectors; lane j folds elements j, j + 16, j + 32, ... one after the other. Remainder: filled
    // up with neutral elements. The lanes meet in a tree: j with j + 8, then j + 4, j + 2, j + 1.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float FoldRun<TFold>(TFold fold, float* x, int length) where TFold : struct, IFold
    {
        var neutral = Real32x8.Of(fold.Neutral);
        var (low, high) = (neutral, neutral);
        var whole = length / (2 * Lanes) * (2 * Lanes);
        for (var i = 0; i < whole; i += 2 * Lanes)
        {
            low = fold.Apply(low, Load(x + i));
            high = fold.Apply(high, Load(x + i + Lanes));
        }
        if (whole < length)
        {
            var tail = stackalloc float[2 * Lanes];
            Store(neutral, tail);
            Store(neutral, tail + Lanes);
            for (var i = whole; i < length; i++) tail[i - whole] = x[i];
            low = fold.Apply(low, Load(tail));
            high = fold.Apply(high, Load(tail + Lanes));
        }
        var lanes = fold.Apply(low, high).Value;
        var four = fold.Apply(new Real32x8(lanes), new Real32x8(lanes.GetUpper().ToVector256())).Value;
        var a = fold.Apply(new Real32(four[0]), new Real32(four[2]));
        var b = fold.Apply(new Real32(four[1]), new Real32(four[3]));
        return fold.Apply(a, b).Value;
    }

    private readonly struct FoldingRows<TFold>(TFold fold, float* x, int length, int block, int blocks, int inner, int tiles, float* y) : IRangeBody
        where TFold : struct, IFold
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++)
            {
                var (place, tile) = Math.DivRem(item, tiles);
                var (row, column) = (place % blocks * block, tile * TileColumns);
                var start = x + ((long)(place / blocks) * length + row) * inner + column;
                var (rows, columns) = (Math.Min(block, length - row), Math.Min(TileColumns, inner - column));
                FoldColumns(fold, start, inner, rows, columns, y + (long)place * inner + column);
            }
        }
    }

    // for (j = 0; j < columns; j++) y[j] = the fold of x[j], x[j + stride], ..., one row after the other.
    // Lanes: columns, in four vectors, two, or one. Remainder: the last vector reaches into the next row, and those lanes are dropped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FoldColumns<TFold>(TFold fold, float* x, int stride, int rows, int columns, float* y) where TFold : struct, IFold
    {
        var neutral = Real32x8.Of(fold.Neutral);
        var column = 0;
        for (; column + 4 * Lanes <= columns; column += 4 * Lanes)
        {
            var (a, b, c, d) = (neutral, neutral, neutral, neutral);
            var p = x + column;
            for (var row = 0; row < rows; row++, p += stride)
            {
                a = fold.Apply(a, Load(p));
                b = fold.Apply(b, Load(p + Lanes));
                c = fold.Apply(c, Load(p + 2 * Lanes));
                d = fold.Apply(d, Load(p + 3 * Lanes));
            }
            Store(a, y + column);
            Store(b, y + column + Lanes);
            Store(c, y + column + 2 * Lanes);
            Store(d, y + column + 3 * Lanes);
        }
        for (; column < columns; column += Lanes)
        {
            var a = neutral;
            var p = x + column;
            for (var row = 0; row < rows; row++, p += stride) a = fold.Apply(a, Load(p));
            Store(a, y + column, Math.Min(Lanes, columns - column));
        }
    }
}
