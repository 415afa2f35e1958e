using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The adjoint of <see cref="WindowExtraction"/>: each pixel adds the windows that cover it in the order (i, j, ky,
/// kx), as the reference does. The threads share rows of pixels.
/// </summary>
internal readonly unsafe struct WindowAddition<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private readonly WindowGeometry geometry;
    private readonly Blocks vectors;   // of the channels
    private readonly Ranges ranges;   // of the images' rows

    public WindowAddition(WindowGeometry geometry)
    {
        this.geometry = geometry;
        vectors = new Blocks(geometry.Channels, TLanes.Count);
        var (rows, kernel) = (geometry.Batch * geometry.Height, geometry.Kernel);
        ranges = new Ranges(rows, (long)RowLength * kernel.Height * kernel.Width);
    }

    // [W, C]
    private int RowLength => geometry.Width * geometry.Channels;

    public void Run(float* windows, float* x) => ranges.Run(new Rows(this, windows, x));

    private readonly struct Rows(WindowAddition<TLanes> addition, float* windows, float* x) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var row = from; row < to; row++) addition.AddRow(windows, row, x + (long)row * addition.RowLength);
        }
    }

    // One row (n, y) of pixels.
    private void AddRow(float* windows, int row, float* pixels)
    {
        var (image, y) = Math.DivRem(row, geometry.Height);
        var (channels, width, kernel, outputHeight, outputWidth) =
            (vectors.Length, geometry.Width, geometry.Kernel, geometry.OutputHeight, geometry.OutputWidth);
        Unsafe.InitBlockUnaligned(pixels, 0, (uint)(width * channels) * sizeof(float));
        for (var ky = kernel.Height - 1; ky >= 0; ky--)
        {
            var first = y - ky * geometry.Dilation.Height + geometry.Padding.Height;
            var (i, between) = Math.DivRem(first, geometry.Stride.Height);
            if (between != 0 || (uint)i >= (uint)outputHeight) continue;
            for (var j = 0; j < outputWidth; j++)
            {
                var place = (((long)image * outputHeight + i) * outputWidth + j) * kernel.Height + ky;
                var source = windows + place * kernel.Width * channels;
                for (var kx = 0; kx < kernel.Width; kx++, source += channels)
                {
                    var column = j * geometry.Stride.Width + kx * geometry.Dilation.Width - geometry.Padding.Width;
                    if ((uint)column < (uint)width) AddRun(source, pixels + (long)column * channels, channels);
                }
            }
        }
    }

    // for (i = 0; i < length; i++) target[i] += source[i]; remainder: the last vector's lanes beyond the run are
    // dropped.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void AddRun(float* source, float* target, int length)
    {
        for (var i = 0; i < length; i += TLanes.Count)
            Lanes.Store(TLanes.Load(target + i) + TLanes.Load(source + i), target + i, length - i);
    }
}
