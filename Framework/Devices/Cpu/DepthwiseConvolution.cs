using System.Runtime.CompilerServices;
using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The depthwise convolution, where each channel has one kernel of its own and sees itself alone, its input gradient,
/// and its weight gradient. Equals
/// <code>
/// for n, i, j, c:  y[n, i, j, c] = bias[c] + sum over k, l of x[n, i s + k d - p, j s + l d - p, c] * w[k, l, c]
/// for k, l, c:     w[k, l, c] = sum over n, i, j of x[n, i s + k d - p, j s + l d - p, c] * g[n, i, j, c]
/// </code>
/// Each result is one chain of fused multiply-adds over (kernel row, kernel column), from the bias or 0; each weight's
/// gradient one over the pixels of some images, and those parts, cut by the shape alone, are added in their order.
/// </summary>
/// <remarks>
/// Lanes: channels; four neighbouring pixels, or four taps, at a time. Remainders: channels behind the last are
/// computed from what lies there and dropped; pixels and taps that are left over go one by one, each in the same chain.
/// </remarks>
internal sealed unsafe class DepthwiseConvolution<TLanes> : IConvolutionPlan, IWeightGradientPlan
    where TLanes : struct, ILanes<TLanes>
{
    private const int MostParts = 16;

    private readonly int batch, channels, height, width, kernelWidth;
    private readonly bool isGradient, hasPhases;
    private readonly Blocks vectors;   // of the channels
    private readonly Shares parts;     // of the images, for the gradient of the weights
    private readonly PaddedImages images;
    private readonly Phase[] phases;

    // Results with the same taps: where each tap reads behind a result's own start, and where its weights begin.
    private sealed record Phase(AxisPhase Rows, AxisPhase Columns, int[] Reads, int[] Weights)
    {
        /// <summary>The pixels of a row, four at a time; what is left over goes one by one.</summary>
        public Blocks Pixels { get; } = new(Columns.Count, 4);

        /// <summary>The taps, four at a time.</summary>
        public Blocks Taps { get; } = new(Reads.Length, 4);
    }

    /// <summary>The convolution and its weight gradient, or its input gradient.</summary>
    public DepthwiseConvolution(ConvolutionGeometry geometry, bool isGradient)
    {
        this.isGradient = isGradient;
        var windows = geometry.Windows;
        (batch, channels, kernelWidth) = (windows.Batch, windows.Channels, windows.Kernel.Width);
        (vectors, parts) = (new Blocks(channels, TLanes.Count), new Shares(batch, Math.Min(batch, MostParts)));
        (height, width) = isGradient ? (windows.Height, windows.Width) : (windows.OutputHeight, windows.OutputWidth);
        var (vertical, horizontal) = ConvolutionAxis.Both(windows, isGradient);
        images = isGradient
            ? new PaddedImages(vertical, horizontal, windows.OutputHeight, windows.OutputWidth, channels)
            : new PaddedImages(vertical, horizontal, windows.Height, windows.Width, channels);
        phases = [.. from rows in vertical.Phases from columns in horizontal.Phases select new Phase(rows, columns,
            [.. from row in rows.Taps from column in columns.Taps
                select (row.Offset + vertical.Lead) * images.RowLength + (column.Offset + horizontal.Lead) * channels],
            [.. from row in rows.Taps from column in columns.Taps select (row.Kernel * kernelWidth + column.Kernel)
                * channels])];
        hasPhases = phases.Length > 1;
    }

    public WeightLayout? Weights => null;

    public void PrepareWeights(float* w, float* weights) { }

    public void Run(float* source, float* w, float* bias, float* result) =>
        Workers.Run(batch, image => ConvolveImage(image, source, w, bias, result));

    public void Run(BufferPool pool, float* x, float* g, float* w)
    {
        var length = phases[0].Reads.Length * channels;
        var buffer = (HostBuffer<float>)pool.Rent(parts.Count * (length + TLanes.Count));
        var sums = buffer.Pointer;
        Workers.Run(parts.Count, part =>
            SumImages(parts.From(part), parts.From(part + 1), x, g, sums + part * (length + TLanes.Count)));
        for (var i = 0; i < length; i++)
        {
            var sum = sums[i];
            for (var part = 1; part < parts.Count; part++) sum += sums[part * (length + TLanes.Count) + i];
            w[i] = sum;
        }
        pool.Return(buffer);
    }

    private void ConvolveImage(int image, float* source, float* w, float* bias, float* y)
    {
        var padded = images.Prepare(source, image, 1, Scratch<float>.Rent(images.ScratchLength(1)));
        y += (long)image * height * width * channels;
        foreach (var phase in phases)
            fixed (int* reads = phase.Reads, weights = phase.Weights)
                for (var vector = 0; vector < vectors.Count; vector++)
                    for (var (row, c) = (0, vectors.From(vector)); row < phase.Rows.Count; row++)
                        ConvolveRow(padded + (long)row * phase.Rows.SourceStep * images.RowLength + c,
                            phase.Columns.SourceStep * channels, reads, w + c, weights, phase.Reads.Length,
                            bias == null ? default : TLanes.Load(bias + c), phase.Pixels,
                            y + ((long)(phase.Rows.Start + row * phase.Rows.Step) * width + phase.Columns.Start)
                            * channels + c, phase.Columns.Step * channels, vectors.SizeOf(vector));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ConvolveRow(float* x, int step, int* reads, float* w, int* weights, int taps,
        TLanes bias, Blocks fours, float* y, int yStep, int lanes)
    {
        var pixels = fours.Length;
        for (; pixels >= 4; pixels -= 4, x += 4 * step, y += 4 * yStep)
        {
            TLanes y0 = bias, y1 = bias, y2 = bias, y3 = bias;
            for (var tap = 0; tap < taps; tap++)
            {
                var (from, weight) = ((nint)(x + reads[tap]), TLanes.Load(w + weights[tap]));
                y0 = TLanes.FusedMultiplyAdd(TLanes.Load((float*)from), weight, y0);
                y1 = TLanes.FusedMultiplyAdd(TLanes.Load((float*)from + step), weight, y1);
                y2 = TLanes.FusedMultiplyAdd(TLanes.Load((float*)from + 2 * step), weight, y2);
                y3 = TLanes.FusedMultiplyAdd(TLanes.Load((float*)from + 3 * step), weight, y3);
            }
            Lanes.Store(y0, y, lanes);
            Lanes.Store(y1, y + yStep, lanes);
            Lanes.Store(y2, y + 2 * yStep, lanes);
            Lanes.Store(y3, y + 3 * yStep, lanes);
        }
        for (; pixels > 0; pixels--, x += step, y += yStep)
        {
            var sum = bias;
            for (var tap = 0; tap < taps; tap++)
                sum = TLanes.FusedMultiplyAdd(TLanes.Load(x + reads[tap]), TLanes.Load(w + weights[tap]), sum);
            Lanes.Store(sum, y, lanes);
        }
    }

    // sums[tap, channel] of the images from .. to - 1.
    private void SumImages(int from, int to, float* source, float* g, float* sums)
    {
        var phase = phases[0];
        var scratch = Scratch<float>.Rent(images.ScratchLength(1));
        new Span<float>(sums, phase.Reads.Length * channels).Clear();
        for (var image = from; image < to; image++)
        {
            var padded = images.Prepare(source, image, 1, scratch);
            for (var vector = 0; vector < vectors.Count; vector++)
                for (var four = 0; four < phase.Taps.Count; four++)
                    fixed (int* reads = phase.Reads)
                    {
                        var (c, tap) = (vectors.From(vector), phase.Taps.From(four));
                        AddProducts(padded + c, reads + tap, phase.Taps.SizeOf(four), phase,
                            g + (long)image * height * width * channels + c, sums + tap * channels + c,
                            vectors.SizeOf(vector));
                    }
        }
    }

    // sums[tap, lane] += x[.., tap, lane] * g[.., lane] over the pixels of one image, for up to four taps.
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private void AddProducts(float* x, int* reads, int taps, Phase phase, float* g, float* sums, int lanes)
    {
        // A tap that is missing repeats the first one and is not kept.
        int r1 = taps > 1 ? reads[1] : reads[0], r2 = taps > 2 ? reads[2] : reads[0], r3 = taps > 3 ? reads[3]
            : reads[0];
        TLanes s0 = TLanes.Load(sums), s1 = taps > 1 ? TLanes.Load(sums + channels) : default;
        TLanes s2 = taps > 2 ? TLanes.Load(sums + 2 * channels) : default,
            s3 = taps > 3 ? TLanes.Load(sums + 3 * channels) : default;
        var step = phase.Columns.SourceStep * channels;
        for (var row = 0; row < phase.Rows.Count; row++)
        {
            var from = x + (long)row * phase.Rows.SourceStep * images.RowLength;
            for (var column = 0; column < width; column++, from += step, g += channels)
            {
                var gradient = TLanes.Load(g);
                s0 = TLanes.FusedMultiplyAdd(TLanes.Load(from + reads[0]), gradient, s0);
                s1 = TLanes.FusedMultiplyAdd(TLanes.Load(from + r1), gradient, s1);
                s2 = TLanes.FusedMultiplyAdd(TLanes.Load(from + r2), gradient, s2);
                s3 = TLanes.FusedMultiplyAdd(TLanes.Load(from + r3), gradient, s3);
            }
        }
        Lanes.Store(s0, sums, lanes);
        if (taps > 1) Lanes.Store(s1, sums + channels, lanes);
        if (taps > 2) Lanes.Store(s2, sums + 2 * channels, lanes);
        if (taps > 3) Lanes.Store(s3, sums + 3 * channels, lanes);
    }
}
