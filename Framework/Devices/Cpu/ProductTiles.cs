using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The innermost loop of convolutions and matrix products. It holds a tile of sums (<see cref="TileShape"/>) in
/// registers: as many independent chains as keep two fused multiply-add units busy. Each sum is one chain in a fixed
/// order, so its bits depend neither on its place in a tile, nor on its neighbours, nor on the tile's shape.
/// </summary>
internal static unsafe class ProductTiles<TLanes> where TLanes : struct, ILanes<TLanes>
{
    // Elements of weights, which a single image uses once: as far as the loop comes while the third cache answers.
    private const int Ahead = 1024;

    /// <summary>
    /// Tiles of some rows (pixels, of a convolution) and columns (output channels). Lanes: columns; rows that are too
    /// many may repeat others. Equals
    /// <code>
    /// for each row i, lane j:  y[targets[i] + j] = bias[j] + sum over runs r, then k, of
    ///     x[starts[i] + runs[r] + k * step] * w[(r * runLength + k) * columns + j]
    /// </code>
    /// where the bias, 0 when there is none, begins the chain, or y itself if the chain <paramref name="resumes"/>;
    /// only the first <paramref name="lanes"/> columns are written.
    /// </summary>
    [SkipLocalsInit]
    public static void Multiply(TileShape shape, in ProductRows x, float* w, float* bias, float* y, int* targets,
        int lanes, bool resumes = false)
    {
        if (lanes == shape.Columns)
        {
            if (shape.Rows == 6) MultiplySix(in x, w, bias, y, targets, resumes);
            else if (shape.Columns == TLanes.Count) MultiplyEight<OneVector>(in x, w, bias, y, targets, resumes);
            else MultiplyEight<TwoVectors>(in x, w, bias, y, targets, resumes);
            return;
        }
        var spare = stackalloc float[shape.Rows * shape.Columns];
        var spareTargets = stackalloc int[shape.Rows];
        for (var row = 0; row < shape.Rows; row++) spareTargets[row] = row * shape.Columns;
        var one = x with { Tiles = 1 };
        for (var tile = 0; tile < x.Tiles; tile++, one.Starts += shape.Rows, targets += shape.Rows)
        {
            if (resumes)
                for (var row = 0; row < shape.Rows; row++)
                    new Span<float>(y + targets[row], lanes).CopyTo(new Span<float>(spare + spareTargets[row], lanes));
            Multiply(shape, in one, w, bias, spare, spareTargets, shape.Columns, resumes);
            for (var row = 0; row < shape.Rows; row++)
                for (var lane = 0; lane < lanes; lane++) y[targets[row] + lane] = spare[spareTargets[row] + lane];
        }
    }

    // Six rows of two vectors: all that sixteen registers hold.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MultiplySix(in ProductRows x, float* w, float* bias, float* y, int* targets, bool resumes)
    {
        var (low, high) = bias == null ? default : (TLanes.Load(bias), TLanes.Load(bias + TLanes.Count));
        var starts = x.Starts;
        for (var tile = 0; tile < x.Tiles; tile++, starts += 6, targets += 6)
        {
            TLanes y00 = low, y01 = high, y10 = low, y11 = high, y20 = low, y21 = high;
            TLanes y30 = low, y31 = high, y40 = low, y41 = high, y50 = low, y51 = high;
            if (resumes)
            {
                (y00, y01) = (TLanes.Load(y + targets[0]), TLanes.Load(y + targets[0] + TLanes.Count));
                (y10, y11) = (TLanes.Load(y + targets[1]), TLanes.Load(y + targets[1] + TLanes.Count));
                (y20, y21) = (TLanes.Load(y + targets[2]), TLanes.Load(y + targets[2] + TLanes.Count));
                (y30, y31) = (TLanes.Load(y + targets[3]), TLanes.Load(y + targets[3] + TLanes.Count));
                (y40, y41) = (TLanes.Load(y + targets[4]), TLanes.Load(y + targets[4] + TLanes.Count));
                (y50, y51) = (TLanes.Load(y + targets[5]), TLanes.Load(y + targets[5] + TLanes.Count));
            }
            var weights = w;
            for (var run = 0; run < x.Runs; run++)
            {
                var from = x.Source + x.RunStarts[run];
                float* x0 = from + starts[0], x1 = from + starts[1], x2 = from + starts[2];
                float* x3 = from + starts[3], x4 = from + starts[4], x5 = from + starts[5];
                nint end = (nint)x.RunLength * x.Step, step = x.Step;
                for (nint k = 0; k < end; k += step, weights += 2 * TLanes.Count)
                {
                    var (w0, w1) = (TLanes.Load(weights), TLanes.Load(weights + TLanes.Count));
                    var value = TLanes.Repeat(x0[k]);
                    y00 = TLanes.FusedMultiplyAdd(value, w0, y00);
                    y01 = TLanes.FusedMultiplyAdd(value, w1, y01);
                    value = TLanes.Repeat(x1[k]);
                    y10 = TLanes.FusedMultiplyAdd(value, w0, y10);
                    y11 = TLanes.FusedMultiplyAdd(value, w1, y11);
                    value = TLanes.Repeat(x2[k]);
                    y20 = TLanes.FusedMultiplyAdd(value, w0, y20);
                    y21 = TLanes.FusedMultiplyAdd(value, w1, y21);
                    value = TLanes.Repeat(x3[k]);
                    y30 = TLanes.FusedMultiplyAdd(value, w0, y30);
                    y31 = TLanes.FusedMultiplyAdd(value, w1, y31);
                    value = TLanes.Repeat(x4[k]);
                    y40 = TLanes.FusedMultiplyAdd(value, w0, y40);
                    y41 = TLanes.FusedMultiplyAdd(value, w1, y41);
                    value = TLanes.Repeat(x5[k]);
                    y50 = TLanes.FusedMultiplyAdd(value, w0, y50);
                    y51 = TLanes.FusedMultiplyAdd(value, w1, y51);
                }
            }
            Store(y00, y01, y + targets[0]);
            Store(y10, y11, y + targets[1]);
            Store(y20, y21, y + targets[2]);
            Store(y30, y31, y + targets[3]);
            Store(y40, y41, y + targets[4]);
            Store(y50, y51, y + targets[5]);
        }
    }

    // Eight rows of two vectors, or of one: then the others are not computed.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MultiplyEight<TColumns>(in ProductRows x, float* w, float* bias, float* y, int* targets,
        bool resumes) where TColumns : struct, ITileColumns
    {
        var second = TColumns.AreTwo ? TLanes.Count : 0;
        var (low, high) = bias == null ? default : (TLanes.Load(bias), TLanes.Load(bias + second));
        var starts = x.Starts;
        for (var tile = 0; tile < x.Tiles; tile++, starts += 8, targets += 8)
        {
            TLanes y00 = low, y01 = high, y10 = low, y11 = high, y20 = low, y21 = high, y30 = low, y31 = high;
            TLanes y40 = low, y41 = high, y50 = low, y51 = high, y60 = low, y61 = high, y70 = low, y71 = high;
            if (resumes)
            {
                (y00, y01) = (TLanes.Load(y + targets[0]), TLanes.Load(y + targets[0] + second));
                (y10, y11) = (TLanes.Load(y + targets[1]), TLanes.Load(y + targets[1] + second));
                (y20, y21) = (TLanes.Load(y + targets[2]), TLanes.Load(y + targets[2] + second));
                (y30, y31) = (TLanes.Load(y + targets[3]), TLanes.Load(y + targets[3] + second));
                (y40, y41) = (TLanes.Load(y + targets[4]), TLanes.Load(y + targets[4] + second));
                (y50, y51) = (TLanes.Load(y + targets[5]), TLanes.Load(y + targets[5] + second));
                (y60, y61) = (TLanes.Load(y + targets[6]), TLanes.Load(y + targets[6] + second));
                (y70, y71) = (TLanes.Load(y + targets[7]), TLanes.Load(y + targets[7] + second));
            }
            var weights = w;
            for (var run = 0; run < x.Runs; run++)
            {
                var from = x.Source + x.RunStarts[run];
                float* x0 = from + starts[0], x1 = from + starts[1], x2 = from + starts[2], x3 = from + starts[3];
                float* x4 = from + starts[4], x5 = from + starts[5], x6 = from + starts[6], x7 = from + starts[7];
                nint end = (nint)x.RunLength * x.Step, step = x.Step;
                for (nint k = 0; k < end; k += step, weights += second + TLanes.Count)
                {
                    if (TColumns.AreTwo) Prefetch(weights + Ahead);
                    var (w0, w1) = (TLanes.Load(weights), TLanes.Load(weights + second));
                    var value = TLanes.Repeat(x0[k]);
                    y00 = TLanes.FusedMultiplyAdd(value, w0, y00);
                    if (TColumns.AreTwo) y01 = TLanes.FusedMultiplyAdd(value, w1, y01);
                    value = TLanes.Repeat(x1[k]);
                    y10 = TLanes.FusedMultiplyAdd(value, w0, y10);
                    if (TColumns.AreTwo) y11 = TLanes.FusedMultiplyAdd(value, w1, y11);
                    value = TLanes.Repeat(x2[k]);
                    y20 = TLanes.FusedMultiplyAdd(value, w0, y20);
                    if (TColumns.AreTwo) y21 = TLanes.FusedMultiplyAdd(value, w1, y21);
                    value = TLanes.Repeat(x3[k]);
                    y30 = TLanes.FusedMultiplyAdd(value, w0, y30);
                    if (TColumns.AreTwo) y31 = TLanes.FusedMultiplyAdd(value, w1, y31);
                    value = TLanes.Repeat(x4[k]);
                    y40 = TLanes.FusedMultiplyAdd(value, w0, y40);
                    if (TColumns.AreTwo) y41 = TLanes.FusedMultiplyAdd(value, w1, y41);
                    value = TLanes.Repeat(x5[k]);
                    y50 = TLanes.FusedMultiplyAdd(value, w0, y50);
                    if (TColumns.AreTwo) y51 = TLanes.FusedMultiplyAdd(value, w1, y51);
                    value = TLanes.Repeat(x6[k]);
                    y60 = TLanes.FusedMultiplyAdd(value, w0, y60);
                    if (TColumns.AreTwo) y61 = TLanes.FusedMultiplyAdd(value, w1, y61);
                    value = TLanes.Repeat(x7[k]);
                    y70 = TLanes.FusedMultiplyAdd(value, w0, y70);
                    if (TColumns.AreTwo) y71 = TLanes.FusedMultiplyAdd(value, w1, y71);
                }
            }
            Store<TColumns>(y00, y01, y + targets[0]);
            Store<TColumns>(y10, y11, y + targets[1]);
            Store<TColumns>(y20, y21, y + targets[2]);
            Store<TColumns>(y30, y31, y + targets[3]);
            Store<TColumns>(y40, y41, y + targets[4]);
            Store<TColumns>(y50, y51, y + targets[5]);
            Store<TColumns>(y60, y61, y + targets[6]);
            Store<TColumns>(y70, y71, y + targets[7]);
        }
    }

    // Two vectors of sixteen, a line of the cache each. Changes no number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* weights)
    {
        if (!Sse.IsSupported) return;
        Sse.Prefetch0(weights);
        Sse.Prefetch0(weights + 16);
    }

    private static void Store(TLanes low, TLanes high, float* target)
    {
        TLanes.Store(low, target);
        TLanes.Store(high, target + TLanes.Count);
    }

    private static void Store<TColumns>(TLanes low, TLanes high, float* target) where TColumns : struct, ITileColumns
    {
        TLanes.Store(low, target);
        if (TColumns.AreTwo) TLanes.Store(high, target + TLanes.Count);
    }
}

/// <summary>The rows and columns of a tile of sums.</summary>
internal readonly record struct TileShape(int Rows, int Columns)
{
    /// <summary>
    /// For so many columns, of vectors of so many lanes: eight rows of one vector where that is enough; of two, in the
    /// 32 registers that go with sixteen lanes; else six of two, in 16 registers.
    /// </summary>
    public static TileShape For(int columns, int lanes) => columns <= lanes ? new TileShape(8, lanes)
        : lanes == Real32x16.Count ? new TileShape(8, 2 * lanes) : new TileShape(6, 2 * lanes);
}

/// <summary>How many vectors of columns a tile of eight rows has, known when its loop is compiled.</summary>
internal interface ITileColumns
{
    /// <summary>Two of them; else one.</summary>
    static abstract bool AreTwo { get; }
}

internal readonly struct OneVector : ITileColumns
{
    public static bool AreTwo => false;
}

internal readonly struct TwoVectors : ITileColumns
{
    public static bool AreTwo => true;
}

/// <summary>
/// The rows on the left of a product, in tiles: row i holds, for each run r and then each k below
/// <see cref="RunLength"/>, the element Source[Starts[i] + RunStarts[r] + k * Step]. Passed by reference: a copy loads
/// in large pieces what was just stored in small ones, and the processor waits for that.
/// </summary>
internal unsafe struct ProductRows
{
    public float* Source;
    public int* Starts;
    public int Tiles;
    public int* RunStarts;
    public int Runs;
    public int RunLength;
    public int Step;
}
