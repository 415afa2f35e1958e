using System.Runtime.CompilerServices;

namespace Tapegrad.Devices;

/// <summary>
/// Images [N, H, W, C] cut into square pieces of <paramref name="size"/> pixels that begin every <paramref name="step"/> pixels, the first one at
/// (<paramref name="top"/>, <paramref name="left"/>), row by row and image by image; pixels outside the image are 0.
/// </summary>
internal sealed unsafe class ImageTiles(int height, int width, int channels, int size, int step, int top, int left, int down, int across)
{
    /// <summary>Elements that <see cref="Find"/> needs for a piece that reaches beyond its image, and a vector of slack behind them.</summary>
    public int PatchLength { get; } = size * size * channels + 8;

    /// <summary>The image, and the first row and column, of a piece.</summary>
    public (int Image, int Row, int Column) Place(int tile)
    {
        var (rest, column) = Math.DivRem(tile, across);
        var (image, row) = Math.DivRem(rest, down);
        return (image, row * step + top, column * step + left);
    }

    /// <summary>Where a piece lies: in its image, or, where it reaches beyond that, copied to the patch with zeros around it.</summary>
    public float* Find(float* images, int tile, float* patch, out long rowLength)
    {
        var (image, row, column) = Place(tile);
        var from = images + ((long)image * height * width + (long)row * width + column) * channels;
        rowLength = (long)width * channels;
        if (row >= 0 && column >= 0 && row + size <= height && column + size <= width) return from;

        var (skipped, end) = (Math.Clamp(-column, 0, size), Math.Clamp(width - column, 0, size));
        for (var i = 0; i < size; i++, from += rowLength)
        {
            var line = new Span<float>(patch + i * size * channels, size * channels);
            var copied = row + i >= 0 && row + i < height ? Math.Max(0, end - skipped) : 0;
            line[..(skipped * channels)].Clear();
            if (copied > 0) Unsafe.CopyBlockUnaligned(patch + (i * size + skipped) * channels, from + skipped * channels, (uint)(copied * channels * sizeof(float)));
            line[((skipped + copied) * channels)..].Clear();
        }
        rowLength = size * channels;
        return patch;
    }
}
