using System.Runtime.CompilerServices;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class PrefetchTests
{
    private sealed class Cell
    {
        public int Value { get; set; } = -1;
    }

    private static Cell[] Cells(int count) => [.. Enumerable.Range(0, count).Select(_ => new Cell())];

    private static Action<int, Cell> FailFrom(int first) => (item, _) =>
    {
        if (item >= first) throw new InvalidDataException($"item {item}");
    };

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(100)]
    public void Every_item_comes_in_order_and_filled(int count)
    {
        var seen = new List<(int, int)>();
        foreach (var (item, cell) in Prefetch.Run(Enumerable.Range(0, count), Cells(3), (i, c) => c.Value = i * i))
            seen.Add((item, cell.Value));
        Assert.Equal(Enumerable.Range(0, count).Select(i => (i, i * i)), seen);
    }

    [Fact]
    public void Only_as_many_items_are_begun_as_there_are_slots()
    {
        var begun = 0;
        IEnumerable<int> Items()
        {
            while (true) yield return begun++;
        }
        var cells = Cells(3);
        using var results = Prefetch.Run(Items(), cells, (i, c) => c.Value = i).GetEnumerator();
        for (var step = 0; step < 10; step++)
        {
            Assert.True(results.MoveNext());
            // The slot in the caller's hands is not given away until the next one is asked for.
            Assert.Equal(step + 3, begun);
            Assert.Same(cells[step % 3], results.Current.Slot);
        }
    }

    [Fact]
    public void It_works_ahead_in_the_background()
    {
        var caller = Environment.CurrentManagedThreadId;
        using var third = new ManualResetEventSlim();
        using var results = Prefetch.Run(Enumerable.Range(0, 3), Cells(3), (i, c) =>
        {
            c.Value = Environment.CurrentManagedThreadId;
            if (i == 2) third.Set();
        }).GetEnumerator();
        Assert.True(results.MoveNext());
        // The caller has only asked for the first one; were the third not made by itself, this would wait in vain.
        Assert.True(third.Wait(Waiting.Long));
        Assert.NotEqual(caller, results.Current.Slot.Value);
    }

    [Fact]
    public void What_the_background_throws_arrives_at_its_item()
    {
        var seen = new List<int>();
        var error = Assert.Throws<InvalidDataException>(() =>
        {
            foreach (var (item, _) in Prefetch.Run(Enumerable.Range(0, 9), Cells(3), FailFrom(4))) seen.Add(item);
        });
        Assert.Equal("item 4", error.Message);
        Assert.Equal([0, 1, 2, 3], seen);
    }

    [Fact]
    public async Task Nothing_runs_any_more_after_an_early_end()
    {
        var (begun, ended, closed) = (0, 0, false);
        using var gate = new ManualResetEventSlim();
        IEnumerable<int> Items()
        {
            try
            {
                for (var i = 0; ; i++) yield return i;
            }
            finally
            {
                closed = true;
            }
        }
        var results = Prefetch.Run(Items(), Cells(3), (i, _) =>
        {
            Interlocked.Increment(ref begun);
            if (i > 0) gate.Wait();
            Interlocked.Increment(ref ended);
        }).GetEnumerator();
        Assert.True(results.MoveNext());
        var ending = Task.Run(results.Dispose);
        // items 1 and 2 are under way and cannot end yet
        Assert.NotSame(ending, await Task.WhenAny(ending, Task.Delay(50)));
        gate.Set();
        await ending;
        Assert.Equal((3, 3, true), (begun, ended, closed));
    }

    [Fact]
    public void A_failure_that_nobody_asked_for_does_not_disturb_an_early_end()
    {
        foreach (var (item, _) in Prefetch.Run(Enumerable.Range(0, 9), Cells(3), FailFrom(1)))
        {
            Assert.Equal(0, item);
            break;
        }
    }

    [Fact]
    public void A_forgotten_loop_leaves_nothing_behind()
    {
        var (cell, ended) = Forget();
        Assert.True(ended.Wait(Waiting.Long));
        // the pool's threads drop their last task when they find the next one, or sleep
        Waiting.ForTheCollector(() => !cell.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static (WeakReference Cell, CountdownEvent Ended) Forget()
    {
        var (cells, ended) = (Cells(3), new CountdownEvent(3));
        var results = Prefetch.Run(Enumerable.Range(0, 100), cells, (_, _) => ended.Signal()).GetEnumerator();
        results.MoveNext();   // and never disposed
        return (new WeakReference(cells[1]), ended);
    }
}
