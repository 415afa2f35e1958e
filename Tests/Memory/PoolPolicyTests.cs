using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Memory;

/// <summary>The pool keeps memory as the device says, and makes room when there is none.</summary>
public sealed class PoolPolicyTests
{
    // A place in memory that is nowhere.
    private sealed class Place(int start, int length, int occupied) : Buffer(length, occupied)
    {
        public int First => start;

        public int End => start + occupied;

        protected internal override Buffer Cut(int from, int length, int occupied) =>
            new Place(start + from, length, occupied);
    }

    [Theory]
    [InlineData(16, 16)]
    [InlineData(64, 8)]
    [InlineData(1, 0)]
    [InlineData(128, 300)]
    public void Buffers_begin_where_the_policy_says_and_their_slack_is_theirs(int alignment, int slack)
    {
        var pool = new BufferPool(length => new Place(0, length, length),
            new PoolPolicy(long.MaxValue, alignment, slack));
        var random = new RandomSource(1);
        var places = Enumerable.Range(0, 20).Select(i => (Place)pool.Rent((1 << 14) + random.Below(1000, i)))
            .OrderBy(place => place.First).ToArray();
        Assert.Equal(1, pool.Created);
        Assert.All(places, place => Assert.Equal(0, place.First % alignment));
        Assert.All(places, place => Assert.True(place.End >= place.First + place.Length + slack));
        for (var i = 1; i < places.Length; i++) Assert.True(places[i].First >= places[i - 1].End);
    }

    [Theory]
    [InlineData(1L << 20, 1 << 22)]
    [InlineData(1L << 30, 1 << 24)]
    [InlineData(1L << 40, 1 << 25)]
    public void The_first_region_has_room_for_a_part_of_what_may_wait(long limit, int expected)
    {
        var made = new List<int>();
        var pool = new BufferPool(length =>
        {
            made.Add(length);
            return new Place(0, length, length);
        }, new PoolPolicy(limit));
        pool.Rent(1 << 14);
        Assert.Equal([expected], made);
    }

    [Fact]
    public void The_bound_is_the_policys_until_it_is_set()
    {
        var pool = new BufferPool(length => new Place(0, length, length), new PoolPolicy(1000));
        Assert.Equal(1000, pool.BytesLimit);
        foreach (var length in (int[])[400, 500, 600]) pool.Return(new Place(0, length, length));
        Assert.Equal(900, pool.BytesWaiting);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public void When_there_is_no_memory_what_waits_is_given_up_and_it_is_tried_once_more(int length)
    {
        BufferPool? pool = null;
        pool = new BufferPool(size => pool!.BytesWaiting > 0 ? throw new OutOfMemoryException()
            : new Place(0, size, size), new PoolPolicy(long.MaxValue));
        pool.Return(new Place(0, 50, 50));
        Assert.Equal(length, pool.Rent(length).Length);
        Assert.Equal(1, pool.Created);
    }

    [Fact]
    public void A_piece_with_room_for_nothing_else_is_taken_when_a_large_one_is_not_to_be_had()
    {
        const int length = 1 << 16;
        var pool = new BufferPool(size => size > 2 * length ? throw new OutOfMemoryException()
            : new Place(0, size, size));
        Assert.Equal(length, pool.Rent(length).Length);
    }

    [Theory]
    [InlineData(100)]
    [InlineData(1 << 20)]
    public void Where_nothing_helps_the_error_comes_through_and_the_pool_goes_on(int length)
    {
        var isFull = true;
        var pool = new BufferPool(size => isFull ? throw new OutOfMemoryException("full") : new Place(0, size, size));
        Assert.Equal("full", Assert.Throws<OutOfMemoryException>(() => pool.Rent(length)).Message);
        isFull = false;
        Assert.Equal(length, pool.Rent(length).Length);
    }
}
