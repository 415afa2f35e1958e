using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>What is done with a window.</summary>
internal unsafe interface IWindowBody
{
    /// <summary>Does it with the window whose result is y[window ..]; its pixels begin at x[taps[t]].</summary>
    void Run(long* taps, int count, long window);
}

/// <summary>What max pooling and its gradient share: which pixels a window sees, and which of two numbers
/// wins.</summary>
internal static unsafe class PoolingTaps
{
    /// <summary>Does something with each window of the rows (n, i) from .. to - 1 of the result, in order.</summary>
    public static void Walk<TBody>(in WindowGeometry geometry, int from, int to, TBody body)
        where TBody : struct, IWindowBody
    {
        var taps = Scratch<long>.Rent(geometry.Kernel.Height * geometry.Kernel.Width);
        var (height, width) = (geometry.OutputHeight, geometry.OutputWidth);
        var window = (long)from * width * geometry.Channels;
        for (var row = from; row < to; row++)
        {
            var (image, i) = Math.DivRem(row, height);
            for (var j = 0; j < width; j++, window += geometry.Channels)
                body.Run(taps, Find(geometry, image, i, j, taps), window);
        }
    }

    // The pixels of window (i, j) that lie in the image, in row-major order: where each begins. Returns their number.
    private static int Find(in WindowGeometry geometry, int image, int i, int j, long* taps)
    {
        var (kernel, stride) = (geometry.Kernel, geometry.Stride);
        var (padding, dilation) = (geometry.Padding, geometry.Dilation);
        var count = 0;
        for (var k = 0; k < kernel.Height; k++)
        {
            var row = i * stride.Height + k * dilation.Height - padding.Height;
            if ((uint)row >= (uint)geometry.Height) continue;
            for (var l = 0; l < kernel.Width; l++)
            {
                var column = j * stride.Width + l * dilation.Width - padding.Width;
                if ((uint)column >= (uint)geometry.Width) continue;
                taps[count++] = (((long)image * geometry.Height + row) * geometry.Width + column) * geometry.Channels;
            }
        }
        return count;
    }

    /// <summary>A larger value wins over the best so far, and so does the first NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Wins<TLanes>(TLanes value, TLanes best) where TLanes : struct, ILanes<TLanes> =>
        TLanes.AndNot(TLanes.IsEqual(best, best), TLanes.IsLessOrEqual(value, best));   // not (value <= best)
}
