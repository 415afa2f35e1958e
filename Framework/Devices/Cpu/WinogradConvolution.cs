using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The 3x3 convolution of stride 1, or its input gradient, by Winograd's F(4x4, 3x3)
/// (<see cref="WinogradTransforms"/>). Equals, up to rounding,
/// <code>
/// for n, i, j, o:  y[n, i, j, o] = bias[o] + sum over k, l, c of x[n, i + k - p, j + l - p, c] * w[k, l, c, o]
/// </code>
/// and the gradient is the same with the taps turned round and the channels exchanged. Three steps for a block of
/// tiles: transform the inputs to 36 planes [tiles, C]; multiply each plane with its weights [C, O]; transform the 36
/// products of a tile back to its 4x4 results.
/// </summary>
/// <remarks>
/// Lanes: channels, in the transforms, and 16 output channels, a panel, in the products. Remainders: pixels outside the
/// image are 0, results outside it are computed and dropped, and so are channels behind the last and tiles behind the
/// last of a block.
/// </remarks>
internal sealed unsafe class WinogradConvolution : IConvolutionPlan
{
    private const int Panel = ProductTiles.Columns;
    private const int Rows = ProductTiles.Rows;
    private const int Vector = 8;
    private const int Planes = WinogradTransforms.Planes;
    private const int Results = WinogradTransforms.Results;
    private const int Taps = 9;
    private const int BlockBytes = 300_000;   // the planes of a block stay in the second cache
    private const int LeastTiles = 24, MostTiles = 96;
    private const int PlaneGap = 16;          // planes a power of two apart would share the cache's sets

    private readonly int inputs, outputs, height, width, inputLength, outputLength;
    private readonly Blocks panels, vectors;     // of the outputs
    private readonly Blocks inputBlocks;         // of the inputs
    private readonly Clamped cached, sixes;      // tiles that the cache has room for; sixes of them in a block
    private readonly Blocks blocks;              // of the tiles
    private readonly Blocks rowTiles, lastRowTiles;   // of the tiles of a block, and of the last one
    private readonly bool isGradient;
    private readonly ImageTiles source, target;

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
        source = new ImageTiles(sourceHeight, sourceWidth, inputs, top, left, down, across);
        target = new ImageTiles(height, width, outputs, 0, 0, down, across);
        (panels, vectors, inputBlocks) = (new Blocks(outputs, Panel), new Blocks(outputs, Vector),
            new Blocks(inputs, Vector));
        (inputLength, outputLength) = (inputBlocks.Count * Vector, panels.Count * Panel);
        // Cut by the shape alone: by the cache, and so that a few blocks at least share the work.
        cached = new Clamped(BlockBytes / (Planes * sizeof(float) * (inputLength + outputLength)), LeastTiles,
            MostTiles);
        sixes = new Clamped(tiles / 8 / Rows, 1, cached.Value / Rows);
        blocks = new Blocks(tiles, sixes.Value * Rows);
        (rowTiles, lastRowTiles) =
            (new Blocks(blocks.SizeOf(0), Rows), new Blocks(blocks.SizeOf(blocks.Count - 1), Rows));
    }

    public void Run(BufferPool pool, float* x, float* w, float* bias, float* y)
    {
        var transformed = (HostBuffer<float>)pool.Rent(Planes * panels.Count * inputs * Panel);
        var weights = transformed.Pointer;
        Workers.Run(panels.Count * inputBlocks.Count, new Transforming(this, w, weights));
        Workers.Run(blocks.Count, new Convolving(this, x, weights, bias, y));
        pool.Return(transformed);
    }

    private readonly struct Transforming(WinogradConvolution kernel, float* w, float* weights) : IItemBody
    {
        public void Run(int item) => kernel.TransformWeights(item, w, weights);
    }

    private readonly struct Convolving(WinogradConvolution kernel, float* x, float* weights, float* bias, float* y)
        : IItemBody
    {
        public void Run(int item) => kernel.ConvolveTiles(item, x, weights, bias, y);
    }

    // weights[plane, panel, c, lane] from w [3, 3, C, O], or for the gradient from w [3, 3, O, C] turned round. The
    // lanes behind the last channel are made of what lies there, and dropped with their products.
    [SkipLocalsInit]
    private void TransformWeights(int item, float* w, float* weights)
    {
        var (panel, inputBlock) = Math.DivRem(item, inputBlocks.Count);
        var (channel, first, count) = (panels.From(panel), inputBlocks.From(inputBlock),
            inputBlocks.SizeOf(inputBlock));
        weights += ((long)panel * inputs + first) * Panel;
        var taps = stackalloc float[Taps * Vector * Panel];
        if (isGradient) TurnRound(w, channel, first, count, taps);
        for (var c = 0; c < count; c++, weights += Panel)
            for (var lane = 0; lane < Panel && channel + lane < outputs; lane += Vector)
                if (isGradient)
                    WinogradTransforms.WeightsInward(taps + c * Panel + lane, Vector * Panel, weights + lane,
                        WeightsPlane);
                else
                    WinogradTransforms.WeightsInward(w + (first + c) * outputs + channel + lane, (long)inputs * outputs,
                        weights + lane,
                    WeightsPlane);
    }

    // taps[tap, c, lane] = w[8 - tap, channel + lane, first + c]
    private void TurnRound(float* w, int channel, int first, int count, float* taps)
    {
        var lanes = panels.SizeOf(channel / Panel);
        for (var tap = 0; tap < Taps; tap++)
            for (var lane = 0; lane < lanes; lane++)
            {
                var from = w + ((long)(Taps - 1 - tap) * outputs + channel + lane) * inputs + first;
                for (var c = 0; c < count; c++) taps[(tap * Vector + c) * Panel + lane] = from[c];
            }
    }

    private long WeightsPlane => (long)panels.Count * inputs * Panel;

    private void ConvolveTiles(int block, float* x, float* weights, float* bias, float* y)
    {
        var (first, count) = (blocks.From(block), blocks.SizeOf(block));
        var (inputPlane, productPlane) = (blocks.Size * inputLength + PlaneGap, blocks.Size * outputLength + PlaneGap);
        var inputPlanes = Scratch<float>.Rent(Planes * (long)(inputPlane + productPlane));
        var productPlanes = inputPlanes + Planes * inputPlane;
        source.Transform(x, isGradient: false, first, count, inputPlanes, inputLength, inputPlane);

        var rows = block == blocks.Count - 1 ? lastRowTiles.Count : rowTiles.Count;
        var starts = Scratch<int>.Rent(2 * rows * Rows + 1);
        var targets = starts + rows * Rows;
        var runStart = targets + rows * Rows;
        for (var tile = 0; tile < rows * Rows; tile++)
            (starts[tile], targets[tile]) = (tile * inputLength, tile * outputLength);
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
            for (var panel = 0; panel < panels.Count; panel++, weights += inputs * Panel)
                ProductTiles.Multiply(left, weights, null, productPlanes + plane * productPlane + panel * Panel,
                    targets, Panel);
        }

        for (var tile = 0; tile < count; tile++)
        {
            target.Prefetch(y, first + tile);
            WriteTile(productPlanes + tile * outputLength, productPlane, first + tile, bias, y);
        }
    }

    [SkipLocalsInit]
    private void WriteTile(float* products, int plane, int tile, float* bias, float* y)
    {
        var (image, row, column) = target.Place(tile);
        var to = y + (((long)image * height + row) * width + column) * outputs;
        var (rows, columns) = (Math.Min(Results, height - row), Math.Min(Results, width - column));
        var isWhole = rows == Results && columns == Results;
        var spare = stackalloc float[Results * Results * Vector];
        for (var vector = 0; vector < vectors.Count; vector++)
        {
            var (o, lanes) = (vectors.From(vector), vectors.SizeOf(vector));
            var first = bias == null ? default : Vector256.Load(bias + o);
            if (isWhole && lanes == Vector)
            {
                WinogradTransforms.Outward(products + o, plane, first, to + o, (long)width * outputs, outputs);
                continue;
            }
            WinogradTransforms.Outward(products + o, plane, first, spare, Results * Vector, Vector);
            for (var i = 0; i < rows; i++)
                for (var j = 0; j < columns; j++)
                    new Span<float>(spare + (i * Results + j) * Vector, lanes)
                        .CopyTo(new Span<float>(to + ((long)i * width + j) * outputs + o, lanes));
        }
    }
}
