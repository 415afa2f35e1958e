using System.Runtime.CompilerServices;
using static Tapegrad.Devices.Cpu.PoolingTaps;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The gradient of <see cref="MaxPooling{TLanes}"/>: that of a window goes to its first largest element, in row-major
/// order: a later element must be larger to win, or NaN. A window that lies outside the image passes none. The threads
/// share images, in which windows overlap.
/// Lanes: channels. Remainder: the last vector of a pixel reaches into what lies behind, and those lanes are dropped.
/// </summary>
internal readonly unsafe struct MaxPoolingGradient<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private readonly WindowGeometry geometry;
    private readonly Blocks vectors;   // of the channels
    private readonly Ranges ranges;   // of images

    public MaxPoolingGradient(WindowGeometry geometry)
    {
        this.geometry = geometry;
        vectors = new Blocks(geometry.Channels, TLanes.Count);
        ranges = new Ranges(geometry.Batch, ImageLength * Most(geometry));
    }

    private long ImageLength => (long)geometry.Height * geometry.Width * geometry.Channels;

    public void Run(float* x, float* g, float* xGradient) => ranges.Run(new Images(this, x, g, xGradient));

    private readonly struct Images(MaxPoolingGradient<TLanes> pooling, float* x, float* g, float* xGradient)
        : IRangeBody
    {
        public void Run(int from, int to)
        {
            var taps = Scratch<long>.Rent(Most(pooling.geometry));
            for (var image = from; image < to; image++) pooling.AddWindows(image, taps, x, g, xGradient);
        }
    }

    private void AddWindows(int image, long* taps, float* x, float* g, float* xGradient)
    {
        x += image * ImageLength;
        xGradient += image * ImageLength;
        new Span<float>(xGradient, (int)ImageLength).Clear();
        g += (long)image * geometry.OutputHeight * geometry.OutputWidth * geometry.Channels;
        for (var i = 0; i < geometry.OutputHeight; i++)
            for (var j = 0; j < geometry.OutputWidth; j++, g += geometry.Channels)
                AddToLargest(x, taps, Find(geometry, i, j, taps), vectors.Length, g, xGradient);
    }

    // for (c = 0; c < channels; c++) gradient[taps[t] + c] += g[c], where t is the first whose image[taps[t] + c] is
    // the largest
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddToLargest(float* image, long* taps, int count, int channels, float* g, float* gradient)
    {
        if (count == 0) return;
        for (var c = 0; c < channels; c += TLanes.Count)
        {
            var best = TLanes.Load(image + taps[0] + c);
            var winner = TLanes.Zero;
            for (var t = 1; t < count; t++)
            {
                var value = TLanes.Load(image + taps[t] + c);
                var wins = Wins(value, best);
                best = TLanes.Choose(wins, value, best);
                winner = TLanes.Choose(wins, TLanes.Repeat(t), winner);
            }
            var share = TLanes.Load(g + c);
            for (var t = 0; t < count; t++)
            {
                var target = gradient + taps[t] + c;
                var isWinner = TLanes.IsEqual(winner, TLanes.Repeat(t));
                var sum = TLanes.Load(target) + TLanes.And(share, isWinner);
                Lanes.Store(sum, target, channels - c);
            }
        }
    }
}
