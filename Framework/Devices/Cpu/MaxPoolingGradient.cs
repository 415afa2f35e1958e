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
        ranges = new Ranges(geometry.Batch, ImageLength * geometry.Kernel.Height * geometry.Kernel.Width);
    }

    private long ImageLength => (long)geometry.Height * geometry.Width * geometry.Channels;

    public void Run(float* x, float* g, float* xGradient) => ranges.Run(new Images(this, x, g, xGradient));

    private readonly struct Images(MaxPoolingGradient<TLanes> pooling, float* x, float* g, float* xGradient)
        : IRangeBody, IWindowBody
    {
        public void Run(int from, int to)
        {
            var (length, rows) = (pooling.ImageLength, pooling.geometry.OutputHeight);
            for (var image = from; image < to; image++)
            {
                new Span<float>(xGradient + image * length, (int)length).Clear();
                Walk(pooling.geometry, image * rows, (image + 1) * rows, this);
            }
        }

        public void Run(long* taps, int count, long window) =>
            AddToLargest(x, taps, count, pooling.vectors.Length, g + window, xGradient);
    }

    // for (c = 0; c < channels; c++) gradient[taps[t] + c] += g[c], where t is the first whose x[taps[t] + c] is the
    // largest
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddToLargest(float* x, long* taps, int count, int channels, float* g, float* gradient)
    {
        if (count == 0) return;
        for (var c = 0; c < channels; c += TLanes.Count)
        {
            var best = TLanes.Load(x + taps[0] + c);
            var winner = TLanes.Zero;
            for (var t = 1; t < count; t++)
            {
                var value = TLanes.Load(x + taps[t] + c);
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
