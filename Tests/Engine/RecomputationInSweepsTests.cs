using System.Reflection;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Sweeps, composites and whole networks over values that are computed again, and what is left of them when the tape
/// ends.
/// </summary>
public sealed class RecomputationInSweepsTests : RecomputationTest
{
    [Fact]
    public void What_nobody_reads_is_not_computed_again()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var y = PlusOne(x) + 1;
        Near([1, 1], tape.Gradients(y, [x])[0]);
        Assert.Equal(0, Computed);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sweep_computes_it_once_and_frees_it(bool release)
    {
        const int depth = 20, length = 4133;
        using var tape = Tape.Training(Random);
        var p = new Parameter("p", Tensor.Full(new Shape(length), 0.1));
        Tensor y = p;
        for (var i = 0; i < depth; i++) y = PlusOne(y).Square();
        var loss = y.Mean() * 1e-30;
        tape.Gradients(loss, release);
        Assert.Equal(depth, Computed);
        var waiting = BytesWaiting;
        tape.Dispose();
        // without release the squares; the forgotten ones are not among them
        var freed = (BytesWaiting - waiting) / (length * sizeof(double));
        Assert.InRange(freed, release ? 0 : depth, release ? 10 : depth + 10);
    }

    // A sweep that releases keeps it for the other records that read it; one that does not computes it for each.
    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    public void A_sweep_that_releases_computes_it_once_for_all_records(bool release, int expected)
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Training(Random);
        var y = PlusOne(p);
        var z = y.Square() + y.Power(3);
        Assert.Equal(1, Computed);   // on the way forward
        Near([2 * 2 + 3 * 4, 2 * 3 + 3 * 9], tape.Gradients(z.Sum(), release)[p]);
        Assert.Equal(expected, Computed);
    }

    // The record of a view stands behind the uses of what it shows, so the sweep passes it first.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_view_of_what_was_discarded_keeps_it_for_the_sweep(bool isRead)
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Training(Random);
        var y = PlusOne(p);
        var z = y.Square();
        var view = y.Reshape(2, 1);   // nobody reads y itself meanwhile
        OverwriteWhatIsFree();
        Near(isRead ? [5, 7] : [4, 6], tape.Gradients(isRead ? z.Sum() + view.Sum() : z.Sum(), release: true)[p]);
    }

    [Fact]
    public void What_an_outer_scope_takes_during_a_sweep_stays()
    {
        using var outer = new Scope();
        var p = new Parameter("p", Vector(1, 2));
        var tape = Tape.Training(Random);
        var y = PlusOne(p);
        var loss = y.Square().Sum();
        tape.Observer = e =>
        {
            if (e.Backward && e.Value == loss) outer.Adopt(y);
        };
        Near([4, 6], tape.Gradients(loss, release: true)[p]);
        tape.Dispose();
        OverwriteWhatIsFree();
        Near([2, 3], y);
    }

    [Fact]
    public void A_composite_reads_what_was_discarded()
    {
        using var tape = Tape.Training(Random);
        var p = new Parameter("p", Vector(1, 2));
        var y = PlusOne(p.Value);
        var z = Composites.Record("square", [y], inputs => inputs[0] * inputs[0]);
        for (var sweep = 0; sweep < 2; sweep++)
        {
            Assert.False(y.Storage.IsHere);
            OverwriteWhatIsFree();
            Near([4, 6], tape.Gradients(z, [p])[0]);
        }
        OverwriteWhatIsFree();
        Near([2, 3], y);
        Near([4, 6], tape.Gradients(z.Sum(), release: true)[p]);
    }

    [Fact]
    public void A_composite_may_do_without_an_input_and_without_a_scope()
    {
        Near([3, 4], Composites.Record("sum", [Vector(1, 2)], inputs => inputs[0] + 2));
        using var tape = Tape.Training(Random);
        var (x, y) = (tape.Watch(Vector(1, 2)), tape.Watch(Vector(3, 4)));
        Near([0, 0], tape.Gradients(Composites.Record("constant", [x], _ => Vector(5, 6)), [x])[0]);
        var gradients = tape.Gradients(Composites.Record("second", [x, y], inputs => inputs[1] * 2), [x, y]);
        Near([0, 0], gradients[0]);
        Near([2, 2], gradients[1]);
    }

    // Seen while it is computed again for an inner scope, as by a second sweep's pull, the memory must outlive that
    // scope.
    [Fact]
    public void A_view_in_an_inner_scope_or_in_a_pull_keeps_it_for_the_tape()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        var y = PlusOne(x);
        var z = y.Square();
        using (new Scope()) y.StopGradient().Mean().ToDouble();
        OverwriteWhatIsFree();
        Near([2, 3], y);
        Near([4, 6], tape.Gradients(z, [x])[0]);
        var other = PlusOne(x);
        var product = Tape.Record("by views", (other * 1).StopGradient(),
            (x, (_, g) => (g.Reshape(-1) * other.Reshape(-1)).Reshape(other.Shape)));
        other.Square();
        for (var sweep = 0; sweep < 3; sweep++) Near([2, 3], tape.Gradients(product, [x])[0]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_sweep_that_releases_what_it_would_be_computed_from_leaves_it_whole(bool inAnInnerScope)
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Training(Random);
        var x = p.Value * 1;
        var first = x.Square().Sum();
        var y = PlusOne(x);
        var z = y.Square();
        using (inAnInnerScope ? new Scope() : null) Near([2, 4], tape.Gradients(first, release: true)[p]);
        OverwriteWhatIsFree();
        Near([2, 3], y);
        Near([4, 9], z);
    }

    [Fact]
    public void A_sweep_that_releases_what_an_unused_value_would_be_computed_from_leaves_it_whole()
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Training(Random);
        var x = p.Value * 1;
        var first = x.Square().Sum();
        var y = PlusOne(x);
        tape.Gradients(first, release: true);
        var z = y.Square();   // its first use
        OverwriteWhatIsFree();
        Near([2, 3], y);
        Near([4, 9], z);
    }

    [Fact]
    public void What_outlives_its_tape_holds_nothing_that_it_was_computed_from()
    {
        List<Tensor> held;
        using (var tape = Tape.Training(Random))
        {
            var x = tape.Watch(Vector(1, 2));
            var (unused, used, read, kept) = (PlusOne(x), PlusOne(x), PlusOne(x), PlusOne(x));
            held = [x, unused, used, used.Square(), read, read.Square(), kept, unused.Reshape(2, 1)];
            read.ToDoubles();
            kept.Keep();
            held.AddRange(tape.Gradients(PlusOne(used.Square()), [x, used]));
            var image = tape.Watch(Tensor.Normal(new(2, 2, 2, 2), Random));
            foreach (var device in (Device[])[Device.Cpu, OwnDevice])
                using (Device.Use(device))
                    held.Add(tape.Watch(Tensor.Normal(new(2, 3), Random)).Normalize(new Sharing(true, true, 3), 1e-5));
            held.Add(image.Normalize(new Sharing(false, true, 1), 1e-5));
            held.Add(held[^1].Square());
        }
        for (var i = 0; i < held.Count; i++)
            Assert.True(TensorsHeldBy(held[i]) is [], $"tensor {i} holds another one");
    }

    // All tensors but itself that its fields lead to.
    private static List<Tensor> TensorsHeldBy(Tensor tensor)
    {
        var (found, waiting) = (new HashSet<object>(ReferenceEqualityComparer.Instance) { tensor },
            new Stack<object>([tensor]));
        while (waiting.TryPop(out var one))
        {
            if (one is Array array) foreach (var item in array) Reach(item);
            for (var type = one.GetType(); type is not null; type = type.BaseType)
                foreach (var field in type.GetFields(
                    BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
                    if (!field.FieldType.IsPrimitive && !field.FieldType.IsPointer) Reach(field.GetValue(one));
        }
        return [.. found.OfType<Tensor>().Where(other => other != tensor)];

        // What a device or the runtime has is not the tensor's.
        void Reach(object? next)
        {
            if (next is not (null or string or Device or MemberInfo or Pointer) && found.Add(next)) waiting.Push(next);
        }
    }
}
