using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The 3x3 convolution of stride 1, or its input gradient, by Winograd's F(4x4, 3x3)
/// (<see cref="WinogradTransforms{TLanes}"/>). Equals, up to rounding,
/// <code>
/// for n, i, j, o:  y[n, i, j, o] = bias[o] + sum over k, l, c of x[n, i + k - p, j + l - p, c] * w[k, l, c, o]
/// </code>
/// and the gradient is the same with the taps turned round and the channels exchanged. Three steps for a block of
/// tiles: transform the inputs to 36 planes [tiles, C]; multiply each plane with its weights [C, O]; transform the 36
/// products of a tile back to its 4x4 results.
/// </summary>
/// <remarks>
/// Lanes: channels, in the transforms, and output channels, the columns of a tile, a panel, in the products.
/// Remainders: pixels outside the image are 0, results outside it are computed and dropped, and so are channels behind
/// the last and tiles behind the last of a block.
/// </remarks>
internal sealed unsafe class WinogradConvolution<TLanes> : IConvolutionPlan where TLanes : struct, ILanes<TLanes>
{
    private const int Planes = WinogradTile.Planes;
    private const int Results = WinogradTile.Results;
    private const int Taps = WinogradTile.Taps;
    private const int BlockBytes = 300_000;   // the planes of a block stay in the second cache
    private const int LeastTiles = 24, MostTiles = 96;
    private const int MostParts = 4;          // each transforms the inputs anew
    private const int PlaneGap = 16;          // planes a power of two apart would share the cache's sets

    private readonly int inputs, outputs, height, width, inputLength, outputLength, weightsPlane;
    private readonly Blocks panels, vectors;     // of the outputs
    private readonly Blocks inputBlocks;         // of the inputs
    private readonly TileShape tile;             // of the products: its rows are tiles of the images
    private readonly Clamped cached, groups;     // tiles that the cache has room for; rows of them in a block
    private readonly Blocks blocks;              // of the tiles
    private readonly Blocks rowTiles, lastRowTiles;   // of the tiles of a block, and of the last one
    private readonly Clamped partCount;          // of a lonely block
    private readonly Shares parts;               // of the panels
    private readonly bool isGradient;
    private readonly ImageTiles<TLanes> source, target;

    /// <summary>The convolution, or its input gradient.</summary>
    public WinogradConvolution(ConvolutionGeometry geometry, bool gradient)
    {
        var windows = geometry.Windows;
        isGradient = gradient;
        (inputs, outputs) = gradient ? (geometry.OutputChannels, windows.Channels)
            : (windows.Channels, geometry.OutputChannels);
        var (sourceHeight, sourceWidth) = gradient ? (windows.OutputHeight, windows.OutputWidth)
            : (windows.Height, windows.Width);
        (height, width) = gradient ? (windows.Height, windows.Width) : (windows.OutputHeight, windows.OutputWidth);
        var (top, left) = gradient ? (windows.Padding.Height - 2, windows.Padding.Width - 2)
            : (-windows.Padding.Height, -windows.Padding.Width);
        var (down, across) = (new Blocks(height, Results), new Blocks(width, Results));
        var tiles = windows.Batch * down.Count * across.Count;
        source = new ImageTiles<TLanes>(sourceHeight, sourceWidth, inputs, top, left, down, across);
        target = new ImageTiles<TLanes>(height, width, outputs, 0, 0, down, across);
        tile = TileShape.For(outputs, TLanes.Count);
        (panels, vectors, inputBlocks) = (new Blocks(outputs, tile.Columns), new Blocks(outputs, TLanes.Count),
            new Blocks(inputs, TLanes.Count));
        (inputLength, outputLength) = (inputBlocks.Count * TLanes.Count, panels.Count * tile.Columns);
        weightsPlane = inputs * tile.Columns + PlaneGap;
        // Cut by the shape alone: by the cache, and so that a few blocks at least share the work.
        cached = new Clamped(BlockBytes / (Planes * sizeof(float) * (inputLength + outputLength)), LeastTiles,
            MostTiles);
        groups = new Clamped(tiles / 8 / tile.Rows, 1, cached.Value / tile.Rows);
        blocks = new Blocks(tiles, groups.Value * tile.Rows);
        (rowTiles, lastRowTiles) =
            (new Blocks(blocks.SizeOf(0), tile.Rows), new Blocks(blocks.SizeOf(blocks.Count - 1), tile.Rows));
        // A few tiles are one block: its panels then share the work.
        partCount = new Clamped(blocks.Count == 1 ? MostParts : 1, 1, panels.Count);
        parts = new Shares(panels.Count, partCount.Value);
        // images of any size
        Weights = new WeightLayout(GetType(), geometry with { Windows = new(1, 1, 1, windows.Channels, 3, 1, 1, 1) },
            gradient, panels.Count * Planes * weightsPlane);
    }

    public WeightLayout Weights { get; }

    public void PrepareWeights(float* w, float* weights) =>
        Workers.Run(panels.Count * inputBlocks.Count, new Transforming(this, w, weights));

    public void Run(float* x, float* weights, float* bias, float* y) =>
        Workers.Run(blocks.Count * parts.Count, new Convolving(this, x, weights, bias, y));

    private readonly struct Transforming(WinogradConvolution<TLanes> kernel, float* w, float* weights) : IItemBody
    {
        public void Run(int item) => kernel.TransformWeights(item, w, weights);
    }

    private readonly struct Convolving(WinogradConvolution<TLanes> kernel, float* x, float* weights, float* bias,
        float* y) : IItemBody
    {
        public void Run(int item)
        {
            var (block, part) = Math.DivRem(item, kernel.parts.Count);
            kernel.ConvolveTiles(block, part, x, weights, bias, y);
        }
    }

    // weights[panel, plane, c, lane] from w [3, 3, C, O], or for the gradient from w [3, 3, O, C] turned round. The
    // lanes behind the last channel are made of what lies there, and dropped with their products.
    [SkipLocalsInit]
    private void TransformWeights(int item, float* w, float* weights)
    {
        var (panel, inputBlock) = Math.DivRem(item, inputBlocks.Count);
        var (channel, first, count) = (panels.From(panel), inputBlocks.From(inputBlock),
            inputBlocks.SizeOf(inputBlock));
        weights += (long)panel * Planes * weightsPlane + first * tile.Columns;
        var taps = stackalloc float[Taps * TLanes.Count * tile.Columns];
        if (isGradient) TurnRound(w, channel, first, count, taps);
        for (var c = 0; c < count; c++, weights += tile.Columns)
            for (var lane = 0; lane < tile.Columns && channel + lane < outputs; lane += TLanes.Count)
                if (isGradient)
                    WinogradTransforms<TLanes>.WeightsInward(taps + c * tile.Columns + lane,
                        TLanes.Count * tile.Columns, weights + lane, weightsPlane);
                else
                    WinogradTransforms<TLanes>.WeightsInward(w + (first + c) * outputs + channel + lane,
                        (long)inputs * outputs, weights + lane, weightsPlane);
    }

    // taps[tap, c, lane] = w[8 - tap, channel + lane, first + c]
    private void TurnRound(float* w, int channel, int first, int count, float* taps)
    {
        var lanes = panels.SizeOf(channel / tile.Columns);
        for (var tap = 0; tap < Taps; tap++)
            for (var lane = 0; lane < lanes; lane++)
            {
                var from = w + ((long)(Taps - 1 - tap) * outputs + channel + lane) * inputs + first;
                for (var c = 0; c < count; c++) taps[(tap * TLanes.Count + c) * tile.Columns + lane] = from[c];
            }
    }

    private void ConvolveTiles(int block, int part, float* x, float* weights, float* bias, float* y)
    {
        var (first, count) = (blocks.From(block), blocks.SizeOf(block));
        var (firstPanel, endPanel) = (parts.From(part), parts.From(part + 1));
        var (inputPlane, productPlane) = (blocks.Size * inputLength + PlaneGap, blocks.Size * outputLength + PlaneGap);
        var inputPlanes = Scratch<float>.Rent(Planes * (long)(inputPlane + productPlane));
        var productPlanes = inputPlanes + Planes * inputPlane;
        source.Transform(x, isGradient: false, first, count, inputPlanes, inputLength, inputPlane);

        var rows = block == blocks.Count - 1 ? lastRowTiles.Count : rowTiles.Count;
        var starts = Scratch<int>.Rent(2 * rows * tile.Rows + 1);
        var targets = starts + rows * tile.Rows;
        var runStart = targets + rows * tile.Rows;
        for (var row = 0; row < rows * tile.Rows; row++)
            (starts[row], targets[row]) = (row * inputLength, row * outputLength);
        *runStart = 0;
        var left = new ProductRows
        {
            Starts = starts,
            Tiles = rows,
            RunStarts = runStart,
            Runs = 1,
            RunLength = inputs,
            Step = 1
        };
        for (var plane = 0; plane < Planes; plane++)
        {
            left.Source = inputPlanes + plane * inputPlane;
            for (var panel = firstPanel; panel < endPanel; panel++)
                ProductTiles<TLanes>.Multiply(tile, in left, weights + ((long)panel * Planes + plane) * weightsPlane,
                    null, productPlanes + plane * productPlane + panel * tile.Columns, targets, tile.Columns);
        }

        var each = tile.Columns / TLanes.Count;
        var (firstVector, endVector) = (firstPanel * each, Math.Min(endPanel * each, vectors.Count));
        var (place, later) = (target.Place(first), target.Place(first + ImageTiles<TLanes>.Ahead));
        for (var i = 0; i < count; i++, target.Next(ref place), target.Next(ref later))
        {
            target.Prefetch(y, in later, Results);
            WriteTile(productPlanes + i * outputLength, productPlane, in place, firstVector, endVector, bias, y);
        }
    }

    [SkipLocalsInit]
    private void WriteTile(float* products, int plane, in TilePlace place, int firstVector, int endVector, float* bias,
        float* y)
    {
        var to = y + target.Offset(in place);
        var (rows, columns) = (Math.Min(Results, height - place.Row), Math.Min(Results, width - place.Column));
        var isWhole = rows == Results && columns == Results;
        var spare = stackalloc float[Results * Results * TLanes.Count];
        for (var vector = firstVector; vector < endVector; vector++)
        {
            var (o, lanes) = (vectors.From(vector), vectors.SizeOf(vector));
            var first = bias == null ? default : TLanes.Load(bias + o);
            if (isWhole && lanes == TLanes.Count)
            {
                WinogradTransforms<TLanes>.Outward(products + o, plane, first, to + o, (long)width * outputs, outputs);
                continue;
            }
            WinogradTransforms<TLanes>.Outward(products + o, plane, first, spare, Results * TLanes.Count, TLanes.Count);
            for (var i = 0; i < rows; i++)
                for (var j = 0; j < columns; j++)
                    new Span<float>(spare + (i * Results + j) * TLanes.Count, lanes)
                        .CopyTo(new Span<float>(to + ((long)i * width + j) * outputs + o, lanes));
        }
    }
}
