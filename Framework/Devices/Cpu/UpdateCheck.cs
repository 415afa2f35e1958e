using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Whether a gradient, or what an update would leave, is not finite anywhere: then the verdict becomes NaN. Lanes:
/// consecutive elements. Remainder: of the last vector, which reaches into the padding, only the lanes that
/// belong to the buffers count.
/// </summary>
internal readonly unsafe struct UpdateCheck<TLanes>(int length) where TLanes : struct, ILanes<TLanes>
{
    private readonly VectorRanges ranges = new(length, TLanes.Count);

    public void Run<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second,
        float* verdict) where TUpdate : struct, IUpdate =>
        ranges.Run(new Elements<TUpdate>(update, parameter, gradient, first, second, length, verdict));

    private readonly struct Elements<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second, int length, float* verdict) : IRangeBody where TUpdate : struct, IUpdate
    {
        // Several ranges may write, all of them the same.
        public void Run(int from, int to)
        {
            var (start, end) = (from * TLanes.Count, Math.Min(to * TLanes.Count, length));
            if (LeavesNonFinite(update, parameter, gradient, first, second, start, end)) *verdict = float.NaN;
        }
    }

    // for (i = from; i < to; i++) whether gradient[i], or what the update would leave at i, is not finite. x - x is 0
    // where x is finite, else NaN.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static bool LeavesNonFinite<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second, int from, int to) where TUpdate : struct, IUpdate
    {
        var all = default(TLanes);
        for (var i = from; i < to; i += TLanes.Count)
        {
            var (value, slope) = (TLanes.Load(parameter + i), TLanes.Load(gradient + i));
            var one = first is null ? default : TLanes.Load(first + i);
            var two = second is null ? default : TLanes.Load(second + i);
            update.Apply(ref value, slope, ref one, ref two);
            var difference = slope - slope + (value - value);
            if (first is not null) difference += one - one;
            if (second is not null) difference += two - two;
            if (to - i < TLanes.Count) difference = TLanes.And(difference, TLanes.First(to - i));
            all += difference;
        }
        return !Lanes.AreZero(all);
    }
}
