using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static Tapegrad.Devices.Cpu.Vectors;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Whether a gradient, or what an update would leave, is not finite anywhere: then the verdict becomes NaN. Lanes:
/// eight consecutive elements. Remainder: of the last vector, which reaches into the padding, only the lanes that
/// belong to the buffers count.
/// </summary>
internal readonly unsafe struct UpdateCheck(int length)
{
    private readonly VectorRanges ranges = new(length);

    public void Run<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second,
        float* verdict) where TUpdate : struct, IUpdate =>
        ranges.Run(new Elements<TUpdate>(update, parameter, gradient, first, second, length, verdict));

    private readonly struct Elements<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second, int length, float* verdict) : IRangeBody where TUpdate : struct, IUpdate
    {
        // Several ranges may write, all of them the same.
        public void Run(int from, int to)
        {
            var end = Math.Min(to * Lanes, length);
            if (LeavesNonFinite(update, parameter, gradient, first, second, from * Lanes, end)) *verdict = float.NaN;
        }
    }

    // for (i = from; i < to; i++) whether gradient[i], or what the update would leave at i, is not finite. x - x is 0
    // where x is finite, else NaN.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool LeavesNonFinite<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second, int from, int to) where TUpdate : struct, IUpdate
    {
        var all = default(Real32x8);
        for (var i = from; i < to; i += Lanes)
        {
            var (value, slope) = (Load(parameter + i), Load(gradient + i));
            var one = first is null ? default : Load(first + i);
            var two = second is null ? default : Load(second + i);
            update.Apply(ref value, slope, ref one, ref two);
            var difference = slope - slope + (value - value);
            if (first is not null) difference += one - one;
            if (second is not null) difference += two - two;
            if (to - i < Lanes)
            {
                var belongs = Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(to - i)).AsSingle();
                difference = new(Vector256.ConditionalSelect(belongs, difference.Value, Vector256<float>.Zero));
            }
            all += difference;
        }
        return !Vector256.EqualsAll(all.Value, Vector256<float>.Zero);
    }
}
