using System.Runtime.CompilerServices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Memory;
using Xunit;

namespace Tapegrad.Tests.Memory;

/// <summary>Alignment, padding, and a life that ends with the collector.</summary>
public unsafe class HostBufferTests
{
    [Fact]
    public void TheFirstElementLiesOnACacheLineAndTwoVectorsFitBehindTheLast()
    {
        for (var length = 0; length <= 300; length++)
        {
            var floats = new HostBuffer<float>(length);
            var doubles = new HostBuffer<double>(length);
            Assert.Equal(0, (nint)floats.Pointer % 64);
            Assert.Equal(0, (nint)doubles.Pointer % 64);
            Assert.Equal((length, length), (floats.Length, floats.Span.Length));
            // Bytes counts the padding: up to a line of 64 bytes before the first element, and two whole ones behind
            // the last.
            Assert.InRange(floats.Bytes, length * sizeof(float) + 192, length * sizeof(float) + 256);
            Assert.InRange(doubles.Bytes, length * sizeof(double) + 192, length * sizeof(double) + 256);
        }
    }

    // What kernels rely on behind a buffer, however it was made.
    [Fact]
    public void TheSlackHoldsTwoOfTheWidestVectors()
    {
        Assert.True(PoolPolicy.OfThisProcess.Slack >= 2 * Real32x16.Count);
        Assert.True(new HostBuffer<float>(16).Bytes >= sizeof(float) * (16 + 2 * Real32x16.Count));
    }

    [Fact]
    public void TheSpanIsTheMemoryAtThePointer()
    {
        var buffer = new HostBuffer<float>(5);
        for (var i = 0; i < 5; i++) buffer.Pointer[i] = i * i;
        Assert.Equal([0, 1, 4, 9, 16], buffer.Span.ToArray());
        buffer.Span[0] = 2;
        Assert.Equal(2, *buffer.Pointer);
    }

    [Fact]
    public void TheMemoryStaysWhereItIs()
    {
        var buffers = Enumerable.Range(0, 100).Select(i => new HostBuffer<float>(1000)).ToArray();
        foreach (var (buffer, i) in buffers.Select((buffer, i) => (buffer, i))) buffer.Span.Fill(i);
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        foreach (var (buffer, i) in buffers.Select((buffer, i) => (buffer, i))) Assert.Equal(i, buffer.Pointer[999]);
    }

    [Fact]
    public void TheCollectorTakesAForgottenBuffer()
    {
        var forgotten = Forget();
        Waiting.ForTheCollector(() => !forgotten.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget() => new(new HostBuffer<float>(1000));
}
