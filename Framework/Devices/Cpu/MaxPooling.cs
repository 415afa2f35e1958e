using System.Runtime.CompilerServices;
using static Tapegrad.Devices.Cpu.PoolingTaps;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Max pooling: y[n, i, j, c] = the largest x[n, i s + k d - p, j s + l d - p, c] of a window. A window that lies
/// outside the image gives -infinity.
/// Lanes: channels. Remainder: the last vector of a pixel reaches into what lies behind, and those lanes are dropped.
/// </summary>
internal readonly unsafe struct MaxPooling<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private readonly WindowGeometry geometry;
    private readonly Blocks vectors;   // of the channels
    private readonly Ranges ranges;   // of the result's rows

    public MaxPooling(WindowGeometry geometry)
    {
        this.geometry = geometry;
        vectors = new Blocks(geometry.Channels, TLanes.Count);
        var (rowLength, kernel) = ((long)geometry.OutputWidth * geometry.Channels, geometry.Kernel);
        ranges = new Ranges(geometry.Batch * geometry.OutputHeight, rowLength * kernel.Height * kernel.Width);
    }

    public void Run(float* x, float* y) => ranges.Run(new Rows(this, x, y));

    private readonly struct Rows(MaxPooling<TLanes> pooling, float* x, float* y) : IRangeBody, IWindowBody
    {
        public void Run(int from, int to) => Walk(pooling.geometry, from, to, this);

        public void Run(long* taps, int count, long window) =>
            FindLargest(x, taps, count, pooling.vectors.Length, y + window);
    }

    // for (c = 0; c < channels; c++) y[c] = the largest x[taps[t] + c]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FindLargest(float* x, long* taps, int count, int channels, float* y)
    {
        for (var c = 0; c < channels; c += TLanes.Count)
        {
            var best = count == 0 ? TLanes.Repeat(float.NegativeInfinity) : TLanes.Load(x + taps[0] + c);
            for (var t = 1; t < count; t++)
            {
                var value = TLanes.Load(x + taps[t] + c);
                best = TLanes.Choose(Wins(value, best), value, best);
            }
            Lanes.Store(best, y + c, channels - c);
        }
    }
}
