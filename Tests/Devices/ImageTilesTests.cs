using FsCheck;
using FsCheck.Xunit;
using Tapegrad.Devices.Cpu;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>Stepping from piece to piece leads where a piece's number says that it lies.</summary>
public class ImageTilesTests
{
    [Property]
    public void From_any_piece_the_next_ones_follow_in_their_order(PositiveInt height, PositiveInt width, int top,
        int left, NonNegativeInt first)
    {
        var (down, across) = (new Blocks(height.Get, 4), new Blocks(width.Get, 4));
        var tiles = new ImageTiles<Real32x8>(height.Get, width.Get, 8, top, left, down, across);
        var place = tiles.Place(first.Get);
        for (var tile = first.Get; tile < first.Get + 2 * down.Count * across.Count + 2; tile++, tiles.Next(ref place))
        {
            var (image, inImage) = Math.DivRem(tile, down.Count * across.Count);
            Assert.Equal((image, inImage / across.Count * 4 + top, inImage % across.Count * 4 + left),
                (place.Image, place.Row, place.Column));
        }
    }
}
