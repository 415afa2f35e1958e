using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The weight gradient of a convolution. Equals
/// <code>
/// for k, l, c, o:  w[k, l, c, o] = sum over n, i, j of x[n, i s + k d - p, j s + l d - p, c] * g[n, i, j, o]
/// </code>
/// Each sum runs over the pixels of a block of images as one chain; then the blocks are added in their order. The
/// blocks are cut by the shape alone.
/// </summary>
/// <remarks>
/// Lanes: output channels of a group, the columns of a tile, a panel; its rows are consecutive elements of a run of the
/// kernel (<see cref="KernelRuns"/>). Remainders (channels of the last panel, elements behind a run) are computed
/// from what lies there and dropped.
/// </remarks>
internal sealed unsafe class WeightGradient<TLanes> : IWeightGradientPlan where TLanes : struct, ILanes<TLanes>
{
    // the pixels that a tile walks: their x and g stay in the first cache for the next tile
    private const int StripPixels = 160;
    private const int MostBlocks = 16, FewestBlocks = 4;
    private const int MostPartialSums = 1 << 22;

    private readonly ConvolutionGeometry geometry;
    private readonly TileShape tile;
    private readonly PaddedImages images;
    private readonly AxisPhase rows, columns;
    private readonly KernelRuns runs;
    private readonly int inputs, outputs;
    private readonly bool hasGroups;
    private readonly Blocks panels;         // of a group's outputs
    private readonly Blocks tiles;          // of a run
    private readonly Clamped blockCount;
    private readonly Shares blocks;         // of the images
    private readonly Walk[] walks;          // one for each block

    // How a block of images is gone through: so many images together, and their rows in strips; fewer images at the end
    // have strips of their own.
    private sealed record Walk(Clamped Together, Blocks Images, Blocks Strips, Blocks LastStrips);

    public WeightGradient(ConvolutionGeometry geometry)
    {
        this.geometry = geometry;
        var windows = geometry.Windows;
        var (vertical, horizontal) = ConvolutionAxis.Both(windows, isGradient: false);
        images = new PaddedImages(vertical, horizontal, windows.Height, windows.Width, windows.Channels);
        (rows, columns) = (vertical.Phases[0], horizontal.Phases[0]);
        runs = images.Runs(rows, columns, geometry.Groups);
        (inputs, outputs, hasGroups) = (windows.Channels / geometry.Groups, geometry.OutputChannels / geometry.Groups,
            geometry.Groups > 1);
        tile = TileShape.For(outputs, TLanes.Count);
        (panels, tiles) = (new Blocks(outputs, tile.Columns), new Blocks(runs.Length, tile.Rows));
        PartialLength = geometry.Groups * panels.Count * runs.Starts.Length * tiles.Count * tile.Rows * tile.Columns;
        // Of the weights alone, since the blocks are seen in the bits, and the tile must not be.
        var weights = runs.Starts.Length * runs.Length * geometry.OutputChannels;
        blockCount = new Clamped(MostPartialSums / weights, FewestBlocks, MostBlocks);
        blocks = new Shares(windows.Batch, Math.Min(windows.Batch, blockCount.Value));
        walks = [.. Enumerable.Range(0, blocks.Count).Select(block => WalkThrough(blocks.SizeOf(block)))];
    }

    private Walk WalkThrough(int images)
    {
        var together = new Clamped(StripPixels / (rows.Count * columns.Count), 1, images);
        var blocks = new Blocks(images, together.Value);
        Blocks Strips(int images) => Blocks.Equal(images * rows.Count, Math.Max(1, StripPixels / columns.Count));
        return new Walk(together, blocks, Strips(blocks.SizeOf(0)), Strips(blocks.SizeOf(blocks.Count - 1)));
    }

    // The sums of one block: [group, panel, run, tile, row, column].
    private int PartialLength { get; }

    public void Run(BufferPool pool, float* x, float* g, float* w)
    {
        var partial = (HostBuffer<float>)pool.Rent(blocks.Count * PartialLength);
        var sums = partial.Pointer;
        Workers.Run(blocks.Count, new Summing(this, x, g, sums));
        Workers.Run(runs.Starts.Length, new Combining(this, sums, w));
        pool.Return(partial);
    }

    private readonly struct Summing(WeightGradient<TLanes> kernel, float* x, float* g, float* sums) : IItemBody
    {
        public void Run(int item) => kernel.SumBlock(item, x, g, sums + (long)item * kernel.PartialLength);
    }

    private readonly struct Combining(WeightGradient<TLanes> kernel, float* sums, float* w) : IItemBody
    {
        public void Run(int item) => kernel.Combine(item, sums, w);
    }

    private void SumBlock(int block, float* x, float* g, float* sums)
    {
        new Span<float>(sums, PartialLength).Clear();
        var walk = walks[block];
        var together = walk.Images.Size;
        var scratch = Scratch<float>.Rent(images.ScratchLength(together));
        var starts = Scratch<int>.Rent(together * rows.Count);
        for (var row = 0; row < together * rows.Count; row++)
            starts[row] = (int)(row / rows.Count * images.ImageLength)
                + row % rows.Count * rows.SourceStep * images.RowLength;
        for (var piece = 0; piece < walk.Images.Count; piece++)
        {
            var (image, count) = (blocks.From(block) + walk.Images.From(piece), walk.Images.SizeOf(piece));
            SumImages(images.Prepare(x, image, count, scratch), starts, piece == walk.Images.Count - 1 ? walk.LastStrips
                : walk.Strips,
                g + (long)image * rows.Count * GradientRow, sums);
        }
    }

    private int GradientRow => columns.Count * geometry.OutputChannels;

    private void SumImages(float* x, int* starts, Blocks strips, float* g, float* sums)
    {
        var (step, length) = (columns.SourceStep * geometry.Windows.Channels, tile.Rows * tile.Columns);
        for (var strip = 0; strip < strips.Count; strip++)
        {
            var to = sums;
            var (row, count) = (strips.From(strip), strips.SizeOf(strip));
            var gRows = g + (long)row * GradientRow;
            for (var group = 0; group < geometry.Groups; group++)
                for (var panel = 0; panel < panels.Count; panel++)
                    foreach (var run in runs.Starts)
                        for (var element = 0; element < runs.Length; element += tile.Rows, to += length)
                            OuterProductTiles<TLanes>.Add(tile, x + group * inputs + run + element, starts + row,
                                count, columns.Count, step, gRows + group * outputs + panel * tile.Columns,
                                geometry.OutputChannels, to, runs.Length - element);
        }
    }

    // The rows of w that a run makes: runs follow one another as (kernel row, kernel column, channel) do.
    private void Combine(int run, float* sums, float* w)
    {
        for (var group = 0; group < geometry.Groups; group++)
            for (var panel = 0; panel < panels.Count; panel++)
            {
                var lanes = panels.SizeOf(panel);
                var from = sums + (((long)group * panels.Count + panel) * runs.Starts.Length + run) * tiles.Count
                    * tile.Rows * tile.Columns;
                var to = w + (long)run * runs.Length * geometry.OutputChannels + group * outputs
                    + panel * tile.Columns;
                for (var row = 0; row < runs.Length; row++, from += tile.Columns, to += geometry.OutputChannels)
                    for (var lane = 0; lane < lanes; lane += TLanes.Count)
                    {
                        var sum = TLanes.Load(from + lane);
                        for (var block = 1; block < blocks.Count; block++)
                            sum += TLanes.Load(from + lane + (long)block * PartialLength);
                        Lanes.Store(sum, to + lane, lanes - lane);
                    }
            }
    }
}
