using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Windows [N, OH, OW, KH, KW, C] of images [N, H, W, C]. The channels of a pixel are one contiguous run in both.
/// </summary>
internal readonly unsafe struct WindowExtraction
{
    private readonly WindowGeometry geometry;
    private readonly int rowLength;   // of the windows: [OW, KH, KW, C]
    private readonly Ranges ranges;   // of the windows' rows

    public WindowExtraction(WindowGeometry geometry)
    {
        this.geometry = geometry;
        rowLength = geometry.OutputWidth * geometry.Kernel.Height * geometry.Kernel.Width * geometry.Channels;
        ranges = new Ranges(geometry.Batch * geometry.OutputHeight, rowLength);
    }

    public void Run(float* x, float* windows) => ranges.Run(new Rows(this, x, windows));

    private readonly struct Rows(WindowExtraction extraction, float* x, float* windows) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var row = from; row < to; row++)
                extraction.ExtractRow(x, row, windows + (long)row * extraction.rowLength);
        }
    }

    // The windows of one row (n, i).
    private void ExtractRow(float* pixels, int row, float* windows)
    {
        var (image, i) = Math.DivRem(row, geometry.OutputHeight);
        var (channels, height, width) = (geometry.Channels, geometry.Height, geometry.Width);
        var (kernel, outputWidth, bytes) = (geometry.Kernel, geometry.OutputWidth, (uint)channels * sizeof(float));
        pixels += (long)image * height * width * channels;
        for (var j = 0; j < outputWidth; j++)
            for (var ky = 0; ky < kernel.Height; ky++)
            {
                var y = i * geometry.Stride.Height + ky * geometry.Dilation.Height - geometry.Padding.Height;
                var line = (uint)y < (uint)height ? pixels + (long)y * width * channels : null;
                for (var kx = 0; kx < kernel.Width; kx++, windows += channels)
                {
                    var column = j * geometry.Stride.Width + kx * geometry.Dilation.Width - geometry.Padding.Width;
                    if (line is null || (uint)column >= (uint)width) Unsafe.InitBlockUnaligned(windows, 0, bytes);
                    else Unsafe.CopyBlockUnaligned(windows, line + (long)column * channels, bytes);
                }
            }
    }
}
