using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Values that can be computed again: their memory is free after their first uses, and nobody who reads them later can
/// tell.
/// </summary>
public sealed class RecomputationTests : RecomputationTest
{
    [Fact]
    public void The_first_use_gives_the_memory_back_and_a_reader_gets_the_numbers_again()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2, 3));
        var y = PlusOne(x);
        Near([2, 3, 4], y);
        Assert.Equal(0, Computed);
        Assert.True(y.Storage.IsHere);
        var z = y.Square();
        Assert.False(y.Storage.IsHere);
        for (var i = 0; i < 9; i++) Vector(7, 7, 7);   // its memory has other numbers now
        Assert.DoesNotContain("gone", y.ToString());
        Near([2, 3, 4], y);
        Assert.Equal(1, Computed);
        Near([4, 9, 16], z);
        Near([4, 6, 8], tape.Gradients(z, [x])[0]);
    }

    [Fact]
    public void A_third_use_keeps_it()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var y = PlusOne(x);
        var sum = y.Square() + y.Power(3);
        Assert.Equal(1, Computed);
        Assert.False(y.Storage.IsHere);
        sum += y * 2;
        Assert.Equal(2, Computed);
        Near([2 * 2 + 3 * 4 + 2, 2 * 3 + 3 * 9 + 2], tape.Gradients(sum, [x])[0]);
        Near([2, 3], y);
        Assert.Equal(2, Computed);
    }

    [Fact]
    public void A_view_a_kept_one_and_one_in_two_records_stay()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var (viewed, kept, same) = (PlusOne(x), PlusOne(x), PlusOne(x));
        var view = viewed.Reshape(2, 1);
        var constant = kept.Keep();
        var twice = Tape.Record("same", same, (same, (_, g) => g));
        foreach (var y in (Tensor[])[viewed, kept, same]) y.Square();
        OverwriteWhatIsFree();
        foreach (var y in (Tensor[])[viewed, view, kept, constant, same, twice]) Near([2, 3], y);
        Assert.Equal(0, Computed);
        tape.Dispose();
        Near([2, 3], constant);
    }

    [Fact]
    public void It_can_be_kept_after_it_was_forgotten()
    {
        using var tape = Tape.Training(Random);
        var y = PlusOne(tape.Watch(Vector(1, 2)));
        y.Square();
        var kept = y.Keep();
        tape.Dispose();
        OverwriteWhatIsFree();
        Near([2, 3], kept);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_another_scope_adopts_stays(bool afterItsFirstUse)
    {
        using var outer = new Scope();
        var tape = Tape.Training(Random);
        var y = PlusOne(tape.Watch(Vector(1, 2)));
        if (afterItsFirstUse) y.Square();
        outer.Adopt(y);
        y.Power(3);
        tape.Dispose();
        OverwriteWhatIsFree();
        Near([2, 3], y);
    }

    // An operation need not read its inputs. The memory of one that was forgotten belongs to somebody else by then.
    [Fact]
    public void What_has_its_memory_now_is_not_taken_for_it()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var y = PlusOne(x);
        var memory = y.Buffer;
        y.Square();
        Tensor other;
        using (new Scope())
        {
            other = Vector(7, 7);
            Assert.Same(memory, other.Buffer);
            Tape.Record("ignores", Vector(0, 0), (y, (_, g) => g));
        }
        Assert.False(other.Storage.IsHere);
        Near([2, 3], y);
    }

    [Fact]
    public void What_an_inner_scope_reads_is_good_after_that_scope()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var y = PlusOne(x);
        var z = y.Square() + y.Square();
        using (new Scope()) Near([2, 3], y);
        using (new Scope())
        {
            Near([2, 3], y);
            z += y.Square();   // recorded: the tape takes y's numbers over
        }
        OverwriteWhatIsFree();
        var before = Computed;
        Near([2, 3], y);
        Assert.Equal(before, Computed);
        Near([12, 18], tape.Gradients(z, [x])[0]);
    }

    [Fact]
    public void After_a_sweep_with_release_and_after_the_tape_it_is_gone()
    {
        var p = new Parameter("p", Vector(1, 2));
        var tape = Tape.Training(Random);
        var y = PlusOne(p);
        tape.Gradients(y.Square().Sum(), release: true);
        Throws<InvalidOperationException>(() => y.ToDoubles(), "[2]", "sweep with release", "Keep()");
        tape.Dispose();
        tape = Tape.Training(Random);
        y = PlusOne(p);
        y.Square();
        tape.Dispose();
        Throws<InvalidOperationException>(() => y.ToDoubles(), "[2]", "scope has ended", "Keep()");
        Assert.Contains("gone", y.ToString());
        using var next = Tape.Training(Random);
        Throws<InvalidOperationException>(() => y.ToDoubles(), "[2]", "scope has ended");
    }

    [Fact]
    public void Another_thread_is_told_to_keep_it()
    {
        using var tape = Tape.Training(Random);
        var y = PlusOne(tape.Watch(Vector(1, 2)));
        OnAnotherThread(() => Near([2, 3], y));
        y.Square();
        OnAnotherThread(() =>
            Throws<InvalidOperationException>(() => y.ToDoubles(), "only the thread of its tape", "Keep()"));
        OnAnotherThread(() => Assert.Contains("gone", y.ToString()));
        OnAnotherThread(() =>
        {
            using var another = Tape.Training(Random);
            Throws<InvalidOperationException>(() => y.ToDoubles(), "only the thread of its tape", "Keep()");
        });
        Near([2, 3], y);
    }

    [Fact]
    public void Computing_again_records_nothing()
    {
        using var tape = Tape.Training(Random);
        var y = PlusOne(tape.Watch(Vector(1, 2)));
        y.Square();
        var count = tape.Count;
        y.ToDoubles();
        Assert.Equal(count, tape.Count);
    }

    [Fact]
    public void A_parameter_that_was_updated_meanwhile_is_named_and_printing_never_throws()
    {
        using var device = Device.Use(Device.Cpu);
        var gamma = new Parameter("norm.gamma", Tensor.Ones(new(2)));
        using var tape = Tape.Training(Random);
        var y = Tensor.Ones(new(3, 2)).Normalize(new Sharing(true, true, 2), 1e-5, gamma);
        y.Square();
        gamma.Update(new Doubling(), gamma);
        Assert.Contains("norm.gamma was updated", y.ToString());
        Throws<InvalidOperationException>(() => y.ToDoubles(), "norm.gamma", "updated");
    }

    private readonly struct Doubling : IUpdate
    {
        public void Apply<T>(ref T x, T gradient, ref T first, ref T second) where T : struct, IReal<T> =>
            x += gradient;
    }
}
