using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y [outer, inner] from x [outer, length, inner]: blocks of the middle axis are folded each for itself, then the
/// results of the blocks in the same way. This also keeps long sums accurate: the error grows with the depth of the
/// tree.
/// </summary>
internal readonly unsafe struct MiddleFold<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private const int ElementBlock = 1024;
    private const int RowBlock = 64;
    private const int TileColumns = 512;
    private const int RunLanes = 16;

    private readonly int outer, inner;
    private readonly bool hasColumns;
    private readonly Blocks blocks;      // of the middle axis
    private readonly Blocks runs;        // of lanes, in the last block where there is one element in a row
    private readonly Blocks tiles;       // of the columns where there are several
    private readonly Blocks fours;       // of vectors, in the last tile
    private readonly Ranges ranges;      // of blocks, or of their tiles

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public MiddleFold(int outer, int length, int inner)
    {
        (this.outer, this.inner, hasColumns) = (outer, inner, inner > 1);
        if (hasColumns)
        {
            blocks = new Blocks(length, RowBlock);
            tiles = new Blocks(inner, TileColumns);
            fours = new Blocks(tiles.SizeOf(tiles.Count - 1), 4 * TLanes.Count);
            ranges = new Ranges(outer * blocks.Count * tiles.Count, (long)blocks.SizeOf(0) * tiles.SizeOf(0));
        }
        else
        {
            blocks = new Blocks(length, ElementBlock);
            runs = new Blocks(blocks.SizeOf(blocks.Count - 1), RunLanes);
            ranges = new Ranges(outer * blocks.Count, blocks.SizeOf(0));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Run<TFold>(BufferPool pool, TFold fold, float* x, float* y) where TFold : struct, IFold
    {
        if (blocks.Count == 1) FoldBlocks(fold, x, y);
        else FoldTwice(pool, fold, x, y);
    }

    // The blocks, then their results.
    private void FoldTwice<TFold>(BufferPool pool, TFold fold, float* x, float* y) where TFold : struct, IFold
    {
        var partial = (HostBuffer<float>)pool.Rent(outer * blocks.Count * inner);
        FoldBlocks(fold, x, partial.Pointer);
        new MiddleFold<TLanes>(outer, blocks.Count, inner).Run(pool, fold, partial.Pointer, y);
        pool.Return(partial);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void FoldBlocks<TFold>(TFold fold, float* x, float* y) where TFold : struct, IFold
    {
        fixed (MiddleFold<TLanes>* plan = &this)   // where it is: it is large
        {
            if (hasColumns) ranges.Run(new Tiles<TFold>(plan, fold, x, y));
            else ranges.Run(new Runs<TFold>(plan, fold, x, y));
        }
    }

    // ---- one element in a row ---------------------------------------------------------------------------------------

    private readonly struct Runs<TFold>(MiddleFold<TLanes>* plan, TFold fold, float* x, float* y) : IRangeBody
        where TFold : struct, IFold
    {
        public void Run(int from, int to)
        {
            ref readonly var blocks = ref plan->blocks;
            for (var item = from; item < to; item++)
            {
                var (row, block) = Math.DivRem(item, blocks.Count);
                y[item] = FoldRun(fold, x + (long)row * blocks.Length + blocks.From(block),
                    block == blocks.Count - 1 ? plan->runs.Length : blocks.Size);
            }
        }
    }

    // The fold of x[0 .. length - 1]. Lanes: 16, whatever a vector holds; lane j folds elements j, j + 16, j + 32, ...
    // one after the other. Remainder: filled up with neutral elements. The lanes meet in a tree: j with j + 8, then
    // j + 4, j + 2, j + 1.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static float FoldRun<TFold>(TFold fold, float* x, int length) where TFold : struct, IFold
    {
        var neutral = Real32x8.Of(fold.Neutral);
        var (low, high) = (neutral, neutral);
        var whole = length / RunLanes * RunLanes;
        for (var i = 0; i < whole; i += RunLanes)
        {
            low = fold.Apply(low, Real32x8.Load(x + i));
            high = fold.Apply(high, Real32x8.Load(x + i + Real32x8.Count));
        }
        if (whole < length)
        {
            var tail = stackalloc float[RunLanes];
            Real32x8.Store(neutral, tail);
            Real32x8.Store(neutral, tail + Real32x8.Count);
            for (var i = whole; i < length; i++) tail[i - whole] = x[i];
            low = fold.Apply(low, Real32x8.Load(tail));
            high = fold.Apply(high, Real32x8.Load(tail + Real32x8.Count));
        }
        var lanes = fold.Apply(low, high).Value;
        var four = fold.Apply(new Real32x8(lanes), new Real32x8(lanes.GetUpper().ToVector256())).Value;
        var a = fold.Apply(new Real32(four[0]), new Real32(four[2]));
        var b = fold.Apply(new Real32(four[1]), new Real32(four[3]));
        return fold.Apply(a, b).Value;
    }

    // ---- rows of several --------------------------------------------------------------------------------------------

    private readonly struct Tiles<TFold>(MiddleFold<TLanes>* plan, TFold fold, float* x, float* y) : IRangeBody
        where TFold : struct, IFold
    {
        public void Run(int from, int to)
        {
            ref readonly var blocks = ref plan->blocks;
            ref readonly var tiles = ref plan->tiles;
            var inner = plan->inner;
            for (var item = from; item < to; item++)
            {
                var (place, tile) = Math.DivRem(item, tiles.Count);
                var (slab, block) = Math.DivRem(place, blocks.Count);
                var start = x + ((long)slab * blocks.Length + blocks.From(block)) * inner + tiles.From(tile);
                var columns = tile == tiles.Count - 1 ? plan->fours.Length : tiles.Size;
                FoldColumns(fold, start, inner, blocks.SizeOf(block), columns,
                    y + (long)place * inner + tiles.From(tile));
            }
        }
    }

    // for (j = 0; j < columns; j++) y[j] = the fold of x[j], x[j + stride], ..., one row after the other.
    // Lanes: columns, in four vectors, two, or one. Remainder: the last vector reaches into the next row, and those
    // lanes are dropped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FoldColumns<TFold>(TFold fold, float* x, int stride, int rows, int columns, float* y)
        where TFold : struct, IFold
    {
        var neutral = TLanes.Of(fold.Neutral);
        var column = 0;
        for (; column + 4 * TLanes.Count <= columns; column += 4 * TLanes.Count)
        {
            var (a, b, c, d) = (neutral, neutral, neutral, neutral);
            var p = x + column;
            for (var row = 0; row < rows; row++, p += stride)
            {
                a = fold.Apply(a, TLanes.Load(p));
                b = fold.Apply(b, TLanes.Load(p + TLanes.Count));
                c = fold.Apply(c, TLanes.Load(p + 2 * TLanes.Count));
                d = fold.Apply(d, TLanes.Load(p + 3 * TLanes.Count));
            }
            TLanes.Store(a, y + column);
            TLanes.Store(b, y + column + TLanes.Count);
            TLanes.Store(c, y + column + 2 * TLanes.Count);
            TLanes.Store(d, y + column + 3 * TLanes.Count);
        }
        for (; column < columns; column += TLanes.Count)
        {
            var a = neutral;
            var p = x + column;
            for (var row = 0; row < rows; row++, p += stride) a = fold.Apply(a, TLanes.Load(p));
            Lanes.Store(a, y + column, columns - column);
        }
    }
}
