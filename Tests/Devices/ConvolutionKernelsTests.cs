using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The CPU's convolution kernels against the definition in plain double loops. Every element is at most a chain of n
/// roundings away from the exact sum: |error| &lt;= n * 2^-23 * sum of |products| (n roundings of half a unit each, and
/// as much again for the conversion of the inputs, which is exact here: the inputs are floats).
/// </summary>
public sealed class ConvolutionKernelsTests
{
    // The direct kernels; Winograd's have a test class of their own.
    private static readonly CpuDevice Direct = KernelTesting.Poisoned(usesWinograd: false);

    [Fact]
    public void Every_kernel_equals_the_definition()
    {
        for (var i = 0; i < 200; i++) CheckAll(RandomGeometry(new RandomSource(1000 + i)));
    }

    [Fact]
    public void Depthwise_kernels_equal_the_definition()
    {
        for (var i = 0; i < 60; i++)
        {
            var geometry = RandomGeometry(new RandomSource(2000 + i));
            var channels = (int[])[2, 3, 8, 12, 16, 19];
            var count = channels[i % channels.Length];
            CheckAll(new ConvolutionGeometry(geometry.Windows with { Channels = count }, count, count));
        }
    }

    /// <summary>
    /// The shapes that have a reason: models' layers, whole and broken panels and tiles, nothing at all.
    /// </summary>
    [Theory]
    [InlineData(3, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1)]     // a ResNet layer: whole panels
    [InlineData(2, 9, 8, 3, 16, 3, 3, 1, 1, 1, 1)]      // the first layer
    [InlineData(5, 8, 8, 16, 32, 3, 3, 2, 1, 1, 1)]     // stride 2, the last row and column of padding unread
    [InlineData(2, 8, 8, 16, 32, 1, 1, 2, 0, 1, 1)]     // a shortcut: three quarters of the input gradient are 0
    [InlineData(1, 5, 5, 2, 2, 1, 1, 3, 2, 1, 1)]       // 1 x 1 with padding: windows that see only zeros
    [InlineData(2, 11, 7, 5, 17, 7, 7, 2, 3, 1, 1)]     // a large kernel, 17 = 16 + 1 outputs
    [InlineData(2, 6, 6, 12, 12, 3, 3, 1, 1, 1, 12)]    // depthwise
    // depthwise, several images for each part of the weight gradient
    [InlineData(19, 5, 6, 9, 9, 3, 3, 1, 1, 1, 9)]
    [InlineData(2, 6, 6, 12, 24, 3, 3, 1, 1, 1, 12)]    // depthwise, two outputs each
    [InlineData(2, 7, 7, 12, 18, 3, 3, 2, 2, 2, 3)]     // groups, stride and dilation together
    [InlineData(17, 2, 2, 40, 33, 3, 3, 1, 1, 1, 1)]    // small images, computed together
    [InlineData(1, 1, 13, 1, 1, 1, 3, 1, 1, 1, 1)]      // one row, one channel, one output
    [InlineData(1, 4, 4, 3, 5, 3, 3, 1, 5, 1, 1)]       // padding beyond the kernel's reach
    [InlineData(1, 13, 13, 4, 4, 3, 3, 3, 0, 1, 1)]     // rows and columns that no window covers
    [InlineData(2, 10, 10, 4, 4, 2, 2, 3, 0, 1, 1)]     // stride beyond the kernel: pixels between windows
    [InlineData(2, 1, 1, 7, 9, 1, 1, 1, 0, 1, 1)]       // a linear layer
    [InlineData(0, 8, 8, 4, 4, 3, 3, 1, 1, 1, 1)]       // no image
    [InlineData(70, 3, 3, 2, 3, 2, 2, 1, 0, 1, 1)]      // many images: uneven blocks of the weight gradient
    public void Chosen_geometries_equal_the_definition(
        int n, int h, int w, int c, int o, int kh, int kw, int stride, int padding, int dilation, int groups) =>
        CheckAll(new ConvolutionGeometry(new WindowGeometry(n, h, w, c, new Size2d(kh, kw), stride, padding, dilation),
            o, groups));

    [Fact]
    public void A_sample_has_the_same_bits_alone_and_in_a_batch()
    {
        for (var i = 0; i < 40; i++)
        {
            var geometry = RandomGeometry(new RandomSource(5000 + i), batch: 9);
            var windows = geometry.Windows;
            var alone = geometry with { Windows = windows with { Batch = 1 } };
            var (x, weights, g) = (Random(XLength(geometry), 1), Random(WeightLength(geometry), 2),
                Random(YLength(geometry), 3));
            var (y, xGradient, _) = Compute(Direct, geometry, x, weights, g);
            for (var sample = 0; sample < 9; sample += 4)
            {
                var (one, oneGradient, _) = Compute(Direct, alone, Part(x, sample, 9), weights, Part(g, sample, 9));
                AssertSameBits(Part(y, sample, 9), one, $"{geometry}: y of sample {sample}");
                AssertSameBits(Part(xGradient, sample, 9), oneGradient, $"{geometry}: gradient of sample {sample}");
            }
        }
    }

    internal static void CheckAll(ConvolutionGeometry geometry)
    {
        var (x, weights, g) = (Random(XLength(geometry), 1), Random(WeightLength(geometry), 2),
            Random(YLength(geometry), 3));
        foreach (var bias in (float[]?[])[null, Random(geometry.OutputChannels, 4)])
        {
            var (y, xGradient, wGradient) = Compute(Direct, geometry, x, weights, g, bias);
            var exact = Define(geometry, x, weights, g, bias);
            AssertClose(geometry, "y", exact.Y, y);
            AssertClose(geometry, "input gradient", exact.X, xGradient);
            AssertClose(geometry, "weight gradient", exact.W, wGradient);
        }
    }

    internal static (float[] Y, float[] XGradient, float[] WGradient) Compute(
        CpuDevice device, ConvolutionGeometry geometry, float[] x, float[] w, float[] g,
        float[]? bias = null)
    {
        var kernels = (IConvolutionKernels)device;
        var start = bias is null ? null : KernelTesting.Filled(bias);
        var (xs, ws, gs) = (KernelTesting.Filled(x), KernelTesting.Filled(w), KernelTesting.Filled(g));
        return (KernelTesting.Result(g.Length, y => kernels.Convolve(geometry, xs, ws, start, y)),
            KernelTesting.Result(x.Length, to => kernels.ConvolveInputGradient(geometry, gs, ws, to)),
            KernelTesting.Result(w.Length, to => kernels.ConvolveWeightGradient(geometry, xs, gs, to)));
    }

    // An element's exact value, the sum of its products' magnitudes, and their number.
    internal sealed class Sums(int length)
    {
        public double[] Value { get; } = new double[length];

        public double[] Magnitude { get; } = new double[length];

        public int[] Terms { get; } = new int[length];

        public void Add(int i, double product)
        {
            Value[i] += product;
            Magnitude[i] += Math.Abs(product);
            Terms[i]++;
        }
    }

    // y[n, i, j, o] = bias[o], if there is one, += x[n, i s + k d - p, j s + l d - p, c] *
    // w[k, l, c - first channel of o's group, o], and its two gradients, term by term.
    internal static (Sums Y, Sums X, Sums W) Define(ConvolutionGeometry geometry, float[] x, float[] w, float[] g,
        float[]? bias)
    {
        var (v, outputs, groups) = (geometry.Windows, geometry.OutputChannels, geometry.Groups);
        var (inputsEach, outputsEach) = (v.Channels / groups, outputs / groups);
        var (ySums, xSums, wSums) = (new Sums(g.Length), new Sums(x.Length), new Sums(w.Length));
        if (bias is not null)
            for (var i = 0; i < g.Length; i++) ySums.Add(i, bias[i % outputs]);
        for (var n = 0; n < v.Batch; n++)
            for (var i = 0; i < v.OutputHeight; i++)
                for (var j = 0; j < v.OutputWidth; j++)
                    for (var k = 0; k < v.Kernel.Height; k++)
                        for (var l = 0; l < v.Kernel.Width; l++)
                        {
                            var row = i * v.Stride.Height + k * v.Dilation.Height - v.Padding.Height;
                            var column = j * v.Stride.Width + l * v.Dilation.Width - v.Padding.Width;
                            if (row < 0 || row >= v.Height || column < 0 || column >= v.Width) continue;
                            for (var o = 0; o < outputs; o++)
                                for (var c = 0; c < inputsEach; c++)
                                {
                                    var yAt = ((n * v.OutputHeight + i) * v.OutputWidth + j) * outputs + o;
                                    var xAt = ((n * v.Height + row) * v.Width + column) * v.Channels
                                        + o / outputsEach * inputsEach + c;
                                    var wAt = ((k * v.Kernel.Width + l) * inputsEach + c) * outputs + o;
                                    ySums.Add(yAt, (double)x[xAt] * w[wAt]);
                                    xSums.Add(xAt, (double)g[yAt] * w[wAt]);
                                    wSums.Add(wAt, (double)g[yAt] * x[xAt]);
                                }
                        }
        return (ySums, xSums, wSums);
    }

    private static void AssertClose(ConvolutionGeometry geometry, string what, Sums exact, float[] computed)
    {
        Assert.Equal(exact.Value.Length, computed.Length);
        for (var i = 0; i < computed.Length; i++)
        {
            var tolerance = exact.Terms[i] * Math.Pow(2, -23) * exact.Magnitude[i];
            if (Math.Abs(computed[i] - exact.Value[i]) <= tolerance) continue;
            Assert.Fail($"{geometry}: {what}[{i}] is {computed[i]}, not {exact.Value[i]} +- {tolerance}");
        }
    }

    // Strides, dilations and paddings differ between the two directions; primes, ones, and whole panels (16) all occur.
    internal static ConvolutionGeometry RandomGeometry(RandomSource random, int? batch = null)
    {
        for (var draw = 0; ; draw++)
        {
            var next = 0;
            var source = random.Split(draw);
            int Pick(params ReadOnlySpan<int> values) => values[source.Below(values.Length, next++)];
            var kernel = new Size2d(Pick(1, 2, 3, 3, 5), Pick(1, 2, 3, 3, 7));
            var stride = new Size2d(Pick(1, 1, 2, 3), Pick(1, 1, 2, 3));
            var dilation = new Size2d(Pick(1, 1, 2, 3), Pick(1, 1, 2));
            var padding = new Size2d(Pick(0, 1, 2, 3, 4), Pick(0, 1, 2, 3));
            var groups = Pick(1, 1, 1, 2, 3, 5);
            var windows = new WindowGeometry(batch ?? Pick(1, 1, 2, 3, 5), Pick(1, 2, 3, 5, 7, 8, 11),
                Pick(1, 2, 4, 5, 6, 9, 13), groups * Pick(1, 1, 2, 3, 7, 8), kernel, stride, padding, dilation);
            if (windows.OutputHeight < 1 || windows.OutputWidth < 1) continue;
            return new ConvolutionGeometry(windows, groups * Pick(1, 1, 2, 5, 16, 17, 19), groups);
        }
    }

    internal static int XLength(ConvolutionGeometry g) =>
        g.Windows.Batch * g.Windows.Height * g.Windows.Width * g.Windows.Channels;

    internal static int YLength(ConvolutionGeometry g) =>
        g.Windows.Batch * g.Windows.OutputHeight * g.Windows.OutputWidth * g.OutputChannels;

    internal static int WeightLength(ConvolutionGeometry g) =>
        g.Windows.Kernel.Height * g.Windows.Kernel.Width * (g.Windows.Channels / g.Groups) * g.OutputChannels;

    private static float[] Random(int length, int seed) => KernelTesting.Normal(length, seed);

    private static float[] Part(float[] all, int index, int parts) =>
        all[(all.Length / parts * index)..(all.Length / parts * (index + 1))];

    private static void AssertSameBits(float[] expected, float[] actual, string what) =>
        KernelTesting.AssertSameBits(expected, actual, what);
}
