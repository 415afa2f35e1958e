using Tapegrad.Devices;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>The same bits on any run and for any number of threads.</summary>
[Collection(ThreadCount.Name)]
public sealed class DeterminismTests : EngineTest
{
    private static int[] Train(int threads, bool release)
    {
        var before = Workers.Threads;
        Workers.Threads = threads;
        try
        {
            using var device = Device.Use(Device.Cpu);
            var network = new ScopeMemoryTests.Network(Random, 16);
            var optimizer = new Sgd(network.Parameters, momentum: 0.9, weightDecay: 1e-3, nesterov: true);
            // 8 images of 20 x 20 with 16 channels are 51200 elements: above the size from which work is cut for
            // threads.
            for (var step = 0; step < 10; step++)
                ScopeMemoryTests.Step(network, optimizer, new(8, 20, 20, 3), step, release);
            return [.. network.Parameters.SelectMany(p => p.Value.ToFloats()).Select(BitConverter.SingleToInt32Bits)];
        }
        finally
        {
            Workers.Threads = before;
        }
    }

    [Fact]
    public void The_same_training_gives_the_same_bits_for_any_number_of_threads()
    {
        var first = Train(threads: 1, release: false);
        Assert.Equal(first, Train(threads: 1, release: true));
        Assert.Equal(first, Train(threads: 2, release: false));
        Assert.Equal(first, Train(threads: 3, release: true));
        Assert.Equal(first, Train(threads: 2, release: true));
    }
}
