using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Max pooling: y[n, i, j, c] = the largest x[n, i s + k d - p, j s + l d - p, c] of a window; its gradient goes to the first largest one, in
// row-major order: a later element must be larger to win, or NaN. A window that lies outside the image gives -infinity and passes no gradient.
// Lanes: channels. Remainder: the last vector of a pixel reaches into what lies behind, and those lanes are dropped.
public sealed unsafe partial class CpuDevice : IPoolingKernels
{
    /// <inheritdoc/>
    public void MaxPool(WindowGeometry geometry, Buffer x, Buffer y)
    {
        if (y.Length == 0) return;
        float* images = Pointer(x), output = Pointer(y);
        var (rows, kernel) = (geometry.Batch * geometry.OutputHeight, geometry.Kernel);
        var rowLength = geometry.OutputWidth * geometry.Channels;
        InRanges(rows, (long)rowLength * kernel.Height * kernel.Width, (from, to) =>
        {
            var taps = Scratch<long>.Rent(kernel.Height * kernel.Width);
            for (var row = from; row < to; row++)
                for (var j = 0; j < geometry.OutputWidth; j++)
                {
                    var count = FindTaps(geometry, row % geometry.OutputHeight, j, taps);
                    FindLargest(images + row / geometry.OutputHeight * ImageLength(geometry), taps, count, geometry.Channels,
                        output + (long)row * rowLength + j * geometry.Channels);
                }
        });
        GC.KeepAlive(x);
        GC.KeepAlive(y);
    }

    /// <inheritdoc/>
    public void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        float* images = Pointer(x), gradients = Pointer(gradient), output = Pointer(xGradient);
        var (kernel, length) = (geometry.Kernel, ImageLength(geometry));
        InRanges(geometry.Batch, length * kernel.Height * kernel.Width, (from, to) =>
        {
            var taps = Scratch<long>.Rent(kernel.Height * kernel.Width);
            for (var n = from; n < to; n++)
            {
                new Span<float>(output + n * length, (int)length).Clear();
                var g = gradients + (long)n * geometry.OutputHeight * geometry.OutputWidth * geometry.Channels;
                for (var i = 0; i < geometry.OutputHeight; i++)
                    for (var j = 0; j < geometry.OutputWidth; j++, g += geometry.Channels)
                        AddToLargest(images + n * length, taps, FindTaps(geometry, i, j, taps), geometry.Channels, g, output + n * length);
            }
        });
        KeepAlive(x, gradient, xGradient);
    }

    private static long ImageLength(WindowGeometry geometry) => (long)geometry.Height * geometry.Width * geometry.Channels;

    // The pixels of window (i, j) that lie in the image, in row-major order: where each begins. Returns their number.
    private static int FindTaps(WindowGeometry geometry, int i, int j, long* taps)
    {
        var (kernel, stride, padding, dilation) = (geometry.Kernel, geometry.Stride, geometry.Padding, geometry.Dilation);
        var count = 0;
        for (var k = 0; k < kernel.Height; k++)
        {
            var row = i * stride.Height + k * dilation.Height - padding.Height;
            if ((uint)row >= (uint)geometry.Height) continue;
            for (var l = 0; l < kernel.Width; l++)
            {
                var column = j * stride.Width + l * dilation.Width - padding.Width;
                if ((uint)column < (uint)geometry.Width) taps[count++] = ((long)row * geometry.Width + column) * geometry.Channels;
            }
        }
        return count;
    }

    // for (c = 0; c < channels; c++) y[c] = the largest image[taps[t] + c]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void FindLargest(float* image, long* taps, int count, int channels, float* y)
    {
        for (var c = 0; c < channels; c += Lanes)
        {
            var best = count == 0 ? Vector256.Create(float.NegativeInfinity) : Vector256.Load(image + taps[0] + c);
            for (var t = 1; t < count; t++)
            {
                var value = Vector256.Load(image + taps[t] + c);
                best = Vector256.ConditionalSelect(Wins(value, best), value, best);
            }
            StoreChannels(best, y + c, channels - c);
        }
    }

    // for (c = 0; c < channels; c++) gradient[taps[t] + c] += g[c], where t is the first of the largest image[taps[t] + c]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddToLargest(float* image, long* taps, int count, int channels, float* g, float* gradient)
    {
        if (count == 0) return;
        for (var c = 0; c < channels; c += Lanes)
        {
            var best = Vector256.Load(image + taps[0] + c);
            var winner = Vector256<int>.Zero;
            for (var t = 1; t < count; t++)
            {
                var value = Vector256.Load(image + taps[t] + c);
                var wins = Wins(value, best);
                best = Vector256.ConditionalSelect(wins, value, best);
                winner = Vector256.ConditionalSelect(wins.AsInt32(), Vector256.Create(t), winner);
            }
            var share = Vector256.Load(g + c);
            for (var t = 0; t < count; t++)
            {
                var target = gradient + taps[t] + c;
                var isWinner = Vector256.Equals(winner, Vector256.Create(t)).AsSingle();
                StoreChannels(Vector256.Load(target) + Vector256.ConditionalSelect(isWinner, share, Vector256<float>.Zero), target, channels - c);
            }
        }
    }

    // A larger value wins over the best so far, and so does the first NaN.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Wins(Vector256<float> value, Vector256<float> best) =>
        Vector256.GreaterThan(value, best) | Vector256.IsNaN(value) & Vector256.Equals(best, best);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StoreChannels(Vector256<float> value, float* target, int channels)
    {
        if (channels >= Lanes) value.Store(target);
        else Store(new Real32x8(value), target, channels);
    }
}
