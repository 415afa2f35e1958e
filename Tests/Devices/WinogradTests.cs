using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Winograd's convolutions against the definition in double loops. The bound is the one that the device promises: an
/// error of at most 1e-5 of the largest value of the same convolution of magnitudes, conv(|x|, |w|).
/// </summary>
public sealed class WinogradTests
{
    private const double Bound = 1e-5;
    private static readonly CpuDevice Kernels = KernelTesting.Poisoned();

    [Fact]
    public void Every_kernel_stays_within_its_bound_of_the_definition()
    {
        for (var i = 0; i < 120; i++) CheckAll(RandomGeometry(new RandomSource(3000 + i)));
    }

    /// <summary>
    /// The shapes that have a reason: models' layers, borders on every side, whole and broken tiles, panels and
    /// vectors.
    /// </summary>
    [Theory]
    [InlineData(3, 32, 32, 16, 16, 1)]    // a ResNet layer: most tiles lie inside, several blocks
    [InlineData(9, 8, 8, 64, 64, 1)]      // every tile touches a border; an odd number of images
    [InlineData(40, 4, 4, 16, 8, 1)]      // one tile an image, and half a panel
    [InlineData(2, 1, 1, 8, 8, 1)]        // one pixel
    [InlineData(2, 5, 7, 9, 17, 1)]       // one beyond a tile, a vector and a panel
    [InlineData(2, 7, 5, 23, 29, 0)]      // no padding: the results are smaller than the image
    [InlineData(2, 3, 3, 8, 8, 4)]        // padding beyond the kernel: some results see nothing at all
    [InlineData(1, 13, 1, 11, 13, 2)]     // one column
    [InlineData(300, 3, 3, 8, 8, 1)]      // many tiles: parts of the weight gradient with several blocks each
    [InlineData(1, 9, 30, 40, 33, 1)]     // a wide image, six panels of products and a rest
    public void Chosen_geometries_stay_within_the_bound(int n, int h, int w, int c, int o, int padding) =>
        CheckAll(Geometry(n, h, w, c, o, padding, padding));

    [Fact]
    public void A_sample_has_the_same_bits_alone_and_in_a_batch()
    {
        for (var i = 0; i < 12; i++)
        {
            var geometry = RandomGeometry(new RandomSource(7000 + i), batch: 31);
            var alone = geometry with { Windows = geometry.Windows with { Batch = 1 } };
            var (x, w, g) = Inputs(geometry);
            var (y, xGradient, _) = ConvolutionKernelsTests.Compute(Kernels, geometry, x, w, g);
            for (var sample = 0; sample < 31; sample += 15)
            {
                float[] Part(float[] all) => all[(all.Length / 31 * sample)..(all.Length / 31 * (sample + 1))];
                var (one, oneGradient, _) = ConvolutionKernelsTests.Compute(Kernels, alone, Part(x), w, Part(g));
                KernelTesting.AssertSameBits(Part(y), one, $"{geometry}: y of sample {sample}");
                KernelTesting.AssertSameBits(Part(xGradient), oneGradient, $"{geometry}: gradient of sample {sample}");
            }
        }
    }

    [Fact]
    public void A_pixel_has_the_same_bits_wherever_its_tile_lies()
    {
        // The image, and the same one four rows and eight columns further: results that see the same pixels are equal.
        var small = Geometry(1, 12, 13, 8, 8, 0, 0);
        var large = Geometry(1, 16, 21, 8, 8, 0, 0);
        var (x, w, g) = Inputs(small);
        var moved = new float[16 * 21 * 8];
        for (var row = 0; row < 12; row++)
            x.AsSpan(row * 13 * 8, 13 * 8).CopyTo(moved.AsSpan(((row + 4) * 21 + 8) * 8));
        var y = ConvolutionKernelsTests.Compute(Kernels, small, x, w, g).Y;
        var movedY = ConvolutionKernelsTests.Compute(Kernels, large, moved, w, new float[14 * 19 * 8]).Y;
        for (var row = 0; row < 10; row++)
            KernelTesting.AssertSameBits(y[(row * 11 * 8)..((row + 1) * 11 * 8)],
                movedY[(((row + 4) * 19 + 8) * 8)..(((row + 4) * 19 + 19) * 8)], $"row {row}");
    }

    [Fact]
    public void Only_stride_one_convolutions_of_three_by_three_use_it_and_the_switch_turns_it_off()
    {
        var direct = CpuDevice.Create();
        direct.UsesWinograd = false;
        var winograd = Geometry(2, 6, 6, 8, 8, 1, 1);
        var (kernel, stride, dilation) = (winograd.Windows with { Kernel = new Size2d(3, 2) },
            winograd.Windows with { Stride = new Size2d(1, 2) }, winograd.Windows with { Dilation = new Size2d(2, 1) });
        Assert.True(Differs(winograd));
        Assert.False(Differs(winograd with { Windows = kernel }));
        Assert.False(Differs(winograd with { Windows = stride }));
        Assert.False(Differs(winograd with { Windows = dilation }));
        Assert.False(Differs(winograd with { Groups = 2 }));

        bool Differs(ConvolutionGeometry geometry)
        {
            var (x, w, g) = Inputs(geometry);
            var (a, b) = (ConvolutionKernelsTests.Compute(direct, geometry, x, w, g),
                ConvolutionKernelsTests.Compute(Kernels, geometry, x, w, g));
            bool[] differ = [!a.Y.SequenceEqual(b.Y), !a.XGradient.SequenceEqual(b.XGradient),
                !a.WGradient.SequenceEqual(b.WGradient)];
            Assert.True(differ.Distinct().Count() == 1, $"{geometry}: all three use it, or none");
            return differ[0];
        }
    }

    internal static void CheckAll(ConvolutionGeometry geometry)
    {
        var (x, w, g) = Inputs(geometry);
        foreach (var bias in (float[]?[])[null, KernelTesting.Normal(geometry.OutputChannels, 4)])
        {
            var computed = ConvolutionKernelsTests.Compute(Kernels, geometry, x, w, g, bias);
            var exact = ConvolutionKernelsTests.Define(geometry, x, w, g, bias);
            AssertClose(geometry, "y", exact.Y, computed.Y);
            AssertClose(geometry, "input gradient", exact.X, computed.XGradient);
            AssertClose(geometry, "weight gradient", exact.W, computed.WGradient);
        }
    }

    private static void AssertClose(ConvolutionGeometry geometry, string what, ConvolutionKernelsTests.Sums exact,
        float[] computed)
    {
        Assert.Equal(exact.Value.Length, computed.Length);
        var tolerance = Bound * exact.Magnitude.Max();
        for (var i = 0; i < computed.Length; i++)
            if (!(Math.Abs(computed[i] - exact.Value[i]) <= tolerance))
                Assert.Fail($"{geometry}: {what}[{i}] is {computed[i]}, not {exact.Value[i]} +- {tolerance}");
    }

    private static (float[] X, float[] W, float[] G) Inputs(ConvolutionGeometry geometry) =>
        (KernelTesting.Normal(ConvolutionKernelsTests.XLength(geometry), 1),
            KernelTesting.Normal(ConvolutionKernelsTests.WeightLength(geometry), 2),
            KernelTesting.Normal(ConvolutionKernelsTests.YLength(geometry), 3));

    private static ConvolutionGeometry Geometry(int n, int h, int w, int c, int o, int down, int across) =>
        new(new WindowGeometry(n, h, w, c, 3, 1, new Size2d(down, across), 1), o, 1);

    // Every size from 1 to three tiles and one; channels around vectors, sixes and panels; padding from none to more
    // than the kernel reaches.
    internal static ConvolutionGeometry RandomGeometry(RandomSource random, int? batch = null)
    {
        for (var draw = 0; ; draw++)
        {
            var next = 0;
            var source = random.Split(draw);
            int Pick(params ReadOnlySpan<int> values) => values[source.Below(values.Length, next++)];
            var geometry = Geometry(batch ?? Pick(1, 1, 2, 3, 7), 1 + source.Below(13, next++),
                1 + source.Below(13, next++), Pick(8, 9, 11, 12, 16, 17, 24, 31), Pick(8, 10, 13, 16, 19, 32, 33),
                Pick(0, 1, 1, 2, 3, 4), Pick(0, 1, 1, 2, 3));
            if (geometry.Windows.OutputHeight >= 1 && geometry.Windows.OutputWidth >= 1) return geometry;
        }
    }
}
