using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The two innermost loops of convolutions and matrix products. Both hold 6 x 16 sums in twelve vectors, so that twelve
/// independent chains keep two fused multiply-add units busy, and each sum is one chain in a fixed order: its bits
/// depend neither on its place in a tile nor on its neighbours.
/// </summary>
internal static unsafe class ProductTiles
{
    /// <summary>Rows of <see cref="Multiply"/> (pixels, of a convolution) and of <see cref="AddProducts"/>.</summary>
    public const int Rows = 6;

    /// <summary>Columns (output channels, of a convolution): two vectors of eight.</summary>
    public const int Columns = 2 * Vector;

    private const int Vector = 8;

    /// <summary>
    /// Tiles of six rows and sixteen columns. Lanes: columns; rows that are too many may repeat others. Equals
    /// <code>
    /// for each row i, lane j:  y[targets[i] + j] = bias[j] + sum over runs r, then k, of
    ///     x[starts[i] + runs[r] + k * step] * w[(r * runLength + k) * 16 + j]
    /// </code>
    /// where the bias, 0 when there is none, begins the chain, or y itself if the chain <paramref name="resumes"/>;
    /// only the first <paramref name="lanes"/> columns are written.
    /// </summary>
    [SkipLocalsInit]
    public static void Multiply(ProductRows x, float* w, float* bias, float* y, int* targets, int lanes,
        bool resumes = false)
    {
        if (lanes == Columns)
        {
            Multiply(x, w, bias, y, targets, resumes);
            return;
        }
        var spare = stackalloc float[Rows * Columns];
        var spareTargets = stackalloc int[Rows];
        for (var row = 0; row < Rows; row++) spareTargets[row] = row * Columns;
        for (var (tile, one) = (0, x with { Tiles = 1 }); tile < x.Tiles; tile++, one.Starts += Rows, targets += Rows)
        {
            if (resumes)
                for (var row = 0; row < Rows; row++)
                    new Span<float>(y + targets[row], lanes).CopyTo(new Span<float>(spare + row * Columns, lanes));
            Multiply(one, w, bias, spare, spareTargets, resumes);
            for (var row = 0; row < Rows; row++)
                for (var lane = 0; lane < lanes; lane++) y[targets[row] + lane] = spare[row * Columns + lane];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply(ProductRows x, float* w, float* bias, float* y, int* targets, bool resumes)
    {
        var (low, high) = bias == null ? (default, default) : (Vector256.Load(bias), Vector256.Load(bias + Vector));
        var starts = x.Starts;
        for (var tile = 0; tile < x.Tiles; tile++, starts += Rows, targets += Rows)
        {
            Vector256<float> y00 = low, y01 = high, y10 = low, y11 = high, y20 = low, y21 = high;
            Vector256<float> y30 = low, y31 = high, y40 = low, y41 = high, y50 = low, y51 = high;
            if (resumes)
            {
                (y00, y01) = (Vector256.Load(y + targets[0]), Vector256.Load(y + targets[0] + Vector));
                (y10, y11) = (Vector256.Load(y + targets[1]), Vector256.Load(y + targets[1] + Vector));
                (y20, y21) = (Vector256.Load(y + targets[2]), Vector256.Load(y + targets[2] + Vector));
                (y30, y31) = (Vector256.Load(y + targets[3]), Vector256.Load(y + targets[3] + Vector));
                (y40, y41) = (Vector256.Load(y + targets[4]), Vector256.Load(y + targets[4] + Vector));
                (y50, y51) = (Vector256.Load(y + targets[5]), Vector256.Load(y + targets[5] + Vector));
            }
            var weights = w;
            for (var run = 0; run < x.Runs; run++)
            {
                var from = x.Source + x.RunStarts[run];
                float* x0 = from + starts[0], x1 = from + starts[1], x2 = from + starts[2];
                float* x3 = from + starts[3], x4 = from + starts[4], x5 = from + starts[5];
                nint end = (nint)x.RunLength * x.Step, step = x.Step;
                for (nint k = 0; k < end; k += step, weights += Columns)
                {
                    var (w0, w1) = (Vector256.Load(weights), Vector256.Load(weights + Vector));
                    var value = Vector256.Create(x0[k]);
                    y00 = Vector256.FusedMultiplyAdd(value, w0, y00);
                    y01 = Vector256.FusedMultiplyAdd(value, w1, y01);
                    value = Vector256.Create(x1[k]);
                    y10 = Vector256.FusedMultiplyAdd(value, w0, y10);
                    y11 = Vector256.FusedMultiplyAdd(value, w1, y11);
                    value = Vector256.Create(x2[k]);
                    y20 = Vector256.FusedMultiplyAdd(value, w0, y20);
                    y21 = Vector256.FusedMultiplyAdd(value, w1, y21);
                    value = Vector256.Create(x3[k]);
                    y30 = Vector256.FusedMultiplyAdd(value, w0, y30);
                    y31 = Vector256.FusedMultiplyAdd(value, w1, y31);
                    value = Vector256.Create(x4[k]);
                    y40 = Vector256.FusedMultiplyAdd(value, w0, y40);
                    y41 = Vector256.FusedMultiplyAdd(value, w1, y41);
                    value = Vector256.Create(x5[k]);
                    y50 = Vector256.FusedMultiplyAdd(value, w0, y50);
                    y51 = Vector256.FusedMultiplyAdd(value, w1, y51);
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

    /// <summary>
    /// Adds outer products of six consecutive elements of x and sixteen of g, over the pixels of some rows, to 6 x 16
    /// sums. Lanes: channels of g; where no more than four elements are <paramref name="wanted"/>, the other two are
    /// left out; further remainders are the caller's. Equals
    /// <code>
    /// for each i &lt; 6, lane j, over rows r, then columns c:
    ///     sums[i * 16 + j] += x[starts[r] + c * step + i] * g[(r * columns + c) * gStep + j]
    /// </code>
    /// where the sum itself begins the chain.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProducts(float* x, int* starts, int rows, int columns, int step, float* g, int gStep,
        float* sums, int wanted)
    {
        Vector256<float> s00 = Vector256.Load(sums), s01 = Vector256.Load(sums + Vector);
        Vector256<float> s10 = Vector256.Load(sums + Columns), s11 = Vector256.Load(sums + Columns + Vector);
        Vector256<float> s20 = Vector256.Load(sums + 2 * Columns), s21 = Vector256.Load(sums + 2 * Columns + Vector);
        Vector256<float> s30 = Vector256.Load(sums + 3 * Columns), s31 = Vector256.Load(sums + 3 * Columns + Vector);
        Vector256<float> s40 = Vector256.Load(sums + 4 * Columns), s41 = Vector256.Load(sums + 4 * Columns + Vector);
        Vector256<float> s50 = Vector256.Load(sums + 5 * Columns), s51 = Vector256.Load(sums + 5 * Columns + Vector);
        for (var row = 0; row < rows; row++)
        {
            var from = x + starts[row];
            for (var column = 0; column < columns; column++, from += step, g += gStep)
            {
                var (g0, g1) = (Vector256.Load(g), Vector256.Load(g + Vector));
                var value = Vector256.Create(from[0]);
                s00 = Vector256.FusedMultiplyAdd(value, g0, s00);
                s01 = Vector256.FusedMultiplyAdd(value, g1, s01);
                value = Vector256.Create(from[1]);
                s10 = Vector256.FusedMultiplyAdd(value, g0, s10);
                s11 = Vector256.FusedMultiplyAdd(value, g1, s11);
                value = Vector256.Create(from[2]);
                s20 = Vector256.FusedMultiplyAdd(value, g0, s20);
                s21 = Vector256.FusedMultiplyAdd(value, g1, s21);
                value = Vector256.Create(from[3]);
                s30 = Vector256.FusedMultiplyAdd(value, g0, s30);
                s31 = Vector256.FusedMultiplyAdd(value, g1, s31);
                if (wanted <= 4) continue;
                value = Vector256.Create(from[4]);
                s40 = Vector256.FusedMultiplyAdd(value, g0, s40);
                s41 = Vector256.FusedMultiplyAdd(value, g1, s41);
                value = Vector256.Create(from[5]);
                s50 = Vector256.FusedMultiplyAdd(value, g0, s50);
                s51 = Vector256.FusedMultiplyAdd(value, g1, s51);
            }
        }
        Store(s00, s01, sums);
        Store(s10, s11, sums + Columns);
        Store(s20, s21, sums + 2 * Columns);
        Store(s30, s31, sums + 3 * Columns);
        Store(s40, s41, sums + 4 * Columns);
        Store(s50, s51, sums + 5 * Columns);
    }

    private static void Store(Vector256<float> low, Vector256<float> high, float* target)
    {
        low.Store(target);
        high.Store(target + Vector);
    }
}

/// <summary>
/// The rows on the left of a product, in tiles of six: row i holds, for each run r and then each k below
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
