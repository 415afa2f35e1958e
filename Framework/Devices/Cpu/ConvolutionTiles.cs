using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices;

/// <summary>
/// The two innermost loops of convolutions. Both hold 6 x 16 sums in twelve vectors, so that twelve independent chains keep two fused multiply-add
/// units busy, and each sum is one chain in a fixed order: its bits depend neither on its place in a tile nor on its neighbours.
/// </summary>
internal static unsafe class ConvolutionTiles
{
    /// <summary>Pixels of <see cref="Convolve"/>, rows of the kernel in <see cref="AddProducts"/>.</summary>
    public const int Rows = 6;

    /// <summary>Output channels: two vectors of eight.</summary>
    public const int Columns = 2 * Vector;

    private const int Vector = 8;

    /// <summary>
    /// Six results with sixteen channels. Lanes: channels; remainders are the caller's, who drops what it does not want. Equals
    /// <code>
    /// for each pixel i, lane j:  y[targets[i] + j] = sum over runs r, then k, of x[starts[i] + runs[r] + k] * weights[(r * length + k) * 16 + j]
    /// </code>
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Convolve(float* x, int* starts, int* runs, int count, int length, float* weights, float* y, int* targets)
    {
        Vector256<float> y00 = default, y01 = default, y10 = default, y11 = default, y20 = default, y21 = default;
        Vector256<float> y30 = default, y31 = default, y40 = default, y41 = default, y50 = default, y51 = default;
        for (var run = 0; run < count; run++)
        {
            var from = x + runs[run];
            float* x0 = from + starts[0], x1 = from + starts[1], x2 = from + starts[2];
            float* x3 = from + starts[3], x4 = from + starts[4], x5 = from + starts[5];
            for (nint k = 0; k < length; k++, weights += Columns)
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

    /// <summary>
    /// Adds outer products of six consecutive elements of x and sixteen of g, over the pixels of some rows, to 6 x 16 sums. Lanes: channels of g;
    /// remainders are the caller's. Equals
    /// <code>
    /// for each i &lt; 6, lane j:  sums[i * 16 + j] += over rows r, then columns c, of x[starts[r] + c * step + i] * g[(r * columns + c) * gStep + j]
    /// </code>
    /// where the sum itself begins the chain.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProducts(float* x, int* starts, int rows, int columns, int step, float* g, int gStep, float* sums)
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
