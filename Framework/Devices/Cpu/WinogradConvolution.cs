using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Memory;

namespace Tapegrad.Devices;

/// <summary>
/// The 3x3 convolution of stride 1, or its input gradient, by Winograd's F(4x4, 3x3) (<see cref="WinogradTransforms"/>). Equals, up to rounding,
/// <code>
/// for n, i, j, o:  y[n, i, j, o] = bias[o] + sum over k, l, c of x[n, i + k - p, j + l - p, c] * w[k, l, c, o]
/// </code>
/// and the gradient is the same with the taps turned round and the channels exchanged. Three steps for a block of tiles: transform the inputs to
/// 36 planes [tiles, C]; multiply each plane with its weights [C, O]; transform the 36 products of a tile back to its 4x4 results.
/// </summary>
/// <remarks>
/// Lanes: channels, in the transforms, and 16 output channels, a panel, in the products. Remainders: pixels outside the image are 0, results
/// outside it are computed and dropped, and so are channels behind the last and tiles behind the last of a block.
/// </remarks>
internal sealed unsafe class WinogradConvolution
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

    private readonly int inputs, outputs, height, width, panels, tiles, block, inputBlocks, inputLength, outputLength;
    private readonly bool isGradient;
    private readonly ImageTiles source, target;

    private static readonly Plans<(ConvolutionGeometry, bool), WinogradConvolution> plans =
        new(shape => new WinogradConvolution(shape.Item1, shape.Item2));

    private WinogradConvolution(ConvolutionGeometry geometry, bool gradient)
    {
        var windows = geometry.Windows;
        isGradient = gradient;
        (inputs, outputs) = gradient ? (geometry.OutputChannels, windows.Channels) : (windows.Channels, geometry.OutputChannels);
        var (sourceHeight, sourceWidth) = gradient ? (windows.OutputHeight, windows.OutputWidth) : (windows.Height, windows.Width);
        (height, width) = gradient ? (windows.Height, windows.Width) : (windows.OutputHeight, windows.OutputWidth);
        var (top, left) = gradient ? (windows.Padding.Height - 2, windows.Padding.Width - 2) : (-windows.Padding.Height, -windows.Padding.Width);
        var (down, across) = ((height - 1) / Results + 1, (width - 1) / Results + 1);
        tiles = windows.Batch * down * across;
        source = new ImageTiles(sourceHeight, sourceWidth, inputs, top, left, down, across);
        target = new ImageTiles(height, width, outputs, 0, 0, down, across);
        panels = (outputs - 1) / Panel + 1;
        inputBlocks = (inputs - 1) / Vector + 1;
        (inputLength, outputLength) = (inputBlocks * Vector, panels * Panel);
        // Cut by the shape alone: by the cache, and so that a few blocks at least share the work.
        block = Math.Clamp(BlockBytes / (Planes * sizeof(float) * (inputLength + outputLength)), LeastTiles, MostTiles);
        block = Math.Max(1, Math.Min(block, tiles / 8) / Rows) * Rows;
    }

    /// <summary>y from x, w and a bias, which may be null.</summary>
    public static void Convolve(ConvolutionGeometry geometry, BufferPool pool, float* x, float* w, float* bias, float* y) =>
        plans.For((geometry, false)).Run(pool, x, w, bias, y);

    /// <summary>The gradient of x from that of y, and w.</summary>
    public static void InputGradient(ConvolutionGeometry geometry, BufferPool pool, float* g, float* w, float* xGradient) =>
        plans.For((geometry, true)).Run(pool, g, w, null, xGradient);

    private void Run(BufferPool pool, float* x, float* w, float* bias, float* y)
    {
        var transformed = (HostBuffer<float>)pool.Rent(Planes * panels * inputs * Panel);
        var weights = transformed.Pointer;
        Workers.Run(panels * inputBlocks, item => TransformWeights(item, w, weights));
        Workers.Run((tiles - 1) / block + 1, item => ConvolveTiles(item * block, Math.Min(block, tiles - item * block), x, weights, bias, y));
        pool.Return(transformed);
    }

    // weights[plane, panel, c, lane] from w [3, 3, C, O], or for the gradient from w [3, 3, O, C] turned round. The lanes behind the last channel are
    // made of what lies there, and dropped with their products.
    [SkipLocalsInit]
    private void TransformWeights(int item, float* w, float* weights)
    {
        var (panel, first) = (item / inputBlocks, item % inputBlocks * Vector);
        var (channel, count) = (panel * Panel, Math.Min(Vector, inputs - first));
        weights += ((long)panel * inputs + first) * Panel;
        var taps = stackalloc float[Taps * Vector * Panel];
        if (isGradient) TurnRound(w, channel, first, count, taps);
        for (var c = 0; c < count; c++, weights += Panel)
            for (var lane = 0; lane < Panel && channel + lane < outputs; lane += Vector)
                if (isGradient) WinogradTransforms.WeightsInward(taps + c * Panel + lane, Vector * Panel, weights + lane, WeightsPlane);
                else WinogradTransforms.WeightsInward(w + (first + c) * outputs + channel + lane, (long)inputs * outputs, weights + lane,
                    WeightsPlane);
    }

    // taps[tap, c, lane] = w[8 - tap, channel + lane, first + c]
    private void TurnRound(float* w, int channel, int first, int count, float* taps)
    {
        var lanes = Math.Min(Panel, outputs - channel);
        for (var tap = 0; tap < Taps; tap++)
            for (var lane = 0; lane < lanes; lane++)
            {
                var from = w + ((long)(Taps - 1 - tap) * outputs + channel + lane) * inputs + first;
                for (var c = 0; c < count; c++) taps[(tap * Vector + c) * Panel + lane] = from[c];
            }
    }

    private long WeightsPlane => (long)panels * inputs * Panel;

    private void ConvolveTiles(int first, int count, float* x, float* weights, float* bias, float* y)
    {
        var (inputPlane, productPlane) = (block * inputLength + PlaneGap, block * outputLength + PlaneGap);
        var inputPlanes = Scratch<float>.Rent(Planes * (long)(inputPlane + productPlane));
        var productPlanes = inputPlanes + Planes * inputPlane;
        source.Transform(x, isGradient: false, first, count, inputPlanes, inputLength, inputPlane);

        var rowTiles = (count - 1) / Rows + 1;
        var starts = Scratch<int>.Rent(2 * rowTiles * Rows + 1);
        var targets = starts + rowTiles * Rows;
        var runStart = targets + rowTiles * Rows;
        for (var tile = 0; tile < rowTiles * Rows; tile++) (starts[tile], targets[tile]) = (tile * inputLength, tile * outputLength);
        *runStart = 0;
        var rows = new ProductRows { Starts = starts, Tiles = rowTiles, RunStarts = runStart, Runs = 1, RunLength = inputs, Step = 1 };
        for (var plane = 0; plane < Planes; plane++)
        {
            rows.Source = inputPlanes + plane * inputPlane;
            for (var panel = 0; panel < panels; panel++, weights += inputs * Panel)
                ProductTiles.Multiply(rows, weights, null, productPlanes + plane * productPlane + panel * Panel, targets, Panel);
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
        for (var o = 0; o < outputs; o += Vector)
        {
            var lanes = Math.Min(Vector, outputs - o);
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
