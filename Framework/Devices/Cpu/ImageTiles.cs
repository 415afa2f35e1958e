using System.Runtime.Intrinsics.X86;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Images [N, H, W, C] cut into pieces that begin every four pixels, the first one at (<paramref name="top"/>,
/// <paramref name="left"/>), row by row and image by image: the tiles of Winograd's convolution. Pixels outside the
/// image are 0.
/// </summary>
internal sealed unsafe class ImageTiles<TLanes>(int height, int width, int channels, int top, int left,
    Blocks down, Blocks across) where TLanes : struct, ILanes<TLanes>
{
    private const int Step = WinogradTile.Results;
    private const int Ahead = 6;   // tiles: about a microsecond, longer than memory takes to answer

    /// <summary>The image of a piece, and its first row and column there, which may lie outside.</summary>
    public (int Image, int Row, int Column) Place(int tile)
    {
        var (rest, column) = Math.DivRem(tile, across.Count);
        var (image, row) = Math.DivRem(rest, down.Count);
        return (image, row * Step + top, column * Step + left);
    }

    /// <summary>
    /// Some consecutive pieces, transformed: B' d B of 6 x 6 pixels, or A g A' of the 4 x 4 pixels of a gradient.
    /// planes[plane, tile, channel], where tiles lie <paramref name="tileLength"/> elements apart.
    /// </summary>
    public void Transform(float* images, bool isGradient, int first, int count, float* planes, int tileLength,
        long planeLength)
    {
        var (size, rowLength) = (isGradient ? WinogradTile.Results : WinogradTile.Inputs,
            (long)width * channels);
        for (var tile = 0; tile < count; tile++, planes += tileLength)
        {
            Prefetch(images, first + tile);
            var (from, inside) = Find(images, first + tile, size);
            for (var c = 0; c < channels; c += TLanes.Count)
                if (isGradient)
                    WinogradTransforms<TLanes>.GradientInward((float*)from + c, rowLength, channels, in inside,
                        planes + c, planeLength);
                else
                    WinogradTransforms<TLanes>.Inward((float*)from + c, rowLength, channels, in inside, planes + c,
                        planeLength);
        }
    }

    /// <summary>
    /// Asks for the middle 4 x 4 pixels of a later piece: they lie in four rows, whose order the processor does not
    /// foresee. Changes no number.
    /// </summary>
    public void Prefetch(float* images, int tile)
    {
        if (!Sse.IsSupported) return;
        var (image, row, column) = Place(tile + Ahead);
        var from = images + ((long)(image * height + row - top) * width + column - left) * channels;
        for (var i = 0; i < Step; i++, from += (long)width * channels)
            for (var c = 0; c < Step * channels; c += 16) Sse.Prefetch0(from + c);
    }

    // Where a piece begins, and which of its pixels exist.
    private (nint, TileBounds) Find(float* images, int tile, int size)
    {
        var (image, row, column) = Place(tile);
        return ((nint)(images + ((long)(image * height + row) * width + column) * channels), new TileBounds(
            Math.Clamp(-row, 0, size), Math.Clamp(height - row, 0, size), Math.Clamp(-column, 0, size),
            Math.Clamp(width - column, 0, size)));
    }
}

/// <summary>
/// The rows Top .. Bottom - 1 and the columns Left .. Right - 1 of a tile exist; the others are 0. Passed by reference,
/// as <see cref="ProductRows"/> are.
/// </summary>
internal readonly record struct TileBounds(int Top, int Bottom, int Left, int Right);
