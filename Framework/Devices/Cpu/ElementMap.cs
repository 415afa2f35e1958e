using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// A formula of one element: y[i] = map(x[i]). Lanes: consecutive elements. Remainder: the last vector reaches
/// into the buffers' padding, which no reader sees.
/// </summary>
internal readonly unsafe struct ElementMap<TLanes>(int length) where TLanes : struct, ILanes<TLanes>
{
    private readonly VectorRanges ranges = new(length, TLanes.Count);

    public void Run<TMap>(TMap map, float* x, float* y) where TMap : struct, IMap =>
        ranges.Run(new Elements<TMap>(map, x, y));

    private readonly struct Elements<TMap>(TMap map, float* x, float* y) : IRangeBody where TMap : struct, IMap
    {
        public void Run(int from, int to) =>
            MapVectors(map, x + from * TLanes.Count, y + from * TLanes.Count, to - from);
    }

    // for (i = 0; i < lanes * vectors; i++) y[i] = map(x[i]);
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void MapVectors<TMap>(TMap map, float* x, float* y, int vectors) where TMap : struct, IMap
    {
        for (var end = x + vectors * TLanes.Count; x < end; x += TLanes.Count, y += TLanes.Count)
            TLanes.Store(map.Apply(TLanes.Load(x)), y);
    }
}
