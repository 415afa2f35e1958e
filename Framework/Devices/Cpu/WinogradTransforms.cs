using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The transforms of Winograd's minimal filtering F(4x4, 3x3): 4x4 results of a 3x3 correlation from 6x6 inputs with 36
/// multiplications instead of 144 (Winograd, 1980; Lavin and Gray, 2016). With interpolation points 0, 1, -1, 2, -2 and
/// infinity,
/// <code>
/// y = A' [(G w G') .* (B' d B)] A          results y [4, 4] from inputs d [6, 6] and weights w [3, 3]
/// v = G' [(B' d B) .* (A g A')] G          the gradient of w from d and the gradient g of y
///
///      |4  0 -5  0  1  0|        | 1/4    0     0 |
///      |0 -4 -4  1  1  0|        |-1/6  -1/6  -1/6|        |1  1  1  1  1  0|
/// B' = |0  4 -4 -1  1  0|    G = |-1/6   1/6  -1/6|   A' = |0  1 -1  2 -2  0|
///      |0 -2 -1  2  1  0|        |1/24  1/12   1/6|        |0  1  1  4  4  0|
///      |0  2 -1 -2  1  0|        |1/24 -1/12   1/6|        |0  1 -1  8 -8  1|
///      |0  4  0 -5  0  1|        |  0     0     1 |
/// </code>
/// </summary>
/// <remarks>
/// Each method transforms eight channels, the lanes, of one tile: the columns first, into a table on the stack, then
/// the rows. A transformed tile has its 36 numbers in 36 planes. What is summed first is the same for every tile, so no
/// bit depends on a tile's place.
/// </remarks>
internal static unsafe class WinogradTransforms
{
    /// <summary>Results of a tile, in each direction.</summary>
    public const int Results = 4;

    /// <summary>Inputs of a tile, in each direction.</summary>
    public const int Inputs = 6;

    /// <summary>Numbers of a transformed tile.</summary>
    public const int Planes = Inputs * Inputs;

    private const int Vector = 8;

    /// <summary>
    /// B' d B: element (i, j) of d at x + i * rowLength + j * pixelLength, if it exists, and 0 if not; of the result at
    /// y + (6 i + j) * planeLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Inward(float* x, long rowLength, long pixelLength, TileBounds inside, float* y, long planeLength)
    {
        var table = stackalloc float[Planes * Vector];
        var copy = stackalloc float[Inputs * Vector];
        for (var column = 0; column < Inputs; column++, x += pixelLength)
        {
            var (pixels, step) = Existing(x, rowLength, column, Inputs, inside, copy);
            InwardLine((float*)pixels, step, table + column * Vector, Inputs * Vector);
        }
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            InwardLine(table + row * Inputs * Vector, Vector, y, planeLength);
    }

    // The pixels of a column, and their distance: where they lie, or, where some do not exist, in a copy with zeros.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (nint Pixels, long Step) Existing(float* x, long rowLength, int column, int size, TileBounds inside,
        float* copy)
    {
        var isInside = column >= inside.Left && column < inside.Right;
        if (isInside && inside.Bottom - inside.Top == size) return ((nint)x, rowLength);
        for (var row = 0; row < size; row++)
            (isInside && row >= inside.Top && row < inside.Bottom ? Load(x + row * rowLength) : default)
                .Store(copy + row * Vector);
        return ((nint)copy, Vector);
    }

    /// <summary>
    /// A' m A + bias: element (i, j) of m at x + (6 i + j) * planeLength, of the result at y + i * rowLength + j *
    /// pixelLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void Outward(float* x, long planeLength, Vector256<float> bias, float* y, long rowLength,
        long pixelLength)
    {
        var table = stackalloc float[Results * Inputs * Vector];
        for (var column = 0; column < Inputs; column++, x += planeLength)
            OutwardLine(x, Inputs * planeLength, default, table + column * Vector, Inputs * Vector);
        for (var row = 0; row < Results; row++, y += rowLength)
            OutwardLine(table + row * Inputs * Vector, Vector, bias, y, pixelLength);
    }

    /// <summary>
    /// A g A': element (i, j) of g at x + i * rowLength + j * pixelLength, if it exists, and 0 if not; of the result at
    /// y + (6 i + j) * planeLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization), SkipLocalsInit]
    public static void GradientInward(float* x, long rowLength, long pixelLength, TileBounds inside, float* y,
        long planeLength)
    {
        var table = stackalloc float[Inputs * Results * Vector];
        var copy = stackalloc float[Results * Vector];
        for (var column = 0; column < Results; column++, x += pixelLength)
        {
            var (pixels, step) = Existing(x, rowLength, column, Results, inside, copy);
            GradientInwardLine((float*)pixels, step, table + column * Vector, Results * Vector);
        }
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            GradientInwardLine(table + row * Results * Vector, Vector, y, planeLength);
    }

    /// <summary>
    /// G w G': element (i, j) of w at x + (3 i + j) * tapLength, of the result at y + (6 i + j) * planeLength.
    /// </summary>
    [SkipLocalsInit]
    public static void WeightsInward(float* x, long tapLength, float* y, long planeLength)
    {
        var table = stackalloc float[Inputs * 3 * Vector];
        for (var column = 0; column < 3; column++, x += tapLength)
            WeightsInwardLine(x, 3 * tapLength, table + column * Vector, 3 * Vector);
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            WeightsInwardLine(table + row * 3 * Vector, Vector, y, planeLength);
    }

    /// <summary>
    /// G' m G: element (i, j) of m at x + (6 i + j) * planeLength, of the result at y + (3 i + j) * tapLength.
    /// </summary>
    [SkipLocalsInit]
    public static void WeightsOutward(float* x, long planeLength, float* y, long tapLength)
    {
        var table = stackalloc float[3 * Inputs * Vector];
        for (var column = 0; column < Inputs; column++, x += planeLength)
            WeightsOutwardLine(x, Inputs * planeLength, table + column * Vector, Inputs * Vector);
        for (var row = 0; row < 3; row++, y += 3 * tapLength)
            WeightsOutwardLine(table + row * Inputs * Vector, Vector, y, tapLength);
    }

    // y = B' d, six numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InwardLine(float* d, long step, float* y, long yStep)
    {
        var (d0, d1, d2) = (Load(d), Load(d + step), Load(d + 2 * step));
        var (d3, d4, d5) = (Load(d + 3 * step), Load(d + 4 * step), Load(d + 5 * step));
        var (minusFour, two) = (Vector256.Create(-4f), Vector256.Create(2f));
        var (four, minusFive) = (Vector256.Create(4f), Vector256.Create(-5f));
        var (even, odd) = (Add(minusFour, d2, d4), Add(minusFour, d1, d3));
        var (evenTwo, oddTwo) = (d4 - d2, (d3 - d1) * two);
        Add(four, d0, Add(minusFive, d2, d4)).Store(y);
        (even + odd).Store(y + yStep);
        (even - odd).Store(y + 2 * yStep);
        (evenTwo + oddTwo).Store(y + 3 * yStep);
        (evenTwo - oddTwo).Store(y + 4 * yStep);
        Add(four, d1, Add(minusFive, d3, d5)).Store(y + 5 * yStep);
    }

    // y = A' m + bias, four numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutwardLine(float* m, long step, Vector256<float> bias, float* y, long yStep)
    {
        var (m1, m2, m3, m4) = (Load(m + step), Load(m + 2 * step), Load(m + 3 * step), Load(m + 4 * step));
        var (sum, difference) = (m1 + m2 + bias, m1 - m2 + bias);
        var (sumTwo, differenceTwo) = (m3 + m4, m3 - m4);
        (Load(m) + sum + sumTwo).Store(y);
        Add(Vector256.Create(2f), differenceTwo, difference).Store(y + yStep);
        Add(Vector256.Create(4f), sumTwo, sum).Store(y + 2 * yStep);
        (Add(Vector256.Create(8f), differenceTwo, difference) + Load(m + 5 * step)).Store(y + 3 * yStep);
    }

    // y = A g, six numbers from four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GradientInwardLine(float* g, long step, float* y, long yStep)
    {
        var (g0, g1, g2, g3) = (Load(g), Load(g + step), Load(g + 2 * step), Load(g + 3 * step));
        var four = Vector256.Create(4f);
        var (even, odd) = (g0 + g2, g1 + g3);
        var (evenTwo, oddTwo) = (Add(four, g2, g0), Add(four, g3, g1) * Vector256.Create(2f));
        g0.Store(y);
        (even + odd).Store(y + yStep);
        (even - odd).Store(y + 2 * yStep);
        (evenTwo + oddTwo).Store(y + 3 * yStep);
        (evenTwo - oddTwo).Store(y + 4 * yStep);
        g3.Store(y + 5 * yStep);
    }

    // y = G w, six numbers from three.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightsInwardLine(float* w, long step, float* y, long yStep)
    {
        var (w0, w1, w2) = (Load(w), Load(w + step), Load(w + 2 * step));
        var even = (w0 + w2) * Vector256.Create(-1 / 6f);
        var evenTwo = Add(Vector256.Create(1 / 24f), w0, w2 * Vector256.Create(1 / 6f));
        var (odd, oddTwo) = (w1 * Vector256.Create(1 / 6f), w1 * Vector256.Create(1 / 12f));
        (w0 * Vector256.Create(0.25f)).Store(y);
        (even - odd).Store(y + yStep);
        (even + odd).Store(y + 2 * yStep);
        (evenTwo + oddTwo).Store(y + 3 * yStep);
        (evenTwo - oddTwo).Store(y + 4 * yStep);
        w2.Store(y + 5 * yStep);
    }

    // y = G' m, three numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightsOutwardLine(float* m, long step, float* y, long yStep)
    {
        var (m1, m2, m3, m4) = (Load(m + step), Load(m + 2 * step), Load(m + 3 * step), Load(m + 4 * step));
        var (sixth, sum, sumTwo) = (Vector256.Create(1 / 6f), (m1 + m2) * Vector256.Create(-1 / 6f), m3 + m4);
        Add(Vector256.Create(0.25f), Load(m), Add(Vector256.Create(1 / 24f), sumTwo, sum)).Store(y);
        Add(Vector256.Create(1 / 12f), m3 - m4, (m2 - m1) * sixth).Store(y + yStep);
        (Add(sixth, sumTwo, sum) + Load(m + 5 * step)).Store(y + 2 * yStep);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load(float* x) => Vector256.Load(x);

    // factor * x + y, rounded once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Add(Vector256<float> factor, Vector256<float> x, Vector256<float> y) =>
        Vector256.FusedMultiplyAdd(factor, x, y);
}
