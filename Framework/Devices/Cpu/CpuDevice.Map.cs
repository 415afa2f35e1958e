using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Formulas of one element and its neighbours in other buffers: y[i] = map(x[i]), and updates in place.
// Lanes: eight consecutive elements. Remainder: the last vector reaches into the buffers' padding, which no reader sees.
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void Map<TMap>(TMap map, Buffer x, Buffer y)
    {
        InRanges(VectorsIn(y.Length), Lanes, new Mapping<TMap>(map, Pointer(x), Pointer(y)));
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    private readonly struct Mapping<TMap>(TMap map, float* x, float* y) : IRangeBody where TMap : struct, IMap
    {
        public void Run(int from, int to) => MapVectors(map, x + from * Lanes, y + from * Lanes, to - from);
    }

    // for (i = 0; i < 8 * vectors; i++) y[i] = map(x[i]);
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MapVectors<TMap>(TMap map, float* x, float* y, int vectors) where TMap : struct, IMap
    {
        for (var end = x + vectors * Lanes; x < end; x += Lanes, y += Lanes) Store(map.Apply(Load(x)), y);
    }

    /// <inheritdoc/>
    public override void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first, Buffer? second)
    {
        InRanges(VectorsIn(parameter.Length), Lanes,
            new Updating<TUpdate>(update, Pointer(parameter), Pointer(gradient), PointerOrNull(first), PointerOrNull(second)));
        GC.KeepAlive(parameter);
        GC.KeepAlive(gradient);
        GC.KeepAlive(first);
        GC.KeepAlive(second);
    }

    private readonly struct Updating<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second) : IRangeBody
        where TUpdate : struct, IUpdate
    {
        public void Run(int from, int to) => UpdateVectors(update, parameter, gradient, first, second, from, to);
    }

    // for (i = 8 * from; i < 8 * to; i++) update(ref parameter[i], gradient[i], ref first[i], ref second[i]); a state that is not there is 0.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void UpdateVectors<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second, int from, int to)
        where TUpdate : struct, IUpdate
    {
        for (var vector = from; vector < to; vector++)
        {
            var i = vector * Lanes;
            var value = Load(parameter + i);
            var one = first is null ? default : Load(first + i);
            var two = second is null ? default : Load(second + i);
            update.Apply(ref value, Load(gradient + i), ref one, ref two);
            Store(value, parameter + i);
            if (first is not null) Store(one, first + i);
            if (second is not null) Store(two, second + i);
        }
    }

    /// <inheritdoc/>
    public override void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first, Buffer? second, Buffer y)
    {
        InRanges(VectorsIn(parameter.Length), Lanes, new CheckingUpdate<TUpdate>(update, Pointer(parameter), Pointer(gradient),
            PointerOrNull(first), PointerOrNull(second), parameter.Length, Pointer(y)));
        GC.KeepAlive(parameter);
        GC.KeepAlive(gradient);
        GC.KeepAlive(first);
        GC.KeepAlive(second);
        GC.KeepAlive(y);
    }

    private readonly struct CheckingUpdate<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second, int length,
        float* verdict) : IRangeBody where TUpdate : struct, IUpdate
    {
        // Several ranges may write, all of them the same.
        public void Run(int from, int to)
        {
            if (LeavesNonFinite(update, parameter, gradient, first, second, from * Lanes, Math.Min(to * Lanes, length))) *verdict = float.NaN;
        }
    }

    // for (i = from; i < to; i++) whether gradient[i], or what the update would leave at i, is not finite. x - x is 0 where x is finite, else NaN.
    // Lanes: eight consecutive elements. Remainder: of the last vector, which reaches into the padding, only the lanes that belong here count.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static bool LeavesNonFinite<TUpdate>(TUpdate update, float* parameter, float* gradient, float* first, float* second, int from, int to)
        where TUpdate : struct, IUpdate
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
                difference = new(Vector256.ConditionalSelect(Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(to - i)).AsSingle(),
                    difference.Value, Vector256<float>.Zero));
            all += difference;
        }
        return !Vector256.EqualsAll(all.Value, Vector256<float>.Zero);
    }

    private static int VectorsIn(int length) => (int)((length + Lanes - 1L) / Lanes);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Real32x8 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Real32x8 value, float* target) => value.Value.Store(target);

    // Only the first lanes, for the end of a run behind which other elements lie.
    private static void Store(Real32x8 value, float* target, int lanes)
    {
        for (var lane = 0; lane < lanes; lane++) target[lane] = value.Value[lane];
    }
}
