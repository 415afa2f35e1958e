using System.Runtime.Intrinsics;
using Tapegrad.Memory;

namespace Tapegrad.Devices;

/// <summary>
/// The weight gradient of a convolution. Equals
/// <code>
/// for k, l, c, o:  w[k, l, c, o] = sum over n, i, j of x[n, i s + k d - p, j s + l d - p, c] * g[n, i, j, o]
/// </code>
/// Each sum runs over the pixels of a block of images as one chain; then the blocks are added in their order. The blocks are cut by the shape alone.
/// </summary>
/// <remarks>
/// Lanes: 16 output channels of a group, a panel; 6 consecutive elements of a run of the kernel (<see cref="KernelRuns"/>) at a time. Remainders
/// (channels of the last panel, elements behind a run) are computed from what lies there and dropped.
/// </remarks>
internal sealed unsafe class WeightGradient
{
    private const int Panel = ProductTiles.Columns;
    private const int Tile = ProductTiles.Rows;
    private const int StripPixels = 160;         // the pixels that a tile walks: their x and g stay in the first cache for the next tile
    private const int MostBlocks = 16, FewestBlocks = 4;
    private const int MostPartialSums = 1 << 22;

    private readonly ConvolutionGeometry geometry;
    private readonly PaddedImages images;
    private readonly AxisPhase rows, columns;
    private readonly KernelRuns runs;
    private readonly int batch, inputs, outputs, panels, tiles, blocks;

    private static readonly Plans<ConvolutionGeometry, WeightGradient> plans = new(geometry => new WeightGradient(geometry));

    private WeightGradient(ConvolutionGeometry geometry)
    {
        this.geometry = geometry;
        var windows = geometry.Windows;
        var (kernel, stride, padding, dilation) = (windows.Kernel, windows.Stride, windows.Padding, windows.Dilation);
        var vertical = ConvolutionAxis.Forward(windows.Height, windows.OutputHeight, kernel.Height, stride.Height, padding.Height, dilation.Height);
        var horizontal = ConvolutionAxis.Forward(windows.Width, windows.OutputWidth, kernel.Width, stride.Width, padding.Width, dilation.Width);
        images = new PaddedImages(vertical, horizontal, windows.Height, windows.Width, windows.Channels);
        (rows, columns) = (vertical.Phases[0], horizontal.Phases[0]);
        runs = images.Runs(rows, columns, geometry.Groups);
        (batch, inputs, outputs) = (windows.Batch, windows.Channels / geometry.Groups, geometry.OutputChannels / geometry.Groups);
        panels = (outputs + Panel - 1) / Panel;
        tiles = (runs.Length + Tile - 1) / Tile;
        PartialLength = geometry.Groups * panels * runs.Starts.Length * tiles * Tile * Panel;
        blocks = Math.Min(batch, Math.Clamp(MostPartialSums / PartialLength, FewestBlocks, MostBlocks));
    }

    // The sums of one block: [group, panel, run, tile, 6, 16].
    private int PartialLength { get; }

    /// <summary>The gradient of w, given x and the gradient of y.</summary>
    public static void Run(ConvolutionGeometry geometry, BufferPool pool, float* x, float* g, float* w)
    {
        var kernel = plans.For(geometry);
        var partial = (HostBuffer<float>)pool.Rent(kernel.blocks * kernel.PartialLength);
        var sums = partial.Pointer;
        Workers.Run(kernel.blocks, block => kernel.SumBlock(block, x, g, sums + (long)block * kernel.PartialLength));
        Workers.Run(kernel.runs.Starts.Length, run => kernel.Combine(run, sums, w));
        pool.Return(partial);
    }

    private void SumBlock(int block, float* x, float* g, float* sums)
    {
        new Span<float>(sums, PartialLength).Clear();
        var (from, to) = ((int)((long)batch * block / blocks), (int)((long)batch * (block + 1) / blocks));
        var together = Math.Clamp(StripPixels / (rows.Count * columns.Count), 1, to - from);
        var scratch = Scratch<float>.Rent(images.ScratchLength(together));
        var starts = Scratch<int>.Rent(together * rows.Count);
        for (var row = 0; row < together * rows.Count; row++)
            starts[row] = (int)(row / rows.Count * images.ImageLength) + row % rows.Count * rows.SourceStep * images.RowLength;
        for (var image = from; image < to; image += together)
        {
            var count = Math.Min(together, to - image);
            SumImages(images.Prepare(x, image, count, scratch), starts, count * rows.Count, g + (long)image * rows.Count * GradientRow, sums);
        }
    }

    private int GradientRow => columns.Count * geometry.OutputChannels;

    private void SumImages(float* x, int* starts, int allRows, float* g, float* sums)
    {
        var strips = (allRows - 1) / Math.Max(1, StripPixels / columns.Count) + 1;
        var strip = (allRows - 1) / strips + 1;
        var step = columns.SourceStep * geometry.Windows.Channels;
        for (var row = 0; row < allRows; row += strip)
        {
            var to = sums;
            var gRows = g + (long)row * GradientRow;
            var count = Math.Min(strip, allRows - row);
            for (var group = 0; group < geometry.Groups; group++)
                for (var panel = 0; panel < panels; panel++)
                    foreach (var run in runs.Starts)
                        for (var tile = 0; tile < tiles; tile++, to += Tile * Panel)
                            ProductTiles.AddProducts(x + group * inputs + run + tile * Tile, starts + row, count, columns.Count, step,
                                gRows + group * outputs + panel * Panel, geometry.OutputChannels, to, runs.Length - tile * Tile);
        }
    }

    // The rows of w that a run makes, into the first block's sums, then to their place: runs follow one another as (kernel row, kernel column,
    // channel) do.
    private void Combine(int run, float* sums, float* w)
    {
        for (var group = 0; group < geometry.Groups; group++)
            for (var panel = 0; panel < panels; panel++)
            {
                var lanes = Math.Min(Panel, outputs - panel * Panel);
                var from = sums + (((long)group * panels + panel) * runs.Starts.Length + run) * tiles * Tile * Panel;
                var to = w + (long)run * runs.Length * geometry.OutputChannels + group * outputs + panel * Panel;
                for (var row = 0; row < runs.Length; row++, from += Panel, to += geometry.OutputChannels)
                {
                    var (low, high) = (Vector256.Load(from), Vector256.Load(from + Panel / 2));
                    for (var block = 1; block < blocks; block++)
                    {
                        low += Vector256.Load(from + (long)block * PartialLength);
                        high += Vector256.Load(from + (long)block * PartialLength + Panel / 2);
                    }
                    low.Store(from);
                    high.Store(from + Panel / 2);
                    new Span<float>(from, lanes).CopyTo(new Span<float>(to, lanes));
                }
            }
    }
}
