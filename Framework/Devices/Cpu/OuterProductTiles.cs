using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The innermost loop of weight gradients: it adds outer products to a tile of sums (<see cref="TileShape"/>) in
/// registers. Each sum is one chain in a fixed order, as those of <see cref="ProductTiles{TLanes}"/> are.
/// </summary>
internal static unsafe class OuterProductTiles<TLanes> where TLanes : struct, ILanes<TLanes>
{
    /// <summary>
    /// Adds outer products of consecutive elements of x, as many as a tile has rows, and a panel of g, as many as it
    /// has columns, over the pixels of some rows, to rows x columns sums. Lanes: channels of g; where no more than four
    /// elements are <paramref name="wanted"/>, the others are left out; further remainders are the caller's. Equals
    /// <code>
    /// for each i, lane j, over rows r, then pixels c:
    ///     sums[i * columns + j] += x[starts[r] + c * step + i] * g[(r * pixels + c) * gStep + j]
    /// </code>
    /// where the sum itself begins the chain.
    /// </summary>
    public static void Add(TileShape shape, float* x, int* starts, int rows, int pixels, int step, float* g, int gStep,
        float* sums, int wanted)
    {
        if (shape.Rows == 6) AddSix(x, starts, rows, pixels, step, g, gStep, sums, wanted);
        else if (shape.Columns == TLanes.Count)
            AddEight<OneVector>(x, starts, rows, pixels, step, g, gStep, sums, wanted);
        else AddEight<TwoVectors>(x, starts, rows, pixels, step, g, gStep, sums, wanted);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddSix(float* x, int* starts, int rows, int pixels, int step, float* g, int gStep, float* sums,
        int wanted)
    {
        int second = TLanes.Count, row = 2 * TLanes.Count;
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
                var (g0, g1) = (TLanes.Load(g), TLanes.Load(g + TLanes.Count));
                var value = TLanes.Repeat(from[0]);
                s00 = TLanes.FusedMultiplyAdd(value, g0, s00);
                s01 = TLanes.FusedMultiplyAdd(value, g1, s01);
                value = TLanes.Repeat(from[1]);
                s10 = TLanes.FusedMultiplyAdd(value, g0, s10);
                s11 = TLanes.FusedMultiplyAdd(value, g1, s11);
                value = TLanes.Repeat(from[2]);
                s20 = TLanes.FusedMultiplyAdd(value, g0, s20);
                s21 = TLanes.FusedMultiplyAdd(value, g1, s21);
                value = TLanes.Repeat(from[3]);
                s30 = TLanes.FusedMultiplyAdd(value, g0, s30);
                s31 = TLanes.FusedMultiplyAdd(value, g1, s31);
                if (wanted <= 4) continue;
                value = TLanes.Repeat(from[4]);
                s40 = TLanes.FusedMultiplyAdd(value, g0, s40);
                s41 = TLanes.FusedMultiplyAdd(value, g1, s41);
                value = TLanes.Repeat(from[5]);
                s50 = TLanes.FusedMultiplyAdd(value, g0, s50);
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

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddEight<TColumns>(float* x, int* starts, int rows, int pixels, int step, float* g, int gStep,
        float* sums, int wanted) where TColumns : struct, ITileColumns
    {
        var second = TColumns.AreTwo ? TLanes.Count : 0;
        var row = second + TLanes.Count;
        TLanes s00 = TLanes.Load(sums), s01 = TLanes.Load(sums + second);
        TLanes s10 = TLanes.Load(sums + row), s11 = TLanes.Load(sums + row + second);
        TLanes s20 = TLanes.Load(sums + 2 * row), s21 = TLanes.Load(sums + 2 * row + second);
        TLanes s30 = TLanes.Load(sums + 3 * row), s31 = TLanes.Load(sums + 3 * row + second);
        TLanes s40 = TLanes.Load(sums + 4 * row), s41 = TLanes.Load(sums + 4 * row + second);
        TLanes s50 = TLanes.Load(sums + 5 * row), s51 = TLanes.Load(sums + 5 * row + second);
        TLanes s60 = TLanes.Load(sums + 6 * row), s61 = TLanes.Load(sums + 6 * row + second);
        TLanes s70 = TLanes.Load(sums + 7 * row), s71 = TLanes.Load(sums + 7 * row + second);
        for (var r = 0; r < rows; r++)
        {
            var from = x + starts[r];
            for (var pixel = 0; pixel < pixels; pixel++, from += step, g += gStep)
            {
                var (g0, g1) = (TLanes.Load(g), TLanes.Load(g + second));
                var value = TLanes.Repeat(from[0]);
                s00 = TLanes.FusedMultiplyAdd(value, g0, s00);
                if (TColumns.AreTwo) s01 = TLanes.FusedMultiplyAdd(value, g1, s01);
                value = TLanes.Repeat(from[1]);
                s10 = TLanes.FusedMultiplyAdd(value, g0, s10);
                if (TColumns.AreTwo) s11 = TLanes.FusedMultiplyAdd(value, g1, s11);
                value = TLanes.Repeat(from[2]);
                s20 = TLanes.FusedMultiplyAdd(value, g0, s20);
                if (TColumns.AreTwo) s21 = TLanes.FusedMultiplyAdd(value, g1, s21);
                value = TLanes.Repeat(from[3]);
                s30 = TLanes.FusedMultiplyAdd(value, g0, s30);
                if (TColumns.AreTwo) s31 = TLanes.FusedMultiplyAdd(value, g1, s31);
                if (wanted <= 4) continue;
                value = TLanes.Repeat(from[4]);
                s40 = TLanes.FusedMultiplyAdd(value, g0, s40);
                if (TColumns.AreTwo) s41 = TLanes.FusedMultiplyAdd(value, g1, s41);
                value = TLanes.Repeat(from[5]);
                s50 = TLanes.FusedMultiplyAdd(value, g0, s50);
                if (TColumns.AreTwo) s51 = TLanes.FusedMultiplyAdd(value, g1, s51);
                value = TLanes.Repeat(from[6]);
                s60 = TLanes.FusedMultiplyAdd(value, g0, s60);
                if (TColumns.AreTwo) s61 = TLanes.FusedMultiplyAdd(value, g1, s61);
                value = TLanes.Repeat(from[7]);
                s70 = TLanes.FusedMultiplyAdd(value, g0, s70);
                if (TColumns.AreTwo) s71 = TLanes.FusedMultiplyAdd(value, g1, s71);
            }
        }
        TLanes.Store(s00, sums);
        if (TColumns.AreTwo) TLanes.Store(s01, sums + second);
        TLanes.Store(s10, sums + row);
        if (TColumns.AreTwo) TLanes.Store(s11, sums + row + second);
        TLanes.Store(s20, sums + 2 * row);
        if (TColumns.AreTwo) TLanes.Store(s21, sums + 2 * row + second);
        TLanes.Store(s30, sums + 3 * row);
        if (TColumns.AreTwo) TLanes.Store(s31, sums + 3 * row + second);
        TLanes.Store(s40, sums + 4 * row);
        if (TColumns.AreTwo) TLanes.Store(s41, sums + 4 * row + second);
        TLanes.Store(s50, sums + 5 * row);
        if (TColumns.AreTwo) TLanes.Store(s51, sums + 5 * row + second);
        TLanes.Store(s60, sums + 6 * row);
        if (TColumns.AreTwo) TLanes.Store(s61, sums + 6 * row + second);
        TLanes.Store(s70, sums + 7 * row);
        if (TColumns.AreTwo) TLanes.Store(s71, sums + 7 * row + second);
    }
}
