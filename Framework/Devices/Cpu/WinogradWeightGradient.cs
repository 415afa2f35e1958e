using System.Runtime.CompilerServices;
using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The weight gradient of a 3x3 convolution of stride 1 by Winograd's F(4x4, 3x3)
/// (<see cref="WinogradTransforms{TLanes}"/>). Equals, up to rounding,
/// <code>
/// for k, l, c, o:  w[k, l, c, o] = sum over n, i, j of x[n, i + k - p, j + l - p, c] * g[n, i, j, o]
/// </code>
/// Transform a few tiles of x and of g; add, in each of 36 planes, the products of their channels to sums [C, O];
/// transform the sums back when all tiles are in them. Each sum runs over the tiles of a part as one chain; then the
/// parts are added in their order. They are cut by the shape alone.
/// </summary>
/// <remarks>
/// Lanes: channels in the transforms; output channels, the columns of a tile, a panel, in the sums, where its rows are
/// input channels.
/// Remainders: pixels outside the images are 0; channels behind the last are computed from what lies there and dropped.
/// </remarks>
internal sealed unsafe class WinogradWeightGradient<TLanes> : IWeightGradientPlan
    where TLanes : struct, ILanes<TLanes>
{
    private const int Planes = WinogradTile.Planes;
    private const int Results = WinogradTile.Results;
    private const int Taps = WinogradTile.Taps;
    private const int MostParts = 16, LeastItems = 8;
    private const int PartTiles = 32;         // a part has this many tiles at least
    // tiles whose products follow one another, of a channel pair: they stay in the first cache
    private const int BlockTiles = 96;
    private const int PlaneGap = 16;          // planes a power of two apart would share the cache's sets

    private readonly TileShape tile;       // of the sums
    private readonly int inputs, outputs, inputLength, outputLength, planeLength, block;
    private readonly Clamped partCount, shareCount;
    private readonly Shares parts;         // of the tiles
    private readonly Shares shares;        // of the planes
    private readonly Blocks[] blocks;      // of the tiles of each part
    private readonly Blocks panels;        // of the outputs
    private readonly Blocks rowTiles;      // of the inputs
    private readonly ImageTiles<TLanes> x, g;

    public WinogradWeightGradient(ConvolutionGeometry geometry)
    {
        var windows = geometry.Windows;
        (inputs, outputs) = (windows.Channels, geometry.OutputChannels);
        var (height, width) = (windows.OutputHeight, windows.OutputWidth);
        var (down, across) = (new Blocks(height, Results), new Blocks(width, Results));
        var tiles = windows.Batch * down.Count * across.Count;
        x = new ImageTiles<TLanes>(windows.Height, windows.Width, inputs, -windows.Padding.Height,
            -windows.Padding.Width, down, across);
        g = new ImageTiles<TLanes>(height, width, outputs, 0, 0, down, across);
        tile = TileShape.For(outputs, TLanes.Count);
        (panels, rowTiles) = (new Blocks(outputs, tile.Columns), new Blocks(inputs, tile.Rows));
        (inputLength, outputLength) = (Spread((inputs + TLanes.Count - 1) / TLanes.Count * TLanes.Count),
            Spread(panels.Count * tile.Columns));
        planeLength = panels.Count * rowTiles.Count * tile.Rows * tile.Columns;
        // The more weights there are, the more tiles pay for writing and reading the sums of a part; instead of more
        // parts, several items of work then share a part's planes, and each transforms its tiles anew, which costs
        // little where there are many weights for every channel.
        var weights = inputs * outputs;
        partCount = new Clamped(tiles / Math.Max(PartTiles, weights / 32), 1, MostParts);
        parts = new Shares(tiles, partCount.Value);
        shareCount = new Clamped(weights / (inputs + outputs) / 32, 1, Math.Max(1, LeastItems / parts.Count));
        shares = new Shares(Planes, shareCount.Value);
        block = Blocks.Equal((tiles - 1) / parts.Count + 1, BlockTiles).Size;
        blocks = [.. Enumerable.Range(0, parts.Count).Select(part => new Blocks(parts.SizeOf(part), block))];
    }

    // The same channels of many tiles are read one after the other: an odd number of cache lines apart, they lie in
    // different sets of the cache.
    private static int Spread(int channels) => channels % 32 == 0 ? channels + 16 : channels;

    public void Run(BufferPool pool, float* x, float* g, float* w)
    {
        var partial = (HostBuffer<float>)pool.Rent(parts.Count * Planes * planeLength);
        var sums = partial.Pointer;
        Workers.Run(parts.Count * shares.Count, new Summing(this, x, g, sums));
        Workers.Run(panels.Count * rowTiles.Count, new Combining(this, sums, w));
        pool.Return(partial);
    }

    private readonly struct Summing(WinogradWeightGradient<TLanes> kernel, float* x, float* g, float* sums) : IItemBody
    {
        public void Run(int item) => kernel.SumPart(item / kernel.shares.Count, item % kernel.shares.Count, x, g, sums);
    }

    private readonly struct Combining(WinogradWeightGradient<TLanes> kernel, float* sums, float* w) : IItemBody
    {
        public void Run(int item) => kernel.Combine(item, sums, w);
    }

    // sums[part, plane, panel, row tile, 6, 16] of the tiles of one part, in a share of the planes.
    private void SumPart(int part, int share, float* images, float* gradients, float* sums)
    {
        var (firstPlane, endPlane) = (shares.From(share), shares.From(share + 1));
        sums += ((long)part * Planes + firstPlane) * planeLength;
        new Span<float>(sums, (endPlane - firstPlane) * planeLength).Clear();
        var (xPlane, gPlane) = (block * inputLength + PlaneGap, block * outputLength + PlaneGap);
        var xPlanes = Scratch<float>.Rent(Planes * (long)(xPlane + gPlane));
        var gPlanes = xPlanes + Planes * xPlane;
        var (start, length) = (0, tile.Rows * tile.Columns);
        for (var piece = 0; piece < blocks[part].Count; piece++)
        {
            var (first, count) = (parts.From(part) + blocks[part].From(piece), blocks[part].SizeOf(piece));
            x.Transform(images, isGradient: false, first, count, xPlanes, inputLength, xPlane);
            g.Transform(gradients, isGradient: true, first, count, gPlanes, outputLength, gPlane);
            var to = sums;
            for (var plane = firstPlane; plane < endPlane; plane++)
                for (var panel = 0; panel < panels.Count; panel++)
                    for (var c = 0; c < inputs; c += tile.Rows, to += length)
                        OuterProductTiles<TLanes>.Add(tile, xPlanes + plane * xPlane + c, &start, 1, count,
                            inputLength, gPlanes + plane * gPlane + panel * tile.Columns, outputLength, to, inputs - c);
        }
    }

    // The input channels of a tile and a panel of outputs: adds the parts and writes their weights.
    [SkipLocalsInit]
    private void Combine(int item, float* sums, float* w)
    {
        var (panel, rowTile) = Math.DivRem(item, rowTiles.Count);
        var lanes = panels.SizeOf(panel);
        var totals = stackalloc float[Planes * tile.Columns];
        var taps = stackalloc float[Taps * tile.Columns];
        sums += (long)item * tile.Rows * tile.Columns;
        var firstInput = rowTiles.From(rowTile);
        for (var c = firstInput; c < firstInput + rowTiles.SizeOf(rowTile); c++, sums += tile.Columns)
        {
            for (var plane = 0; plane < Planes; plane++)
            {
                var from = sums + (long)plane * planeLength;
                for (var lane = 0; lane < lanes; lane += TLanes.Count)
                {
                    var sum = TLanes.Load(from + lane);
                    for (var part = 1; part < parts.Count; part++)
                        sum += TLanes.Load(from + lane + (long)part * Planes * planeLength);
                    TLanes.Store(sum, totals + plane * tile.Columns + lane);
                }
            }
            for (var lane = 0; lane < lanes; lane += TLanes.Count)
                WinogradTransforms<TLanes>.WeightsOutward(totals + lane, tile.Columns, taps + lane, tile.Columns);
            for (var tap = 0; tap < Taps; tap++)
                new Span<float>(taps + tap * tile.Columns, lanes)
                    .CopyTo(new Span<float>(w + ((long)tap * inputs + c) * outputs + panel * tile.Columns, lanes));
        }
    }
}
