using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// What a convolution keeps of its weights changes no bit, whatever else it is given from call to call; and it is kept
/// when the weights come for the second time, of small batches alone.
/// </summary>
public sealed class PreparedWeightsTests
{
    // Winograd's, direct ones of every kind, and with one output a channel, which keep nothing.
    private static ConvolutionGeometry Geometry(int number)
    {
        var random = new RandomSource(11).Split(number);
        if (number % 2 == 0) return WinogradTests.RandomGeometry(random);
        var geometry = ConvolutionKernelsTests.RandomGeometry(random);
        var channels = geometry.Windows.Channels;
        return number % 5 == 0 ? geometry with { OutputChannels = channels, Groups = channels } : geometry;
    }

    private static float[] X(ConvolutionGeometry geometry, int seed) =>
        KernelTesting.Normal(ConvolutionKernelsTests.XLength(geometry), seed);

    private static Buffer W(ConvolutionGeometry geometry, int seed = 1) =>
        KernelTesting.Filled(KernelTesting.Normal(ConvolutionKernelsTests.WeightLength(geometry), seed));

    // As a caller does who keeps, and as one who does not.
    private static void AssertSame(CpuDevice device, ConvolutionGeometry geometry, Buffer w, int seed, bool hasBias,
        ref object? kept)
    {
        var kernels = (IConvolutionKernels)device;
        var x = KernelTesting.Filled(X(geometry, seed));
        var bias = hasBias ? KernelTesting.Filled(KernelTesting.Normal(geometry.OutputChannels, seed + 1)) : null;
        var length = ConvolutionKernelsTests.YLength(geometry);
        var expected = KernelTesting.Result(length, y => kernels.Convolve(geometry, x, w, bias, y));
        var slot = kept;
        var actual = KernelTesting.Result(length, y => kernels.Convolve(geometry, x, w, bias, y, ref slot));
        kept = slot;
        KernelTesting.AssertSameBits(expected, actual, $"{geometry}, seed {seed}");
    }

    [Fact]
    public void Weights_that_come_again_give_the_same_bits()
    {
        foreach (var device in KernelTesting.Widths())
            for (var number = 0; number < 120; number++)
            {
                var geometry = Geometry(number);
                var w = W(geometry);
                object? kept = null;
                for (var call = 0; call < 3; call++) AssertSame(device, geometry, w, call, call % 2 == 0, ref kept);
            }
    }

    // Whoever gives other images, a step or a padding with the same weights, or turns Winograd's algorithm off, finds
    // numbers there that are not his.
    [Fact]
    public void What_was_kept_for_another_layout_is_left_alone()
    {
        foreach (var device in KernelTesting.Widths())
            for (var order = 0; order < 60; order++)
            {
                var (random, next) = (new RandomSource(12).Split(order), 0);
                int Pick(params ReadOnlySpan<int> values) => values[random.Below(values.Length, next++)];
                var (channels, outputs, kernel) = (Pick(8, 11, 16), Pick(8, 16, 33), Pick(1, 3, 3));
                var w = KernelTesting.Filled(KernelTesting.Normal(kernel * kernel * channels * outputs, 1));
                object? kept = null;
                for (var call = 0; call < 8; call++)
                {
                    device.UsesWinograd = Pick(0, 1, 1) == 1;
                    var (height, width) = (Pick(5, 5, 8), Pick(6, 6, 1));
                    var stride = Pick(1, 1, 2);
                    AssertSame(device, new ConvolutionGeometry(new WindowGeometry(Pick(1, 1, 3), height, width,
                        channels, kernel, stride, 2, Pick(1, 1, 2)), outputs, 1), w, call, hasBias: true, ref kept);
                }
            }
    }

    private static readonly ConvolutionGeometry Small = new(new WindowGeometry(1, 8, 8, 16, 3, 1, 1, 1), 32, 1);

    private static object? AfterCalls(ConvolutionGeometry geometry, int calls)
    {
        var device = CpuDevice.Create();
        var w = W(geometry);
        object? kept = null;
        for (var call = 0; call < calls; call++)
            ((IConvolutionKernels)device).Convolve(geometry, KernelTesting.Filled(X(geometry, call)), w, null,
                KernelTesting.Filled(new float[ConvolutionKernelsTests.YLength(geometry)]), ref kept);
        return kept;
    }

    [Fact]
    public void They_are_kept_when_they_come_for_the_second_time_and_then_for_good()
    {
        Assert.IsNotType<PreparedWeights>(AfterCalls(Small, 1));
        Assert.IsType<PreparedWeights>(AfterCalls(Small, 2));
        var device = CpuDevice.Create();
        var w = W(Small);
        object? kept = null;
        for (var call = 0; call < 2; call++) AssertSame(device, Small, w, call, false, ref kept);
        var first = kept;
        AssertSame(device, Small, w, 3, false, ref kept);
        var higher = Small with { Windows = Small.Windows with { Height = 9, Batch = 2 } };
        AssertSame(device, higher, w, 4, false, ref kept);
        Assert.Same(first, kept);
    }

    [Fact]
    public void Large_batches_and_weights_that_are_used_as_they_lie_keep_nothing()
    {
        Assert.Null(AfterCalls(Small with { Windows = Small.Windows with { Batch = 65 } }, 3));
        Assert.Null(AfterCalls(new(Small.Windows, 16, 16), 3));
        Assert.Null(AfterCalls(Small with { Windows = Small.Windows with { Batch = 0 } }, 3));
    }

    [Fact]
    public void Several_threads_with_the_same_weights_have_the_bits_of_one()
    {
        var device = CpuDevice.Create();
        var kernels = (IConvolutionKernels)device;
        var length = ConvolutionKernelsTests.YLength(Small);
        for (var time = 0; time < 30; time++)
        {
            var w = W(Small, time);
            var x = KernelTesting.Filled(X(Small, time));
            var expected = KernelTesting.Result(length, y => kernels.Convolve(Small, x, w, null, y));
            var shared = new object?[1];
            using var start = new Barrier(4);
            var wrong = 0;
            var threads = Enumerable.Range(0, 4).Select(_ => new Thread(() =>
            {
                var y = KernelTesting.Filled(new float[length]);
                start.SignalAndWait(Waiting.Long);
                for (var call = 0; call < 4; call++)
                {
                    kernels.Convolve(Small, x, w, null, y, ref shared[0]);
                    if (!((HostBuffer<float>)y).Span.SequenceEqual(expected)) Interlocked.Increment(ref wrong);
                }
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
            Assert.Equal(0, wrong);
        }
    }
}
