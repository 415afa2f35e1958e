using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static Tapegrad.Devices.Cpu.Vectors;

namespace Tapegrad.Devices.Cpu;

/// <summary>What max pooling and its gradient share: which pixels a window sees, and which of two numbers
/// wins.</summary>
internal static unsafe class PoolingTaps
{
    /// <summary>The most pixels of a window.</summary>
    public static int Most(WindowGeometry geometry) => geometry.Kernel.Height * geometry.Kernel.Width;

    /// <summary>The pixels of window (i, j) that lie in the image, in row-major order: where each begins. Returns their
    /// number.</summary>
    public static int Find(WindowGeometry geometry, int i, int j, long* taps)
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
    public static Vector256<float> Wins(Vector256<float> value, Vector256<float> best) =>
        Vector256.GreaterThan(value, best) | Vector256.IsNaN(value) & Vector256.Equals(best, best);

    /// <summary>Stores the lanes that are channels of this pixel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreChannels(Vector256<float> value, float* target, int channels)
    {
        if (channels >= Lanes) value.Store(target);
        else Store(new Real32x8(value), target, channels);
    }
}
