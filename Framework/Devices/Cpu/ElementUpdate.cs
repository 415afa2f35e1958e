using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// An update in place: update(ref parameter[i], gradient[i], ref first[i], ref second[i]), where a state that is not
/// there is 0. Lanes: consecutive elements. Remainder: the last vector reaches into the buffers' padding, which
/// no reader sees.
/// </summary>
internal readonly unsafe struct ElementUpdate<TLanes>(int length) where TLanes : struct, ILanes<TLanes>
{
    private readonly VectorRanges ranges = new(length, TLanes.Count);

    public void Run<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second)
        where TUpdate : struct, IUpdate =>
        ranges.Run(new Elements<TUpdate>(update, parameter, gradient, first, second));

    private readonly struct Elements<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second) : IRangeBody where TUpdate : struct, IUpdate
    {
        public void Run(int from, int to) => UpdateVectors(update, parameter, gradient, first, second, from, to);
    }

    // for (i = lanes * from; i < lanes * to; i++) update(ref parameter[i], gradient[i], ref first[i], ref second[i]);
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void UpdateVectors<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first,
        float* second, int from, int to) where TUpdate : struct, IUpdate
    {
        for (var vector = from; vector < to; vector++)
        {
            var i = vector * TLanes.Count;
            var value = TLanes.Load(parameter + i);
            var one = first is null ? default : TLanes.Load(first + i);
            var two = second is null ? default : TLanes.Load(second + i);
            update.Apply(ref value, TLanes.Load(gradient + i), ref one, ref two);
            TLanes.Store(value, parameter + i);
            if (first is not null) TLanes.Store(one, first + i);
            if (second is not null) TLanes.Store(two, second + i);
        }
    }
}
