using System.Runtime.CompilerServices;
using static Tapegrad.Devices.Cpu.Vectors;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// A formula of one element: y[i] = map(x[i]). Lanes: eight consecutive elements. Remainder: the last vector reaches
/// into the buffers' padding, which no reader sees.
/// </summary>
internal readonly unsafe struct ElementMap(int length)
{
    private readonly VectorRanges ranges = new(length);

    public void Run<TMap>(TMap map, float* x, float* y) where TMap : struct, IMap =>
        ranges.Run(new Elements<TMap>(map, x, y));

    private readonly struct Elements<TMap>(TMap map, float* x, float* y) : IRangeBody where TMap : struct, IMap
    {
        public void Run(int from, int to) => MapVectors(map, x + from * Lanes, y + from * Lanes, to - from);
    }

    // for (i = 0; i < 8 * vectors; i++) y[i] = map(x[i]);
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MapVectors<TMap>(TMap map, float* x, float* y, int vectors) where TMap : struct, IMap
    {
        for (var end = x + vectors * Lanes; x < end; x += Lanes, y += Lanes) Store(map.Apply(Load(x)), y);
    }
}
