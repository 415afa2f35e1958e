using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Tapegrad.Devices;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Work is done once each, each thread has a range of its own, errors come through, and nothing is left behind. A
/// mistake in the counting of what is done shows as work that never ends, so each of these tests has a limit.
/// </summary>
[Collection(ThreadCount.Name)]
public sealed class WorkersTests : IDisposable
{
    private readonly int before = Workers.Threads;

    public void Dispose() => Workers.Threads = before;

    // The work of these tests takes a second. What has not ended after two minutes waits for an item that nobody will
    // do.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private static void Within(TimeSpan limit, Action work)
    {
        Exception? error = null;
        var thread = new Thread(() => error = Record.Exception(work)) { IsBackground = true };
        thread.Start();
        if (!thread.Join(limit))
            throw new TimeoutException($"the work has not ended after {limit.TotalSeconds} s: an item was lost");
        if (error is not null) ExceptionDispatchInfo.Throw(error);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void EveryItemIsDoneOnce(int threads) => Within(Limit, () =>
    {
        Workers.Threads = threads;
        foreach (var items in (int[])[0, 1, 2, 3, 100, 1000])
        {
            var done = new int[items];
            Workers.Run(items, item => Interlocked.Increment(ref done[item]));
            Assert.All(done, count => Assert.Equal(1, count));
        }
    });

    [Fact]
    public void OneThreadIsTheCallersOwn()
    {
        Workers.Threads = 1;
        var threads = new HashSet<int>();
        Workers.Run(50, _ => threads.Add(Environment.CurrentManagedThreadId));
        Assert.Equal([Environment.CurrentManagedThreadId], threads);
    }

    [Fact]
    public void SeveralThreadsWorkAtTheSameTime() => Within(Limit, () =>
    {
        // Two items that each wait for the other: with one thread this could not end.
        Workers.Threads = 2;
        using var barrier = new Barrier(2);
        for (var time = 0; time < 2; time++)   // and again: the calling thread has worked, and is not a worker any more
        {
            var met = 0;
            Workers.Run(2, _ =>
            {
                if (barrier.SignalAndWait(Waiting.Long)) Interlocked.Increment(ref met);
            });
            Assert.Equal(2, met);
        }
    });

    // Two threads that keep in step, since each item waits for another one: one goes through the lower half, the other
    // through the upper one. So each finds in its caches what it wrote in the operation before.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void EachThreadGoesThroughARangeOfItsOwn(bool fromTheEnd) => Within(Limit, () =>
    {
        Workers.Threads = 2;
        using var barrier = new Barrier(2);
        for (var time = 0; time < 2000; time++)   // a helper that watches for work sees it while it is being shared
        {
            var (threads, met, order) = (new int[8], 0, new ConcurrentQueue<int>());
            Workers.Run(8, new Doing(item =>
            {
                threads[item] = Environment.CurrentManagedThreadId;
                order.Enqueue(item);
                if (barrier.SignalAndWait(Waiting.Long)) Interlocked.Increment(ref met);
            }), fromTheEnd);
            Assert.Equal(8, met);
            Assert.Single(threads[..4].Distinct(), Environment.CurrentManagedThreadId);
            Assert.Single(threads[4..].Distinct());
            Assert.Equal(2, threads.Distinct().Count());
            int[] lower = fromTheEnd ? [3, 2, 1, 0] : [0, 1, 2, 3];
            Assert.Equal(lower, order.Where(item => item < 4));
            Assert.Equal(lower, order.Where(item => item >= 4).Select(item => item - 4));
        }
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void AThreadThatIsDoneTakesItemsOfTheOthers(bool fromTheEnd) => Within(Limit, () =>
    {
        Workers.Threads = 2;
        using var rest = new CountdownEvent(99);
        // the first item of the caller's own range: all others must be done by the helper
        var blocked = fromTheEnd ? 49 : 0;
        var done = new int[100];
        Workers.Run(100, new Doing(item =>
        {
            Interlocked.Increment(ref done[item]);
            if (item == blocked) Assert.True(rest.Wait(Waiting.Long));
            else rest.Signal();
        }), fromTheEnd);
        Assert.All(done, count => Assert.Equal(1, count));
    });

    [Fact]
    public void OneThreadGoesInTheOrderThatWasAskedFor()
    {
        Workers.Threads = 1;
        var order = new List<int>();
        Workers.Run(4, new Doing(order.Add));
        Workers.Run(4, new Doing(order.Add), fromTheEnd: true);
        Assert.Equal([0, 1, 2, 3, 3, 2, 1, 0], order);
    }

    // More and fewer threads, more and fewer items, one work right behind the other: what a thread remembers of one
    // must not count in the next.
    [Fact]
    public void ShortWorksInARowAreEachDoneOnce() => Within(Limit, () =>
    {
        var (random, sum) = (new RandomSource(3), 0);
        for (var work = 0; work < 20_000; work++)
        {
            if (work % 50 == 0) Workers.Threads = 1 + random.Below(6, 3 * work);
            var items = random.Below(30, 3 * work + 1);
            sum = 0;
            Workers.Run(items, new Doing(item => Interlocked.Add(ref sum, 1 + item)),
                fromTheEnd: random.Below(2, 3 * work + 2) == 1);
            Assert.Equal(items * (items + 1) / 2, sum);
        }
    });

    private readonly struct Doing(Action<int> body) : IItemBody
    {
        public void Run(int item) => body(item);
    }

    [Fact]
    public void WorkInsideWorkStaysOnItsThread() => Within(Limit, () =>
    {
        Workers.Threads = 4;
        var strays = 0;
        Workers.Run(8, _ =>
        {
            var thread = Environment.CurrentManagedThreadId;
            Workers.Run(16, _ =>
            {
                if (Environment.CurrentManagedThreadId != thread) Interlocked.Increment(ref strays);
            });
        });
        Assert.Equal(0, strays);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AnErrorComesThroughAsItIsAndWorkGoesOn(int threads) => Within(Limit, () =>
    {
        Workers.Threads = threads;
        var error = Assert.Throws<InvalidOperationException>(() => Workers.Run(10, item =>
        {
            if (item == 4) throw new InvalidOperationException("four");
        }));
        Assert.Equal("four", error.Message);
        var done = 0;
        Workers.Run(10, _ => Interlocked.Increment(ref done));
        Assert.Equal(10, done);
    });

    [Fact]
    public void AfterAnErrorNothingBegins() => Within(Limit, () =>
    {
        Workers.Threads = 2;
        var begun = 0;
        Assert.Throws<InvalidOperationException>(() => Workers.Run(400, item =>
        {
            Interlocked.Increment(ref begun);
            if (item == 0) throw new InvalidOperationException();
            Thread.Sleep(50);
        }));
        // Two at most where the error is known before an item ends. A busy machine may be late with it, but not by five
        // seconds; each of the two ranges has 200 items.
        Assert.InRange(begun, 1, 100);
    });

    [Fact]
    public void TwoCallersDoNotWaitForEachOther() => Within(Limit, () =>
    {
        Workers.Threads = 2;
        using var second = new ManualResetEventSlim();
        var (done, strays) = (0, 0);
        var caller = new Thread(() =>
        {
            var thread = Environment.CurrentManagedThreadId;
            Workers.Run(20, _ =>
            {
                if (Environment.CurrentManagedThreadId != thread) Interlocked.Increment(ref strays);
                done++;
            });
            second.Set();
        });
        Workers.Run(4, item =>
        {
            if (item == 0) caller.Start();
            Assert.True(second.Wait(Waiting.Long), "the second caller waited for the first one");
        });
        caller.Join();
        Assert.Equal((20, 0), (done, strays));
    });

    [Fact]
    public void ManyCallersAtOnceGetAllTheirItemsDone() => Within(Limit, () =>
    {
        Workers.Threads = 3;
        var wrong = 0;
        var callers = Enumerable.Range(0, 4).Select(caller => new Thread(() =>
        {
            for (var time = 0; time < 3000; time++)
            {
                var items = (time + caller) % 7 + 1;
                var done = new int[items];
                Workers.Run(items, item => Interlocked.Increment(ref done[item]));
                if (done.Any(count => count != 1)) Interlocked.Increment(ref wrong);
            }
        })).ToArray();
        foreach (var caller in callers) caller.Start();
        foreach (var caller in callers) caller.Join();
        Assert.Equal(0, wrong);
    });

    [Fact]
    public void HelpersThatFellAsleepWakeForTheNextWork() => Within(Limit, () =>
    {
        Workers.Threads = 2;
        using var barrier = new Barrier(2);
        for (var time = 0; time < 3; time++)
        {
            Thread.Sleep(20);   // far beyond their patience
            var met = 0;
            Workers.Run(2, _ =>
            {
                if (barrier.SignalAndWait(Waiting.Long)) Interlocked.Increment(ref met);
            });
            Assert.Equal(2, met);
        }
    });

    [Fact]
    public void NoMoreThreadsWorkThanWereAskedForAndTheyAreTheSameOnes() => Within(Limit, () =>
    {
        var seen = new HashSet<int>();
        foreach (var threads in (int[])[2, 3, 2, 3])
        {
            Workers.Threads = threads;
            using var barrier = new Barrier(threads);
            var now = new HashSet<int>();
            for (var time = 0; time < 20; time++)
            {
                Workers.Run(threads, _ =>
                {
                    Assert.True(barrier.SignalAndWait(Waiting.Long), "a thread is missing");
                    lock (now) now.Add(Environment.CurrentManagedThreadId);
                });
                Workers.Run(50, _ =>
                {
                    lock (now) now.Add(Environment.CurrentManagedThreadId);
                });
            }
            Assert.Equal(threads, now.Count);
            seen.UnionWith(now);
        }
        Assert.Equal(3, seen.Count);
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void WorkThatIsDoneIsForgotten(int threads) => Within(Limit, () =>
    {
        Workers.Threads = threads;
        var used = Use();
        Waiting.ForTheCollector(() => !used.IsAlive);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Use()
        {
            var numbers = new int[10];
            Workers.Run(10, item => numbers[item] = item);
            return new WeakReference(numbers);
        }
    });

    [Fact]
    public void TheNumberOfThreadsIsReadFromTheEnvironmentInWords()
    {
        Assert.Equal(Environment.ProcessorCount, Workers.Parse(null));
        Assert.Equal(Environment.ProcessorCount, Workers.Parse(""));
        Assert.Equal(3, Workers.Parse("3"));
        foreach (var bad in (string[])["0", "-1", "two", "1.5", "1,5", " 2", "99999999999"])
            Assert.Contains($"'{bad}'", Assert.Throws<InvalidOperationException>(() => Workers.Parse(bad)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Workers.Threads = 0);
    }
}
