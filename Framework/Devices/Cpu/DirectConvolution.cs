namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The convolution and its input gradient, which differ in what they read and in how the weights lie, no more. Each
/// result is one chain of fused multiply-adds over (kernel row, kernel column, channel), from the bias or 0. Equals,
/// for the convolution,
/// <code>
/// for n, i, j, o:  y[n, i, j, o] = bias[o] + sum over k, l, c of x[n, i s + k d - p, j s + l d - p, c] * w[k, l, c, o]
/// </code>
/// </summary>
/// <remarks>
/// Lanes: output channels of a group, the columns of a tile, a panel, whose weights are packed in the order in which
/// they are read (0 beyond the last channel); its rows are pixels, from any rows and images. Remainders:
/// channels beyond the last are computed and dropped; pixels beyond the last repeat it, and are written again.
/// </remarks>
internal sealed unsafe class DirectConvolution<TLanes> : IConvolutionPlan where TLanes : struct, ILanes<TLanes>
{
    // so many pixels use a panel of weights before the next one comes; small images come together
    private const int BlockPixels = 96;
    // of a single image, so many products are a part of the work, in rows of results
    private const int PartProducts = 1 << 17, MostParts = 8;

    private readonly TileShape tile;
    private readonly int groups, reduced, channels, width, height;
    private readonly Clamped together;   // images
    private readonly Blocks blocks;      // of the images
    private readonly Clamped partCount;
    private readonly Blocks panels;      // of a group's channels
    private readonly bool isGradient, hasGroups, hasPhases;
    private readonly WindowGeometry windows;
    private readonly PaddedImages images;
    private readonly Phase[] phases;
    // A grid of results with the same taps; their weights begin at Packed.
    private sealed record Phase(AxisPhase Rows, AxisPhase Columns, KernelRuns Runs, int Packed, Blocks Images,
        Shares Parts, int TileRows)
    {
        // The pixels of each part of a block of images, and of the last one.
        private readonly Blocks[] tiles = Tiles(Images.SizeOf(0), Parts, Columns.Count, TileRows),
            lastTiles = Tiles(Images.SizeOf(Images.Count - 1), Parts, Columns.Count, TileRows);

        public int Depth { get; } = Runs.Starts.Length * Runs.Length;

        public int CountTiles(int block, int part) => (block == Images.Count - 1 ? lastTiles : tiles)[part].Count;

        private static Blocks[] Tiles(int images, Shares parts, int columns, int tileRows)
        {
            var tiles = new Blocks[parts.Count];
            for (var part = 0; part < tiles.Length; part++)
                tiles[part] = new Blocks(images * parts.SizeOf(part) * columns, tileRows);
            return tiles;
        }
    }

    /// <summary>The convolution, or its input gradient.</summary>
    public DirectConvolution(ConvolutionGeometry geometry, bool gradient)
    {
        windows = geometry.Windows;
        isGradient = gradient;
        (groups, hasGroups) = (geometry.Groups, geometry.Groups > 1);
        var (inputs, outputs) = (windows.Channels / groups, geometry.OutputChannels / groups);
        (reduced, channels) = gradient ? (outputs, inputs) : (inputs, outputs);
        (height, width) = gradient ? (windows.Height, windows.Width) : (windows.OutputHeight, windows.OutputWidth);
        tile = TileShape.For(channels, TLanes.Count);
        panels = new Blocks(channels, tile.Columns);
        // No bit depends on how many images come together.
        together = new Clamped(BlockPixels / Math.Max(1, height * width), 1, Math.Max(1, windows.Batch / 8));
        blocks = new Blocks(windows.Batch, together.Value);

        var (vertical, horizontal) = ConvolutionAxis.Both(windows, gradient);
        images = gradient
            ? new PaddedImages(vertical, horizontal, windows.OutputHeight, windows.OutputWidth, geometry.OutputChannels)
            : new PaddedImages(vertical, horizontal, windows.Height, windows.Width, windows.Channels);
        // Where each pixel is one of a single grid, a part needs a few neighbouring rows of the image.
        var products = (long)height * width * groups * channels * reduced * windows.Kernel.Height
            * windows.Kernel.Width;
        partCount = new Clamped(products / PartProducts, 1, windows.Batch == 1 && vertical.Phases.Length == 1
            && horizontal.Phases.Length == 1 ? Math.Min(MostParts, height) : 1);
        var (all, packedLength) = (new List<Phase>(), 0);
        foreach (var rows in vertical.Phases)
            foreach (var columns in horizontal.Phases)
            {
                all.Add(new Phase(rows, columns, images.Runs(rows, columns, groups), packedLength, blocks,
                    new Shares(rows.Count, partCount.Value), tile.Rows));
                packedLength += groups * panels.Count * all[^1].Depth * tile.Columns;
            }
        (phases, hasPhases) = ([.. all], all.Count > 1);
        Weights = new WeightLayout(GetType(), geometry with { Windows = windows with { Batch = 1 } }, gradient,
            packedLength);
    }

    public WeightLayout Weights { get; }

    public void PrepareWeights(float* w, float* weights) =>
        Workers.Run(phases.Length * groups * panels.Count, new Packing(this, w, weights));

    public void Run(float* source, float* weights, float* bias, float* result) =>
        Workers.Run(blocks.Count * partCount.Value, new Convolving(this, source, weights, bias, result));

    private readonly struct Packing(DirectConvolution<TLanes> kernel, float* w, float* packed) : IItemBody
    {
        public void Run(int item) => kernel.Pack(item, w, packed);
    }

    private readonly struct Convolving(DirectConvolution<TLanes> kernel, float* source, float* packed, float* bias,
        float* result) : IItemBody
    {
        public void Run(int item) => kernel.ConvolveImages(item, source, packed, bias, result);
    }

    // packed[phase, group, panel, depth, lane]: the weights in the order of the walk. w is [KH, KW, C / groups, O] in
    // both directions.
    private void Pack(int item, float* w, float* packed)
    {
        var (rest, panel) = Math.DivRem(item, panels.Count);
        var (index, group) = Math.DivRem(rest, groups);
        var phase = phases[index];
        var target = packed + phase.Packed + (long)(group * panels.Count + panel) * phase.Depth * tile.Columns;
        var (inputs, outputs) = isGradient ? (channels, reduced) : (reduced, channels);
        var (depthStride, laneStride) = isGradient ? (1, outputs * groups) : (outputs * groups, 1);
        var lanes = panels.SizeOf(panel);
        foreach (var row in phase.Rows.Taps)
            foreach (var column in phase.Columns.Taps)
            {
                var tap = w + (long)(row.Kernel * windows.Kernel.Width + column.Kernel) * inputs * outputs * groups
                    + group * outputs + (long)panel * tile.Columns * laneStride;
                if (lanes < tile.Columns) new Span<float>(target, reduced * tile.Columns).Clear();
                if (laneStride == 1)
                    for (var k = 0; k < reduced; k++)
                        new Span<float>(tap + (long)k * depthStride, lanes)
                            .CopyTo(new Span<float>(target + k * tile.Columns, tile.Columns));
                else
                    for (var lane = 0; lane < lanes; lane++)
                        for (var k = 0; k < reduced; k++)
                            target[k * tile.Columns + lane] = tap[(long)lane * laneStride + k];
                target += reduced * tile.Columns;
            }
    }

    private void ConvolveImages(int item, float* source, float* packed, float* bias, float* result)
    {
        var (block, part) = Math.DivRem(item, partCount.Value);
        var (first, count) = (blocks.From(block), blocks.SizeOf(block));
        var scratch = Scratch<float>.Rent(images.ScratchLength(count));
        var padded = partCount.Value == 1 ? images.Prepare(source, first, count, scratch)
            : images.PrepareRows(source, first, scratch, phases[0].Rows, phases[0].Parts.From(part),
                phases[0].Parts.From(part + 1));
        result += (long)first * height * width * groups * channels;
        foreach (var phase in phases)
        {
            // Where each pixel of these images is read and written.
            var tiles = phase.CountTiles(block, part);
            var starts = Scratch<int>.Rent(2L * tiles * tile.Rows);
            var targets = starts + tiles * tile.Rows;
            FindPixels(phase, part, count, tiles * tile.Rows, starts, targets);
            fixed (int* runs = phase.Runs.Starts)
                for (var group = 0; group < groups; group++)
                {
                    var rows = new ProductRows
                    {
                        Source = padded + group * reduced,
                        Starts = starts,
                        Tiles = tiles,
                        RunStarts = runs,
                        Runs = phase.Runs.Starts.Length,
                        RunLength = phase.Runs.Length,
                        Step = 1,
                    };
                    for (var panel = 0; panel < panels.Count; panel++)
                    {
                        var channel = group * channels + panels.From(panel);
                        ProductTiles<TLanes>.Multiply(tile, in rows, packed + phase.Packed
                            + (long)(group * panels.Count + panel) * phase.Depth * tile.Columns,
                            bias == null ? null : bias + channel, result + channel, targets, panels.SizeOf(panel));
                    }
                }
        }
    }

    private void FindPixels(Phase phase, int part, int count, int length, int* starts, int* targets)
    {
        var (rows, columns, at) = (phase.Rows, phase.Columns, 0);
        var (from, to) = (phase.Parts.From(part), phase.Parts.From(part + 1));
        var (channelsIn, channelsOut) = (groups * reduced, groups * channels);
        for (var image = 0; image < count; image++)
            for (var i = from; i < to; i++)
            {
                var start = (int)(image * images.ImageLength) + i * rows.SourceStep * images.RowLength;
                var target = ((image * height + rows.Start + i * rows.Step) * width + columns.Start) * channelsOut;
                for (var j = 0; j < columns.Count; j++, at++)
                {
                    starts[at] = start + j * columns.SourceStep * channelsIn;
                    targets[at] = target + j * columns.Step * channelsOut;
                }
            }
        for (; at < length; at++) (starts[at], targets[at]) = (starts[at - 1], targets[at - 1]);
    }
}
