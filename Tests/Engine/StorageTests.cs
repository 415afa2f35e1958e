using System.Runtime.CompilerServices;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// A storage serves again when its numbers are gone and nobody can reach it; whoever showed the old numbers refuses,
/// and never shows or holds the new ones. Under any sequence of events: see <see cref="ScopeTests"/>.
/// </summary>
public sealed class StorageTests : EngineTest
{
    private static void AssertGone(Tensor tensor, string why) =>
        Throws<InvalidOperationException>(() => tensor.ToDoubles(), why);

    [Fact]
    public void A_storage_that_one_tensor_showed_serves_again_and_that_tensor_does_not_show_it()
    {
        Tensor first;
        Storage storage;
        using (new Scope()) storage = (first = Vector(1, 2)).Storage;
        for (var i = 0; i < 3; i++)
            using (new Scope())
            {
                var second = Vector(3, 4);
                Assert.Same(storage, second.Storage);
                Near([3, 4], second);
                AssertGone(first, "scope has ended (shape [2])");
                Assert.Equal("reference", first.Device.Name);
            }
    }

    [Fact]
    public void One_that_a_view_showed_does_not()
    {
        Tensor first, view;
        Storage storage;
        using (new Scope())
        {
            view = (first = Vector(1, 2)).Reshape(2, 1);
            Assert.Same(storage = first.Storage, view.Storage);
        }
        using (new Scope())
        {
            Assert.NotSame(storage, Vector(3, 4).Storage);
            AssertGone(first, "scope has ended");
            AssertGone(view, "scope has ended");
        }
    }

    [Fact]
    public void One_device_never_has_that_of_another()
    {
        var other = new ReferenceDevice();
        Tensor first, second;
        Storage storage;
        using (new Scope()) storage = (first = Vector(1, 2)).Storage;
        using (Device.Use(other))
        using (new Scope()) Assert.NotSame(storage, (second = Vector(3, 4)).Storage);
        using (new Scope()) Near([5, 6], Vector(5, 6));
        Assert.Equal((Device.Reference, other), (first.Device, second.Device));
    }

    [Fact]
    public void Nor_one_thread_that_of_another_at_the_same_time() => Parallel.For(0, 1000, i =>
    {
        using var device = Device.Use(Device.Reference);
        using var scope = new Scope();
        var x = Vector(i, 2 * i);
        Near([3 * i, 6 * i], x + x * 2);
        Near([i, 2 * i], x);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_parameters_numbers_stay_where_they_are_unless_a_view_showed_the_old_ones(bool isViewed)
    {
        var p = new Parameter("fc.bias", Vector(1, 2));
        var old = p.Value;
        var (storage, view) = (old.Storage, isViewed ? old.Reshape(2, 1) : null);
        for (var i = 0; i < 3; i++)
        {
            p.Value = Vector(3, i);
            Assert.Equal(!isViewed, p.Value.Storage == storage);
            Near([3, i], p.Value);
            AssertGone(old, "fc.bias was updated");
            if (view is not null) AssertGone(view, "fc.bias was updated");
        }
    }

    [Fact]
    public void Values_that_many_threads_took_at_once_are_all_refused_after_an_update()
    {
        for (var i = 0; i < 300; i++)
        {
            var p = new Parameter("p", Vector(1, 2));
            var values = new Tensor[4];
            using var together = new Barrier(values.Length);
            var threads = Enumerable.Range(0, values.Length).Select(t => new Thread(() =>
            {
                together.SignalAndWait();
                values[t] = p.Value;
            })).ToArray();
            foreach (var thread in threads) thread.Start();
            foreach (var thread in threads) thread.Join();
            p.Value = Vector(3, 4);
            Assert.All(values, value => AssertGone(value, "p was updated"));
        }
    }

    // What was taken before a step is still an input of the records before it.
    [Fact]
    public void A_parameter_that_was_updated_still_gets_the_gradients_of_what_was_computed_before()
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Evaluating();
        var loss = (p.Value + Vector(5, 5)).Sum();
        p.Value = Vector(3, 4);
        Near([1, 1], tape.Gradients(loss)[p]);
    }

    [Fact]
    public void A_tensor_whose_numbers_are_gone_holds_nobody_elses()
    {
        Tensor gone;
        using (new Scope()) gone = Vector(1, 2);
        var memory = Keep();
        Waiting.ForTheCollector(() => !memory.IsAlive);
        AssertGone(gone, "scope has ended");

        [MethodImpl(MethodImplOptions.NoInlining)]
        static WeakReference Keep()
        {
            using (new Scope()) return new WeakReference(Vector(3, 4).Keep().Buffer);
        }
    }

    [Fact]
    public void Of_many_that_are_free_most_are_forgotten()
    {
        const int count = 20_000;
        var storages = new WeakReference[count];
        Fill(storages);
        Waiting.ForTheCollector(() => storages.Count(storage => storage.IsAlive) < count / 2);

        [MethodImpl(MethodImplOptions.NoInlining)]
        static void Fill(WeakReference[] storages)
        {
            using var scope = new Scope();
            for (var i = 0; i < count; i++) storages[i] = new WeakReference(Vector(i).Storage);
        }
    }

    // ---- what can be computed again ---------------------------------------------------------------------------------

    private static Tensor Doubled(Tensor value, Tensor x) => Tape.RecordKernel("doubled", value, [x],
        inputs => inputs[0] * 2, (_, g, _) => [g * 2], () => x.StopGradient() * 2);

    [Fact]
    public void A_value_that_outlives_the_tape_is_never_discarded()
    {
        using var outer = new Scope();
        var value = Vector(2, 4);
        using (var tape = Tape.Evaluating())
        {
            var y = Doubled(value, tape.Watch(Vector(1, 2)));
            y.Square();
            Assert.True(y.Storage.IsHere);
        }
        Near([2, 4], value);
    }

    [Fact]
    public void One_that_is_gone_is_not_computed_again_nor_is_any_other()
    {
        Tensor gone, other;
        using (new Scope()) (gone, other) = (Vector(2, 4), Vector(7, 7));
        using var tape = Tape.Evaluating();
        Doubled(gone, tape.Watch(Vector(1, 2)));
        AssertGone(gone, "scope has ended");
        AssertGone(other, "scope has ended");
    }

    [Fact]
    public void What_computed_a_value_again_serves_again()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(1, 2));
        var y = Doubled(x.StopGradient() * 2, x);
        for (var i = 0; i < 3; i++)
        {
            y.Square();
            Near([2, 4], y);
        }
        var (z, other) = (y * 1, Vector(8, 8));
        Near([2, 4], y);
        Near([2, 4], z);
        Near([8, 8], other);
        Near([8, 16], tape.Gradients(y.Square(), [x])[0]);
    }
}
