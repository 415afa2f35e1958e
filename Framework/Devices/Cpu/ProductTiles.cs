using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The two innermost loops of convolutions and matrix products. Both hold a tile of sums (<see cref="TileShape"/>) in
/// twelve vectors, so that twelve independent chains keep two fused multiply-add units busy, and each sum is one chain
/// in a fixed order: its bits depend neither on its place in a tile, nor on its neighbours, nor on the tile's shape.
/// </summary>
internal static unsafe class ProductTiles<TLanes> where TLanes : struct, ILanes<TLanes>
{
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
    public static void Multiply(TileShape shape, ProductRows x, float* w, float* bias, float* y, int* targets,
        int lanes, bool resumes = false)
    {
        if (lanes == shape.Columns)
        {
            if (shape.IsNarrow) Multiply<Narrow>(x, w, bias, y, targets, resumes);
            else Multiply<Wide>(x, w, bias, y, targets, resumes);
            return;
        }
        var spare = stackalloc float[TileShape.Vectors * TLanes.Count];
        var spareTargets = stackalloc int[shape.Rows];
        for (var row = 0; row < shape.Rows; row++) spareTargets[row] = row * shape.Columns;
        var one = x with { Tiles = 1 };
        for (var tile = 0; tile < x.Tiles; tile++, one.Starts += shape.Rows, targets += shape.Rows)
        {
            if (resumes)
                for (var row = 0; row < shape.Rows; row++)
                    new Span<float>(y + targets[row], lanes).CopyTo(new Span<float>(spare + spareTargets[row], lanes));
            Multiply(shape, one, w, bias, spare, spareTargets, shape.Columns, resumes);
            for (var row = 0; row < shape.Rows; row++)
                for (var lane = 0; lane < lanes; lane++) y[targets[row] + lane] = spare[spareTargets[row] + lane];
        }
    }

    // The loops are written for six rows of two vectors, y00 and y01 .. y50 and y51. In a narrow tile they are twelve
    // rows of one: yi1 is row i + 6, has a value of x of its own, and the same weights.
    private interface IForm
    {
        static abstract bool IsNarrow { get; }
    }

    private readonly struct Wide : IForm
    {
        public static bool IsNarrow => false;
    }

    private readonly struct Narrow : IForm
    {
        public static bool IsNarrow => true;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<TForm>(ProductRows x, float* w, float* bias, float* y, int* targets, bool resumes)
        where TForm : struct, IForm
    {
        TLanes low = default, high = default;
        if (bias != null) (low, high) = (TLanes.Load(bias), TLanes.Load(TForm.IsNarrow ? bias : bias + TLanes.Count));
        var (rows, columns) = TForm.IsNarrow ? (12, TLanes.Count) : (6, 2 * TLanes.Count);
        var starts = x.Starts;
        for (var tile = 0; tile < x.Tiles; tile++, starts += rows, targets += rows)
        {
            TLanes y00 = low, y01 = high, y10 = low, y11 = high, y20 = low, y21 = high;
            TLanes y30 = low, y31 = high, y40 = low, y41 = high, y50 = low, y51 = high;
            if (resumes)
            {
                (y00, y01) = (TLanes.Load(y + targets[0]), TLanes.Load(Second<TForm>(y, targets + 0)));
                (y10, y11) = (TLanes.Load(y + targets[1]), TLanes.Load(Second<TForm>(y, targets + 1)));
                (y20, y21) = (TLanes.Load(y + targets[2]), TLanes.Load(Second<TForm>(y, targets + 2)));
                (y30, y31) = (TLanes.Load(y + targets[3]), TLanes.Load(Second<TForm>(y, targets + 3)));
                (y40, y41) = (TLanes.Load(y + targets[4]), TLanes.Load(Second<TForm>(y, targets + 4)));
                (y50, y51) = (TLanes.Load(y + targets[5]), TLanes.Load(Second<TForm>(y, targets + 5)));
            }
            var weights = w;
            for (var run = 0; run < x.Runs; run++)
            {
                var from = x.Source + x.RunStarts[run];
                float* x0 = from + starts[0], x1 = from + starts[1], x2 = from + starts[2];
                float* x3 = from + starts[3], x4 = from + starts[4], x5 = from + starts[5];
                float* x6 = from, x7 = from, x8 = from, x9 = from, x10 = from, x11 = from;
                if (TForm.IsNarrow)
                {
                    x6 += starts[6];
                    x7 += starts[7];
                    x8 += starts[8];
                    x9 += starts[9];
                    x10 += starts[10];
                    x11 += starts[11];
                }
                nint end = (nint)x.RunLength * x.Step, step = x.Step;
                for (nint k = 0; k < end; k += step, weights += columns)
                {
                    var w0 = TLanes.Load(weights);
                    var w1 = TForm.IsNarrow ? w0 : TLanes.Load(weights + TLanes.Count);
                    var value = TLanes.Repeat(x0[k]);
                    y00 = TLanes.FusedMultiplyAdd(value, w0, y00);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x6[k]);
                    y01 = TLanes.FusedMultiplyAdd(value, w1, y01);
                    value = TLanes.Repeat(x1[k]);
                    y10 = TLanes.FusedMultiplyAdd(value, w0, y10);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x7[k]);
                    y11 = TLanes.FusedMultiplyAdd(value, w1, y11);
                    value = TLanes.Repeat(x2[k]);
                    y20 = TLanes.FusedMultiplyAdd(value, w0, y20);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x8[k]);
                    y21 = TLanes.FusedMultiplyAdd(value, w1, y21);
                    value = TLanes.Repeat(x3[k]);
                    y30 = TLanes.FusedMultiplyAdd(value, w0, y30);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x9[k]);
                    y31 = TLanes.FusedMultiplyAdd(value, w1, y31);
                    value = TLanes.Repeat(x4[k]);
                    y40 = TLanes.FusedMultiplyAdd(value, w0, y40);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x10[k]);
                    y41 = TLanes.FusedMultiplyAdd(value, w1, y41);
                    value = TLanes.Repeat(x5[k]);
                    y50 = TLanes.FusedMultiplyAdd(value, w0, y50);
                    if (TForm.IsNarrow) value = TLanes.Repeat(x11[k]);
                    y51 = TLanes.FusedMultiplyAdd(value, w1, y51);
                }
            }
            TLanes.Store(y00, y + targets[0]);
            TLanes.Store(y01, Second<TForm>(y, targets + 0));
            TLanes.Store(y10, y + targets[1]);
            TLanes.Store(y11, Second<TForm>(y, targets + 1));
            TLanes.Store(y20, y + targets[2]);
            TLanes.Store(y21, Second<TForm>(y, targets + 2));
            TLanes.Store(y30, y + targets[3]);
            TLanes.Store(y31, Second<TForm>(y, targets + 3));
            TLanes.Store(y40, y + targets[4]);
            TLanes.Store(y41, Second<TForm>(y, targets + 4));
            TLanes.Store(y50, y + targets[5]);
            TLanes.Store(y51, Second<TForm>(y, targets + 5));
        }
    }

    // Where the second vector of a row of the loops lies.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float* Second<TForm>(float* y, int* target) where TForm : struct, IForm =>
        TForm.IsNarrow ? y + target[6] : y + target[0] + TLanes.Count;

    /// <summary>
    /// Adds outer products of consecutive elements of x, as many as a tile has rows, and a panel of g, as many as it
    /// has columns, over the pixels of some rows, to rows x columns sums. Lanes: channels of g; where no more than four
    /// of six elements are <paramref name="wanted"/>, the other two are left out; further remainders are the caller's.
    /// Equals
    /// <code>
    /// for each i, lane j, over rows r, then columns c:
    ///     sums[i * columns + j] += x[starts[r] + c * step + i] * g[(r * pixels + c) * gStep + j]
    /// </code>
    /// where the sum itself begins the chain.
    /// </summary>
    public static void AddProducts(TileShape shape, float* x, int* starts, int rows, int pixels, int step, float* g,
        int gStep, float* sums, int wanted)
    {
        if (shape.IsNarrow) AddProducts<Narrow>(x, starts, rows, pixels, step, g, gStep, sums, wanted);
        else AddProducts<Wide>(x, starts, rows, pixels, step, g, gStep, sums, wanted);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddProducts<TForm>(float* x, int* starts, int rows, int pixels, int step, float* g, int gStep,
        float* sums, int wanted) where TForm : struct, IForm
    {
        // The second vector of a row of the loops: the next one, or that of the row six further down.
        var (row, second) = TForm.IsNarrow ? (TLanes.Count, 6 * TLanes.Count) : (2 * TLanes.Count, TLanes.Count);
        TLanes s00 = TLanes.Load(sums), s01 = TLanes.Load(sums + second);
        TLanes s10 = TLanes.Load(sums + row), s11 = TLanes.Load(sums + row + second);
        TLanes s20 = TLanes.Load(sums + 2 * row), s21 = TLanes.Load(sums + 2 * row + second);
        TLanes s30 = TLanes.Load(sums + 3 * row), s31 = TLanes.Load(sums + 3 * row + second);
        TLanes s40 = TLanes.Load(sums + 4 * row), s41 = TLanes.Load(sums + 4 * row + second);
        TLanes s50 = TLanes.Load(sums + 5 * row), s51 = TLanes.Load(sums + 5 * row + second);
        for (var r = 0; r < rows; r++)
        {
            var from = x + starts[r];
            for (var pixel = 0; pixel < pixels; pixel++, from += step, g += gStep)
            {
                var g0 = TLanes.Load(g);
                var g1 = TForm.IsNarrow ? g0 : TLanes.Load(g + TLanes.Count);
                var value = TLanes.Repeat(from[0]);
                s00 = TLanes.FusedMultiplyAdd(value, g0, s00);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[6]);
                s01 = TLanes.FusedMultiplyAdd(value, g1, s01);
                value = TLanes.Repeat(from[1]);
                s10 = TLanes.FusedMultiplyAdd(value, g0, s10);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[7]);
                s11 = TLanes.FusedMultiplyAdd(value, g1, s11);
                value = TLanes.Repeat(from[2]);
                s20 = TLanes.FusedMultiplyAdd(value, g0, s20);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[8]);
                s21 = TLanes.FusedMultiplyAdd(value, g1, s21);
                value = TLanes.Repeat(from[3]);
                s30 = TLanes.FusedMultiplyAdd(value, g0, s30);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[9]);
                s31 = TLanes.FusedMultiplyAdd(value, g1, s31);
                if (!TForm.IsNarrow && wanted <= 4) continue;
                value = TLanes.Repeat(from[4]);
                s40 = TLanes.FusedMultiplyAdd(value, g0, s40);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[10]);
                s41 = TLanes.FusedMultiplyAdd(value, g1, s41);
                value = TLanes.Repeat(from[5]);
                s50 = TLanes.FusedMultiplyAdd(value, g0, s50);
                if (TForm.IsNarrow) value = TLanes.Repeat(from[11]);
                s51 = TLanes.FusedMultiplyAdd(value, g1, s51);
            }
        }
        TLanes.Store(s00, sums);
        TLanes.Store(s01, sums + second);
        TLanes.Store(s10, sums + row);
        TLanes.Store(s11, sums + row + second);
        TLanes.Store(s20, sums + 2 * row);
        TLanes.Store(s21, sums + 2 * row + second);
        TLanes.Store(s30, sums + 3 * row);
        TLanes.Store(s31, sums + 3 * row + second);
        TLanes.Store(s40, sums + 4 * row);
        TLanes.Store(s41, sums + 4 * row + second);
        TLanes.Store(s50, sums + 5 * row);
        TLanes.Store(s51, sums + 5 * row + second);
    }
}

/// <summary>
/// Six rows of two vectors; or, where no more than one vector of columns is wanted, twelve rows of one.
/// </summary>
internal readonly record struct TileShape(bool IsNarrow, int Rows, int Columns)
{
    /// <summary>Vectors of a tile.</summary>
    public const int Vectors = 12;

    /// <summary>The shape for so many columns, of vectors of so many lanes.</summary>
    public static TileShape For(int columns, int lanes) =>
        columns <= lanes ? new TileShape(true, 12, lanes) : new TileShape(false, 6, 2 * lanes);
}

/// <summary>
/// The rows on the left of a product, in tiles: row i holds, for each run r and then each k below
/// <see cref="RunLength"/>, the element Source[Starts[i] + RunStarts[r] + k * Step].
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
