using System.Runtime.CompilerServices;
using static Tapegrad.Devices.Cpu.Lanes;
using static Tapegrad.Devices.Cpu.WinogradTile;

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
/// Each method transforms some channels, the lanes, of one tile: the columns first, into a table on the stack, then
/// the rows. A transformed tile has its 36 numbers in 36 planes. What is summed first is the same for every tile, so no
/// bit depends on a tile's place.
/// </remarks>
internal static unsafe class WinogradTransforms<TLanes> where TLanes : struct, ILanes<TLanes>
{
    /// <summary>
    /// B' d B: element (i, j) of d at x + i * rowLength + j * pixelLength, if it exists, and 0 if not; of the result at
    /// y + (6 i + j) * planeLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    public static void Inward(float* x, long rowLength, long pixelLength, in TileBounds inside, float* y,
        long planeLength)
    {
        var table = Align(stackalloc float[Planes * TLanes.Count + Slack]);
        var copy = Align(stackalloc float[Inputs * TLanes.Count + Slack]);
        for (var column = 0; column < Inputs; column++, x += pixelLength)
        {
            var (pixels, step) = Existing(x, rowLength, column, Inputs, in inside, copy);
            InwardLine((float*)pixels, step, table + column * TLanes.Count, Inputs * TLanes.Count);
        }
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            InwardLine(table + row * Inputs * TLanes.Count, TLanes.Count, y, planeLength);
    }

    // The pixels of a column, and their distance: where they lie, or, where some do not exist, in a copy with zeros.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (nint Pixels, long Step) Existing(float* x, long rowLength, int column, int size,
        in TileBounds inside, float* copy)
    {
        var isInside = column >= inside.Left && column < inside.Right;
        if (isInside && inside.Bottom - inside.Top == size) return ((nint)x, rowLength);
        for (var row = 0; row < size; row++)
        {
            var exists = isInside && row >= inside.Top && row < inside.Bottom;
            TLanes.Store(exists ? TLanes.Load(x + row * rowLength) : default, copy + row * TLanes.Count);
        }
        return ((nint)copy, TLanes.Count);
    }

    /// <summary>
    /// A' m A + bias: element (i, j) of m at x + (6 i + j) * planeLength, of the result at y + i * rowLength + j *
    /// pixelLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    public static void Outward(float* x, long planeLength, TLanes bias, float* y, long rowLength,
        long pixelLength)
    {
        var table = Align(stackalloc float[Results * Inputs * TLanes.Count + Slack]);
        for (var column = 0; column < Inputs; column++, x += planeLength)
            OutwardLine(x, Inputs * planeLength, default, table + column * TLanes.Count, Inputs * TLanes.Count);
        for (var row = 0; row < Results; row++, y += rowLength)
            OutwardLine(table + row * Inputs * TLanes.Count, TLanes.Count, bias, y, pixelLength);
    }

    /// <summary>
    /// A g A': element (i, j) of g at x + i * rowLength + j * pixelLength, if it exists, and 0 if not; of the result at
    /// y + (6 i + j) * planeLength.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining), SkipLocalsInit]
    public static void GradientInward(float* x, long rowLength, long pixelLength, in TileBounds inside, float* y,
        long planeLength)
    {
        var table = Align(stackalloc float[Inputs * Results * TLanes.Count + Slack]);
        var copy = Align(stackalloc float[Results * TLanes.Count + Slack]);
        for (var column = 0; column < Results; column++, x += pixelLength)
        {
            var (pixels, step) = Existing(x, rowLength, column, Results, in inside, copy);
            GradientInwardLine((float*)pixels, step, table + column * TLanes.Count, Results * TLanes.Count);
        }
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            GradientInwardLine(table + row * Results * TLanes.Count, TLanes.Count, y, planeLength);
    }

    /// <summary>
    /// G w G': element (i, j) of w at x + (3 i + j) * tapLength, of the result at y + (6 i + j) * planeLength.
    /// </summary>
    [SkipLocalsInit]
    public static void WeightsInward(float* x, long tapLength, float* y, long planeLength)
    {
        var table = Align(stackalloc float[Inputs * 3 * TLanes.Count + Slack]);
        for (var column = 0; column < 3; column++, x += tapLength)
            WeightsInwardLine(x, 3 * tapLength, table + column * TLanes.Count, 3 * TLanes.Count);
        for (var row = 0; row < Inputs; row++, y += Inputs * planeLength)
            WeightsInwardLine(table + row * 3 * TLanes.Count, TLanes.Count, y, planeLength);
    }

    /// <summary>
    /// G' m G: element (i, j) of m at x + (6 i + j) * planeLength, of the result at y + (3 i + j) * tapLength.
    /// </summary>
    [SkipLocalsInit]
    public static void WeightsOutward(float* x, long planeLength, float* y, long tapLength)
    {
        var table = Align(stackalloc float[3 * Inputs * TLanes.Count + Slack]);
        for (var column = 0; column < Inputs; column++, x += planeLength)
            WeightsOutwardLine(x, Inputs * planeLength, table + column * TLanes.Count, Inputs * TLanes.Count);
        for (var row = 0; row < 3; row++, y += 3 * tapLength)
            WeightsOutwardLine(table + row * Inputs * TLanes.Count, TLanes.Count, y, tapLength);
    }

    // y = B' d, six numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void InwardLine(float* d, long step, float* y, long yStep)
    {
        var (d0, d1, d2) = (TLanes.Load(d), TLanes.Load(d + step), TLanes.Load(d + 2 * step));
        var (d3, d4, d5) = (TLanes.Load(d + 3 * step), TLanes.Load(d + 4 * step), TLanes.Load(d + 5 * step));
        var (minusFour, two) = (TLanes.Repeat(-4f), TLanes.Repeat(2f));
        var (four, minusFive) = (TLanes.Repeat(4f), TLanes.Repeat(-5f));
        var (even, odd) = (Add(minusFour, d2, d4), Add(minusFour, d1, d3));
        var (evenTwo, oddTwo) = (d4 - d2, (d3 - d1) * two);
        TLanes.Store(Add(four, d0, Add(minusFive, d2, d4)), y);
        TLanes.Store(even + odd, y + yStep);
        TLanes.Store(even - odd, y + 2 * yStep);
        TLanes.Store(evenTwo + oddTwo, y + 3 * yStep);
        TLanes.Store(evenTwo - oddTwo, y + 4 * yStep);
        TLanes.Store(Add(four, d1, Add(minusFive, d3, d5)), y + 5 * yStep);
    }

    // y = A' m + bias, four numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void OutwardLine(float* m, long step, TLanes bias, float* y, long yStep)
    {
        var (m1, m2) = (TLanes.Load(m + step), TLanes.Load(m + 2 * step));
        var (m3, m4) = (TLanes.Load(m + 3 * step), TLanes.Load(m + 4 * step));
        var (sum, difference) = (m1 + m2 + bias, m1 - m2 + bias);
        var (sumTwo, differenceTwo) = (m3 + m4, m3 - m4);
        TLanes.Store(TLanes.Load(m) + sum + sumTwo, y);
        TLanes.Store(Add(TLanes.Repeat(2f), differenceTwo, difference), y + yStep);
        TLanes.Store(Add(TLanes.Repeat(4f), sumTwo, sum), y + 2 * yStep);
        TLanes.Store(Add(TLanes.Repeat(8f), differenceTwo, difference) + TLanes.Load(m + 5 * step), y + 3 * yStep);
    }

    // y = A g, six numbers from four.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void GradientInwardLine(float* g, long step, float* y, long yStep)
    {
        var (g0, g1) = (TLanes.Load(g), TLanes.Load(g + step));
        var (g2, g3) = (TLanes.Load(g + 2 * step), TLanes.Load(g + 3 * step));
        var four = TLanes.Repeat(4f);
        var (even, odd) = (g0 + g2, g1 + g3);
        var (evenTwo, oddTwo) = (Add(four, g2, g0), Add(four, g3, g1) * TLanes.Repeat(2f));
        TLanes.Store(g0, y);
        TLanes.Store(even + odd, y + yStep);
        TLanes.Store(even - odd, y + 2 * yStep);
        TLanes.Store(evenTwo + oddTwo, y + 3 * yStep);
        TLanes.Store(evenTwo - oddTwo, y + 4 * yStep);
        TLanes.Store(g3, y + 5 * yStep);
    }

    // y = G w, six numbers from three.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightsInwardLine(float* w, long step, float* y, long yStep)
    {
        var (w0, w1, w2) = (TLanes.Load(w), TLanes.Load(w + step), TLanes.Load(w + 2 * step));
        var even = (w0 + w2) * TLanes.Repeat(-1 / 6f);
        var evenTwo = Add(TLanes.Repeat(1 / 24f), w0, w2 * TLanes.Repeat(1 / 6f));
        var (odd, oddTwo) = (w1 * TLanes.Repeat(1 / 6f), w1 * TLanes.Repeat(1 / 12f));
        TLanes.Store(w0 * TLanes.Repeat(0.25f), y);
        TLanes.Store(even - odd, y + yStep);
        TLanes.Store(even + odd, y + 2 * yStep);
        TLanes.Store(evenTwo + oddTwo, y + 3 * yStep);
        TLanes.Store(evenTwo - oddTwo, y + 4 * yStep);
        TLanes.Store(w2, y + 5 * yStep);
    }

    // y = G' m, three numbers from six.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void WeightsOutwardLine(float* m, long step, float* y, long yStep)
    {
        var (m1, m2) = (TLanes.Load(m + step), TLanes.Load(m + 2 * step));
        var (m3, m4) = (TLanes.Load(m + 3 * step), TLanes.Load(m + 4 * step));
        var (sixth, sum, sumTwo) = (TLanes.Repeat(1 / 6f), (m1 + m2) * TLanes.Repeat(-1 / 6f), m3 + m4);
        TLanes.Store(Add(TLanes.Repeat(0.25f), TLanes.Load(m), Add(TLanes.Repeat(1 / 24f), sumTwo, sum)), y);
        TLanes.Store(Add(TLanes.Repeat(1 / 12f), m3 - m4, (m2 - m1) * sixth), y + yStep);
        TLanes.Store(Add(sixth, sumTwo, sum) + TLanes.Load(m + 5 * step), y + 2 * yStep);
    }

    // factor * x + y, rounded once.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Add(TLanes factor, TLanes x, TLanes y) =>
        TLanes.FusedMultiplyAdd(factor, x, y);
}
