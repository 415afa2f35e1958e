using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>The kernels give the same bits for any number of threads.</summary>
[Collection(ThreadCount.Name)]
public sealed class KernelThreadsTests : IDisposable
{
    private readonly int before = Workers.Threads;

    public void Dispose() => Workers.Threads = before;

    [Fact]
    public void Convolution()
    {
        for (var i = 0; i < 12; i++)
            CheckConvolution(ConvolutionKernelsTests.RandomGeometry(new RandomSource(7000 + i), batch: 23));
    }

    [Fact]
    public void WinogradConvolution()
    {
        for (var i = 0; i < 6; i++)
            CheckConvolution(WinogradTests.RandomGeometry(new RandomSource(7000 + i), batch: 23));
    }

    [Fact]
    public void DepthwiseConvolution() =>
        CheckConvolution(new ConvolutionGeometry(new WindowGeometry(23, 9, 7, 11, 3, 1, 1, 1), 11, 11));

    private static void CheckConvolution(ConvolutionGeometry geometry)
    {
        var x = KernelTesting.Normal(ConvolutionKernelsTests.XLength(geometry), 1);
        var w = KernelTesting.Normal(ConvolutionKernelsTests.WeightLength(geometry), 2);
        var g = KernelTesting.Normal(ConvolutionKernelsTests.YLength(geometry), 3);
        SameForAnyThreads(geometry, () =>
        {
            var (y, xGradient, wGradient) = ConvolutionKernelsTests.Compute(Device.Cpu, geometry, x, w, g);
            return [.. y, .. xGradient, .. wGradient];
        });
    }

    [Theory]
    [InlineData(9, 2100, 13, 13, true, true)]
    [InlineData(64, 300, 8, 4, false, true)]
    [InlineData(50, 90, 24, 3, false, false)]
    [InlineData(50, 90, 24, 3, true, false)]
    public void Normalization(int n, int positions, int channels, int groups, bool batch, bool shared)
    {
        var geometry = new SharingGeometry(n, positions, channels, groups, batch, shared);
        var (x, g) = (KernelTesting.Normal(n * positions * channels, 1),
            KernelTesting.Normal(n * positions * channels, 2));
        foreach (var extras in (NormalizationKernelsTests.Extras[])
            [new(), new(Affine: true, Relu: true), new(true, true, true), new(true, true, true, true)])
            SameForAnyThreads($"{geometry}, {extras}", () =>
                NormalizationKernelsTests.Compute(geometry, x, g, extras).All);
    }

    [Fact]
    public void MaxPooling()
    {
        var geometry = new WindowGeometry(13, 17, 19, 9, 3, 2, 1, 1);
        var (x, g) = (KernelTesting.Normal(PoolingKernelsTests.XLength(geometry), 1),
            KernelTesting.Normal(PoolingKernelsTests.YLength(geometry), 2));
        SameForAnyThreads(geometry, () =>
        {
            var (y, gradient) = PoolingKernelsTests.Compute(geometry, x, g);
            return [.. y, .. gradient];
        });
    }

    private static void SameForAnyThreads(object geometry, Func<float[]> compute)
    {
        Workers.Threads = 1;
        var expected = compute();
        foreach (var threads in (int[])[2, 3, 5, 8])
        {
            Workers.Threads = threads;
            KernelTesting.AssertSameBits(expected, compute(), $"{geometry}, {threads} threads");
        }
    }
}
