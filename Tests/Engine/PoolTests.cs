using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Engine;

/// <summary>The pool by itself: shelves of equal lengths, a bound, counters.</summary>
public sealed class PoolTests
{
    private static BufferPool Create() => new(length => new HostBuffer<float>(length));

    [Fact]
    public void A_returned_buffer_is_rented_again_for_exactly_its_length()
    {
        var pool = Create();
        var buffer = pool.Rent(10);
        pool.Return(buffer);
        Assert.NotSame(buffer, pool.Rent(9));
        Assert.NotSame(buffer, pool.Rent(11));
        Assert.Same(buffer, pool.Rent(10));
        Assert.NotSame(buffer, pool.Rent(10));
        Assert.Equal((4, 1), (pool.Created, pool.Reused));
    }

    [Fact]
    public void A_return_raises_the_stamp_and_says_why()
    {
        var pool = Create();
        var buffer = pool.Rent(10);
        var stamp = buffer.Stamp;
        Assert.Equal(BufferChange.None, buffer.LastChange);
        pool.Return(buffer);
        Assert.True(buffer.Stamp > stamp);
        Assert.Equal(BufferChange.Returned, buffer.LastChange);
        Assert.Equal(0, buffer.Owner);
    }

    [Fact]
    public void The_bound_is_kept_and_what_exceeds_it_goes_to_the_collector()
    {
        var pool = Create();
        var buffers = Enumerable.Range(0, 5).Select(_ => pool.Rent(1000)).ToArray();
        pool.BytesLimit = buffers[0].Bytes * 3;
        foreach (var buffer in buffers) pool.Return(buffer);
        Assert.Equal(buffers[0].Bytes * 3, pool.BytesWaiting);
        Assert.All(buffers, buffer => Assert.Equal(BufferChange.Returned, buffer.LastChange));
        for (var i = 0; i < 5; i++) pool.Rent(1000);
        Assert.Equal((7, 3), (pool.Created, pool.Reused));
        Assert.Equal(0, pool.BytesWaiting);
    }

    [Fact]
    public void Clear_forgets_what_waits()
    {
        var pool = Create();
        pool.Return(pool.Rent(10));
        pool.Clear();
        Assert.Equal(0, pool.BytesWaiting);
        pool.Rent(10);
        Assert.Equal((2, 0), (pool.Created, pool.Reused));
    }

    [Fact]
    public void Nothing_is_handed_out_twice_and_the_counters_are_true()
    {
        Prop.ForAll(ArbMap.Default.ArbFor<(bool, byte)[]>(), events =>
        {
            var pool = Create();
            pool.BytesLimit = 2000;
            var rented = new List<Buffer>();
            var rents = 0;
            foreach (var (rent, which) in events)
            {
                if (rent)
                {
                    var buffer = pool.Rent(which % 4);   // a length of 0 too
                    Assert.DoesNotContain(buffer, rented);
                    Assert.Equal(which % 4, buffer.Length);
                    rented.Add(buffer);
                    rents++;
                }
                else if (rented.Count > 0)
                {
                    var buffer = rented[which % rented.Count];
                    rented.Remove(buffer);
                    pool.Return(buffer);
                }
                Assert.Equal(rents, pool.Created + pool.Reused);
                Assert.InRange(pool.BytesWaiting, 0, pool.BytesLimit);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200).WithEndSize(100));
    }

    [Fact]
    public void Threads_may_share_a_pool()
    {
        var pool = Create();
        var taken = new System.Collections.Concurrent.ConcurrentDictionary<Buffer, bool>();
        var twice = 0;
        Parallel.For(0, 4, new ParallelOptions { MaxDegreeOfParallelism = 4 }, _ =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                var buffer = pool.Rent(i % 2);
                if (!taken.TryAdd(buffer, true)) Interlocked.Increment(ref twice);
                taken.TryRemove(buffer, out var _);
                pool.Return(buffer);
            }
        });
        Assert.Equal(0, twice);
        Assert.Equal(80_000, pool.Created + pool.Reused);
        Assert.InRange(pool.Created, 1, 8);   // two lengths, four threads
    }
}
