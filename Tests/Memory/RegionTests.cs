using System.Runtime.CompilerServices;
using FsCheck.Xunit;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Memory;

/// <summary>
/// Long buffers are cut from regions: apart from each other, on boundaries, joined again when they come back.
/// </summary>
public class RegionTests
{
    private const int Least = 1 << 14, RegionLength = 1 << 22;   // elements: what is cut, and the first region

    private static BufferPool Pool() =>
        new(length => new HostBuffer<float>(length), new PoolPolicy(BytesLimit: 64L * RegionLength));

    private static Buffer[] RentAll(BufferPool pool, params IEnumerable<int> lengths) => [.. lengths.Select(pool.Rent)];

    private static void ReturnAll(BufferPool pool, params IEnumerable<Buffer> buffers)
    {
        foreach (var buffer in buffers) pool.Return(buffer);
    }

    /// <summary>
    /// Any order of requests and returns: every buffer keeps its own numbers, whole vectors behind its end included.
    /// </summary>
    [Property(MaxTest = 60, EndSize = 60)]
    public unsafe void Buffers_never_overlap_and_the_pool_counts_what_waits((bool Rent, ushort Number)[] events)
    {
        var pool = Pool();
        var rented = new List<HostBuffer<float>>();
        long whole = 0;
        foreach (var (rent, number) in events)
        {
            if (rent || rented.Count == 0)
            {
                var length = Least + number * 7;
                var made = pool.Created;
                var buffer = (HostBuffer<float>)pool.Rent(length);
                if (pool.Created > made) whole = pool.BytesWaiting + rented.Sum(other => other.Bytes) + buffer.Bytes;
                Assert.Equal(length, buffer.Length);
                Assert.Equal(0, (nint)buffer.Pointer % 64);
                new Span<float>(buffer.Pointer, length + 8).Fill(length);
                rented.Add(buffer);
            }
            else
            {
                var buffer = rented[number % rented.Count];
                rented.Remove(buffer);
                Assert.Equal(-1, new Span<float>(buffer.Pointer, buffer.Length + 8).IndexOfAnyExcept(buffer.Length));
                pool.Return(buffer);
            }
            Assert.Equal(whole, pool.BytesWaiting + rented.Sum(other => other.Bytes));
        }
        foreach (var buffer in rented)
            Assert.Equal(-1, new Span<float>(buffer.Pointer, buffer.Length + 8).IndexOfAnyExcept(buffer.Length));
    }

    [Fact]
    public void Neighbours_are_joined_in_any_order_of_return()
    {
        int[][] orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        foreach (var order in orders)
        {
            var pool = Pool();
            var parts = RentAll(pool, Enumerable.Repeat(RegionLength / 4, 3));
            ReturnAll(pool, order.Select(i => parts[i]));
            var all = pool.Rent(RegionLength / 4 * 3 + 32);   // needs the three places in one piece
            Assert.Equal((1L, 3L), (pool.Created, pool.Reused));
            pool.Return(all);
        }
    }

    [Fact]
    public void A_whole_region_is_used_to_its_end()
    {
        var pool = Pool();
        var whole = RentAll(pool, RegionLength - 32);
        Assert.Equal(1, pool.Created);
        RentAll(pool, Least);
        Assert.Equal(2, pool.Created);
        GC.KeepAlive(whole);
    }

    [Fact]
    public void The_shortest_run_that_is_long_enough_is_taken()
    {
        var pool = Pool();
        var parts = RentAll(pool, 4 * Least, Least, 2 * Least, Least, 3 * Least, Least);
        ReturnAll(pool, parts[0], parts[2], parts[4]);
        Assert.Same(parts[2], pool.Rent(2 * Least));
        Assert.Same(parts[4], pool.Rent(3 * Least));
        Assert.Same(parts[0], pool.Rent(4 * Least));
    }

    [Fact]
    public void The_same_place_and_length_is_the_same_buffer_and_another_length_another()
    {
        var pool = Pool();
        var first = pool.Rent(Least);
        pool.Return(first);
        var longer = pool.Rent(Least + 100);
        Assert.NotSame(first, longer);
        pool.Return(longer);
        Assert.Same(first, pool.Rent(Least));
    }

    [Fact]
    public void A_request_beyond_the_usual_size_gets_a_region_of_its_own_size()
    {
        var pool = Pool();
        pool.Return(pool.Rent(Least));
        var buffer = pool.Rent(3 * RegionLength);
        Assert.Equal((2L, 3 * RegionLength), (pool.Created, buffer.Length));
        pool.Return(buffer);
        Assert.Same(buffer, pool.Rent(3 * RegionLength));
    }

    [Fact]
    public void Regions_grow_with_what_is_needed()
    {
        var pool = Pool();
        var all = RentAll(pool, Enumerable.Repeat(RegionLength / 4, 200));   // 50 times the first region
        Assert.InRange(pool.Created, 5, 15);
        GC.KeepAlive(all);
    }

    [Fact]
    public void A_forgotten_buffer_gives_its_place_back_when_the_collector_finds_it()
    {
        var pool = Pool();
        pool.Return(pool.Rent(Least));
        var whole = pool.BytesWaiting;
        RentAndForget(pool);
        Waiting.ForTheCollector(() => pool.BytesWaiting == whole);
        pool.Rent(RegionLength - 32);
        Assert.Equal(1, pool.Created);
    }

    // One forgotten, and one that came back before it was: its place must not be given back twice.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RentAndForget(BufferPool pool)
    {
        RentAll(pool, RegionLength / 2);
        pool.Return(pool.Rent(Least));
    }

    // The pool remembers a thousand buffers that wait. One that it forgets has given its place back already.
    [Fact]
    public void A_place_is_given_back_once()
    {
        var pool = Pool();
        pool.Return(pool.Rent(Least));
        var whole = pool.BytesWaiting;
        for (var i = 0; i < 3000; i++) pool.Return(pool.Rent(Least + i));
        for (var i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        Assert.Equal((1L, whole), (pool.Created, pool.BytesWaiting));
        GC.KeepAlive(pool);
    }

    // The collector sees small objects only: it is asked before the pool grows.
    [Fact]
    public void Forgotten_buffers_do_not_make_the_pool_grow()
    {
        var pool = Pool();
        for (var i = 0; i < 200; i++) Forget(pool);
        Assert.InRange(pool.Created, 1, 3);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Forget(BufferPool pool) => pool.Rent(RegionLength / 4);

    [Fact]
    public void Beyond_the_bound_a_region_goes_when_nothing_is_cut_from_it()
    {
        var pool = Pool();
        var (a, b, c) = (pool.Rent(Least), pool.Rent(2 * Least), pool.Rent(RegionLength));
        pool.BytesLimit = 100;
        pool.Return(b);
        Assert.Equal(2, pool.Created);
        Assert.Same(b, pool.Rent(2 * Least));   // the first region is still in use
        pool.Return(c);
        Assert.NotSame(c, pool.Rent(RegionLength));
        Assert.Equal(3, pool.Created);
        pool.Return(a);
        pool.Return(b);
        Assert.Equal(0, pool.BytesWaiting / (RegionLength / 2 * sizeof(float)));
    }

    [Fact]
    public void Clear_forgets_regions_that_nothing_is_cut_from()
    {
        var pool = Pool();
        var (a, b) = (pool.Rent(RegionLength), pool.Rent(RegionLength));
        pool.Return(a);
        pool.Clear();
        Assert.NotSame(a, pool.Rent(RegionLength));
        pool.Return(b);
        Assert.Same(b, pool.Rent(RegionLength));
        Assert.Equal((3L, 1L), (pool.Created, pool.Reused));
    }

    [Fact]
    public void Many_threads_never_share_a_buffer()
    {
        var pool = Pool();
        Parallel.For(0, 500, i =>
        {
            var buffer = (HostBuffer<float>)pool.Rent(Least + i % 5 * 1000);
            buffer.Span.Fill(i);
            Thread.Yield();
            Assert.Equal(-1, buffer.Span.IndexOfAnyExcept(i));
            pool.Return(buffer);
        });
        Assert.Equal(500, pool.Created + pool.Reused);
        pool.Rent(RegionLength - 32);
        Assert.Equal(1, pool.Created);
    }
}
