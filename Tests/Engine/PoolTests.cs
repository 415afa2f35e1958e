using FsCheck.Xunit;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Engine;

/// <summary>Any sequence of requests and returns.</summary>
public sealed class PoolTests
{
    private static BufferPool Create() => new(length => new HostBuffer<float>(length));

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

    [Property(MaxTest = 200, EndSize = 100)]
    public void Nothing_is_handed_out_twice_and_the_counters_are_true((bool Rent, byte Which)[] events)
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
    }
}
