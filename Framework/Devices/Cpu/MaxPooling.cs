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
        ranges = new Ranges(geometry.Batch * geometry.OutputHeight, (long)RowLength * Most(geometry));
    }

    // [OW, C]
    private int RowLength => geometry.OutputWidth * geometry.Channels;

    public void Run(float* x, float* y) => ranges.Run(new Rows(this, x, y));

    private readonly struct Rows(MaxPooling<TLanes> pooling, float* x, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            var taps = Scratch<long>.Rent(Most(pooling.geometry));
            for (var row = from; row < to; row++) pooling.PoolRow(row, taps, x, y + (long)row * pooling.RowLength);
        }
    }

    private void PoolRow(int row, long* taps, float* x, float* y)
    {
        var (image, i) = Math.DivRem(row, geometry.OutputHeight);
        x += (long)image * geometry.Height * geometry.Width * geometry.Channels;
        for (var j = 0; j < geometry.OutputWidth; j++, y += geometry.Channels)
            FindLargest(x, taps, Find(geometry, i, j, taps), vectors.Length, y);
    }

    // for (c = 0; c < channels; c++) y[c] = the largest image[taps[t] + c]
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void FindLargest(float* image, long* taps, int count, int channels, float* y)
    {
        for (var c = 0; c < channels; c += TLanes.Count)
        {
            var best = count == 0 ? TLanes.Repeat(float.NegativeInfinity) : TLanes.Load(image + taps[0] + c);
            for (var t = 1; t < count; t++)
            {
                var value = TLanes.Load(image + taps[t] + c);
                best = TLanes.Choose(Wins(value, best), value, best);
            }
            Lanes.Store(best, y + c, channels - c);
        }
    }
}
