using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Memory;

/// <summary>Shelves of exact length, the bound, and the counters.</summary>
public class BufferPoolTests
{
    private static BufferPool Pool() => new(length => new HostBuffer<float>(length));

    [Fact]
    public void AReturnedBufferIsGivenOutAgainAtItsExactLengthOnly()
    {
        var pool = Pool();
        var buffer = pool.Rent(10);
        pool.Return(buffer);
        Assert.NotSame(buffer, pool.Rent(9));
        Assert.NotSame(buffer, pool.Rent(11));
        Assert.Same(buffer, pool.Rent(10));
        Assert.NotSame(buffer, pool.Rent(10));
        Assert.Equal((4L, 1L), (pool.Created, pool.Reused));
    }

    [Fact]
    public void BytesWaitingFollowsTheShelves()
    {
        var pool = Pool();
        var (a, b) = (pool.Rent(100), pool.Rent(200));
        Assert.Equal(0, pool.BytesWaiting);
        pool.Return(a);
        pool.Return(b);
        Assert.Equal(a.Bytes + b.Bytes, pool.BytesWaiting);
        Assert.True(a.Bytes >= 100 * sizeof(float));
        pool.Rent(100);
        Assert.Equal(b.Bytes, pool.BytesWaiting);
        pool.Clear();
        Assert.Equal(0, pool.BytesWaiting);
        Assert.NotSame(b, pool.Rent(200));
    }

    [Fact]
    public void WhatComesBackBeyondTheBoundIsLeftToTheCollector()
    {
        var pool = Pool();
        var (a, b, c) = (pool.Rent(50), pool.Rent(50), pool.Rent(60));
        pool.BytesLimit = a.Bytes + c.Bytes;
        pool.Return(a);
        pool.Return(c);
        Assert.Equal(pool.BytesLimit, pool.BytesWaiting);
        pool.Return(b);
        Assert.Equal(pool.BytesLimit, pool.BytesWaiting);
        Assert.Same(a, pool.Rent(50));
        Assert.NotSame(b, pool.Rent(50));
    }

    [Fact]
    public void TheBoundIsHalfOfTheMemoryAtFirst() =>
        Assert.Equal(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 2, Pool().BytesLimit);

    [Fact]
    public void ABufferOutsideThePoolIsNewAndCounted()
    {
        var pool = Pool();
        pool.Return(pool.Rent(5));
        var buffer = pool.CreateUnpooled(5);
        Assert.NotSame(buffer, pool.Rent(5));
        Assert.Equal((2L, 1L), (pool.Created, pool.Reused));
    }

    [Fact]
    public void ManyThreadsNeverShareABuffer()
    {
        var pool = Pool();
        Parallel.For(0, 2000, i =>
        {
            var buffer = (HostBuffer<float>)pool.Rent(16 + i % 3);
            buffer.Span.Fill(i);
            Thread.Yield();
            foreach (var x in buffer.Span) Assert.Equal(i, x);
            pool.Return(buffer);
        });
        Assert.Equal(2000, pool.Created + pool.Reused);
    }
}
