using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>What max pooling and its gradient share: which pixels a window sees, and which of two numbers
/// wins.</summary>
internal static unsafe class PoolingTaps
{
    /// <summary>The most pixels of a window.</summary>
    public static int Most(WindowGeometry geometry) => geometry.Kernel.Height * geometry.Kernel.Width;

    /// <summary>The pixels of window (i, j) that lie in the image, in row-major order: where each begins. Returns their
    /// number.</summary>
    public static int Find(in WindowGeometry geometry, int i, int j, long* taps)
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
                taps[count++] = ((long)row * geometry.Width + column) * geometry.Channels;
            }
        }
        return count;
    }

    /// <summary>A larger value wins over the best so far, and so does the first NaN.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Wins<TLanes>(TLanes value, TLanes best) where TLanes : struct, ILanes<TLanes> =>
        TLanes.AndNot(TLanes.IsEqual(best, best), TLanes.IsLessOrEqual(value, best));   // not (value <= best)
}
