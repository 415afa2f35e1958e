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

    /// <summary>Pieces that pass in about a microsecond, longer than memory takes to answer.</summary>
    public const int Ahead = 6;

    /// <summary>Where a piece lies.</summary>
    public TilePlace Place(int tile)
    {
        var (rest, column) = Math.DivRem(tile, across.Count);
        var (image, row) = Math.DivRem(rest, down.Count);
        return new TilePlace { Image = image, Row = row * Step + top, Column = column * Step + left };
    }

    /// <summary>
    /// Goes to the next piece, without the divisions that find any: they would take a tenth of a convolution's time.
    /// </summary>
    public void Next(ref TilePlace place)
    {
        place.Column += Step;
        if (place.Column < across.Count * Step + left) return;
        place.Column = left;
        place.Row += Step;
        if (place.Row < down.Count * Step + top) return;
        place.Row = top;
        place.Image++;
    }

    /// <summary>
    /// Some consecutive pieces, transformed: B' d B of 6 x 6 pixels, or A g A' of the 4 x 4 pixels of a gradient.
    /// planes[plane, tile, channel], where tiles lie <paramref name="tileLength"/> elements apart.
    /// </summary>
    public void Transform(float* images, bool isGradient, int first, int count, float* planes, int tileLength,
        long planeLength)
    {
        var (size, rowLength) = (isGradient ? Step : WinogradTile.Inputs, (long)width * channels);
        var (place, later) = (Place(first), Place(first + Ahead));
        for (var tile = 0; tile < count; tile++, planes += tileLength, Next(ref place), Next(ref later))
        {
            Prefetch(images, in later, size);
            var from = images + Offset(in place);
            var inside = new TileBounds(Math.Clamp(-place.Row, 0, size), Math.Clamp(height - place.Row, 0, size),
                Math.Clamp(-place.Column, 0, size), Math.Clamp(width - place.Column, 0, size));
            for (var c = 0; c < channels; c += TLanes.Count)
                if (isGradient)
                    WinogradTransforms<TLanes>.GradientInward(from + c, rowLength, channels, in inside, planes + c,
                        planeLength);
                else
                    WinogradTransforms<TLanes>.Inward(from + c, rowLength, channels, in inside, planes + c,
                        planeLength);
        }
    }

    /// <summary>The element at which a piece begins; it may lie outside.</summary>
    public long Offset(in TilePlace place) =>
        (((long)place.Image * height + place.Row) * width + place.Column) * channels;

    /// <summary>
    /// Asks for the last 4 x 4 of a later piece's <paramref name="size"/> x <paramref name="size"/> pixels; the others
    /// belong to pieces before it, too. They lie in four rows, whose order the processor does not foresee. Changes no
    /// number.
    /// </summary>
    public void Prefetch(float* images, in TilePlace later, int size)
    {
        if (!Sse.IsSupported) return;
        var from = images + Offset(in later) + (long)(size - Step) * (width + 1) * channels;
        for (var i = 0; i < Step; i++, from += (long)width * channels)
            for (var c = 0; c < Step * channels; c += 16) Sse.Prefetch0(from + c);
    }
}

/// <summary>The image of a piece, and its first row and column there, which may lie outside.</summary>
internal struct TilePlace
{
    public int Image, Row, Column;
}

/// <summary>
/// The rows Top .. Bottom - 1 and the columns Left .. Right - 1 of a tile exist; the others are 0. Passed by reference,
/// as <see cref="ProductRows"/> are.
/// </summary>
internal readonly record struct TileBounds(int Top, int Bottom, int Left, int Right);
