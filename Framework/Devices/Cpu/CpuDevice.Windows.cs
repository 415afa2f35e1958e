using System.Runtime.CompilerServices;
using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Windows of images [N, H, W, C] and the adjoint: windows [N, OH, OW, KH, KW, C]. The channels of a pixel are one contiguous run in both.
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows)
    {
        if (windows.Length == 0) return;
        var pixels = Pointer(x);
        var elements = Pointer(windows);
        var rows = geometry.Batch * geometry.OutputHeight;
        var each = windows.Length / rows;
        InRanges(rows, each, (from, to) =>
        {
            for (var row = from; row < to; row++) ExtractRow(geometry, pixels, row, elements + (long)row * each);
        });
        GC.KeepAlive(x);
        GC.KeepAlive(windows);
    }

    // The windows of one row (n, i): [OW, KH, KW, C].
    private static void ExtractRow(WindowGeometry geometry, float* pixels, int row, float* windows)
    {
        var (image, i) = Math.DivRem(row, geometry.OutputHeight);
        var (channels, width, kernel, outputWidth) = (geometry.Channels, geometry.Width, geometry.Kernel, geometry.OutputWidth);
        for (var j = 0; j < outputWidth; j++)
            for (var ky = 0; ky < kernel.Height; ky++)
            {
                var y = i * geometry.Stride.Height + ky * geometry.Dilation.Height - geometry.Padding.Height;
                var line = (uint)y < (uint)geometry.Height ? pixels + ((long)image * geometry.Height + y) * width * channels : null;
                for (var kx = 0; kx < kernel.Width; kx++, windows += channels)
                {
                    var column = j * geometry.Stride.Width + kx * geometry.Dilation.Width - geometry.Padding.Width;
                    if (line is null || (uint)column >= (uint)width) Unsafe.InitBlockUnaligned(windows, 0, (uint)channels * sizeof(float));
                    else Unsafe.CopyBlockUnaligned(windows, line + (long)column * channels, (uint)channels * sizeof(float));
                }
            }
    }

    /// <inheritdoc/>
    public override void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x)
    {
        if (x.Length == 0) return;
        var elements = Pointer(windows);
        var pixels = Pointer(x);
        var each = geometry.Width * geometry.Channels;
        InRanges(geometry.Batch * geometry.Height, (long)each * geometry.Kernel.Height * geometry.Kernel.Width, (from, to) =>
        {
            for (var row = from; row < to; row++) AddRow(geometry, elements, row, pixels + (long)row * each);
        });
        GC.KeepAlive(windows);
        GC.KeepAlive(x);
    }

    // One row (n, y) of pixels: [W, C]. Each pixel adds the windows that cover it in the order (i, j, ky, kx), as the reference does.
    private static void AddRow(WindowGeometry geometry, float* windows, int row, float* pixels)
    {
        var (image, y) = Math.DivRem(row, geometry.Height);
        var (channels, width, kernel, outputHeight, outputWidth) =
            (geometry.Channels, geometry.Width, geometry.Kernel, geometry.OutputHeight, geometry.OutputWidth);
        Unsafe.InitBlockUnaligned(pixels, 0, (uint)(width * channels) * sizeof(float));
        for (var ky = kernel.Height - 1; ky >= 0; ky--)
        {
            var (i, between) = Math.DivRem(y - ky * geometry.Dilation.Height + geometry.Padding.Height, geometry.Stride.Height);
            if (between != 0 || (uint)i >= (uint)outputHeight) continue;
            for (var j = 0; j < outputWidth; j++)
            {
                var source = windows + ((((long)image * outputHeight + i) * outputWidth + j) * kernel.Height + ky) * kernel.Width * channels;
                for (var kx = 0; kx < kernel.Width; kx++, source += channels)
                {
                    var column = j * geometry.Stride.Width + kx * geometry.Dilation.Width - geometry.Padding.Width;
                    if ((uint)column < (uint)width) AddRun(source, pixels + (long)column * channels, channels);
                }
            }
        }
    }

    // for (i = 0; i < length; i++) target[i] += source[i]; remainder: the last vector's lanes beyond the run are dropped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRun(float* source, float* target, int length)
    {
        var i = 0;
        for (; i + Lanes <= length; i += Lanes) Store(Load(target + i) + Load(source + i), target + i);
        if (i < length) Store(Load(target + i) + Load(source + i), target + i, length - i);
    }
}
