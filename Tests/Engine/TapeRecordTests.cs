using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>What becomes a record, and what its pulls and its composite are asked.</summary>
public sealed class TapeRecordTests : EngineTest
{
    // ---- what is a variable -----------------------------------------------------------------------------------------

    [Fact]
    public void Only_results_of_variables_are_recorded()
    {
        using var tape = Tape.Evaluating();
        var constant = Vector(2);
        Assert.False(tape.Recorded(constant.Square() + constant));
        Assert.Equal(0, tape.Count);
        var x = tape.Watch(constant);
        Assert.Equal(1, tape.Count);
        Assert.True(tape.Recorded(x + constant));
        Assert.Equal(2, tape.Count);
        // the tensor that was watched is no variable; the result of Watch is
        Assert.False(tape.Recorded(constant.Square()));
        Assert.Equal(2, tape.Count);
    }

    [Fact]
    public void Without_a_tape_a_record_is_the_value_itself()
    {
        var (x, value) = (Vector(1), Vector(2));
        Assert.Null(Tape.Current);
        Assert.Same(value, Tape.Record("f", value, (x, (_, g) => g)));
        Assert.Same(value, Tape.Record("f", value, [x], (_, g, _) => [g]));
        Assert.Same(value, Tape.RecordKernel("f", value, [x], inputs => inputs[0], (_, g, _) => [g]));
    }

    [Fact]
    public void Watching_twice_makes_two_variables()
    {
        using var tape = Tape.Evaluating();
        var constant = Vector(3);
        var (a, b) = (tape.Watch(constant), tape.Watch(constant));
        var found = tape.Gradients(a.Square() * b, [a, b]);
        Near([18], found[0]);
        Near([9], found[1]);
    }

    [Fact]
    public void Watching_a_result_begins_anew()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(3));
        var square = x.Square();
        var again = tape.Watch(square);
        var found = tape.Gradients(again * 5 + square * 7, [x, again]);
        Near([7 * 6], found[0]);   // through the square alone, which is still a result
        Near([5], found[1]);
    }

    [Fact]
    public void Stop_gradient_cuts()
    {
        var p = new Parameter("p", Vector(7));
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(3));
        Near([3], tape.Gradients(x * x.StopGradient(), [x])[0]);   // not 2x
        Near([9], tape.Gradients(x.Square().StopGradient() * x, [x])[0]);
        Assert.False(tape.Recorded(p.Value.StopGradient() * 2));
    }

    [Fact]
    public void A_pause_records_nothing()
    {
        var p = new Parameter("p", Vector(3));
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var outer = tape.Pause();
        var inner = tape.Pause();
        inner.Dispose();
        inner.Dispose();   // a second time changes nothing: the outer pause still holds
        var constant = x.Square() * p.Value;
        Assert.False(tape.Recorded(constant));
        Assert.Equal(1, tape.Count);
        outer.Dispose();
        var y = constant * x;
        Assert.True(tape.Recorded(y));
        Near([12], tape.Gradients(y, [x])[0]);
    }

    [Fact]
    public void A_sweep_works_while_paused_and_stays_paused()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var y = x.Square();
        using (tape.Pause())
        {
            Near([4], tape.Gradients(y, [x])[0]);
            Assert.False(tape.Recorded(x.Square()));
        }
        Assert.True(tape.Recorded(x.Square()));
    }

    [Fact]
    public void A_value_that_has_a_record_gets_another_one()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var y = Tape.Record("triple the gradient", x, (x, (_, g) => g * 3));
        Assert.NotSame(x, y);
        Assert.Equal(x.ToDoubles(), y.ToDoubles());
        Near([3], tape.Gradients(y, [x])[0]);
        Near([1], tape.Gradients(x, [x])[0]);
    }

    [Fact]
    public void A_parameter_as_the_value_of_an_operation_stays_a_parameter()
    {
        var p = new Parameter("p", Vector(2));
        using var tape = Tape.Evaluating();
        var y = Tape.Record("triple the gradient", p.Value, (p.Value, (_, g) => g * 3));
        Near([3], tape.Gradients(y.Sum())[p]);
        Near([1], tape.Gradients(p.Value.Sum())[p]);
    }

    // ---- pulls ------------------------------------------------------------------------------------------------------

    [Fact]
    public void A_pull_that_nobody_needs_is_never_called()
    {
        static Tensor Refuse(Tensor y, Tensor g) => throw new Xunit.Sdk.XunitException("this pull was called");
        var frozen = new Parameter("frozen", Vector(1), trainable: false);
        using var tape = Tape.Evaluating();
        var (x, other) = (tape.Watch(Vector(2)), tape.Watch(Vector(3)));
        // recorded, but y does not depend on it
        var dead = Tape.Record("dead end", Vector(1), (x, Refuse));
        // leads only to what was not asked for
        var toOther = Tape.Record("to other", Vector(1), (other, Refuse));
        var y = Tape.Record("f", Vector(1), (x, (_, g) => g * 2), (toOther, Refuse), (Vector(1), Refuse),
            (frozen.Value, Refuse));
        var after = Tape.Record("after", Vector(1), (y, Refuse));                     // later than y
        foreach (var createGraph in new[] { false, true })
            Near([2], tape.Gradients(y, [x], createGraph: createGraph)[0]);
        Near([1], tape.Gradients(y, [y])[0]);
        Assert.All([dead, after], value => Assert.True(tape.Recorded(value)));
    }

    [Fact]
    public void A_pull_for_all_inputs_hears_which_are_wanted()
    {
        bool[] heard = [];
        using var tape = Tape.Evaluating();
        var (a, b) = (tape.Watch(Vector(2)), tape.Watch(Vector(3)));
        var y = Tape.Record("f", Vector(6), [a, Vector(1), b], (_, g, wanted) =>
        {
            heard = wanted.ToArray();
            return [wanted[0] ? g * 3 : null, wanted[1] ? throw new InvalidOperationException() : null,
                wanted[2] ? g * 2 : null];
        });
        Near([2], tape.Gradients(y, [b])[0]);
        Assert.Equal([false, false, true], heard);
        Near([3], tape.Gradients(y, [a])[0]);
        Assert.Equal([true, false, false], heard);
        tape.Gradients(y, [a, b]);
        Assert.Equal([true, false, true], heard);
    }

    [Fact]
    public void A_pull_receives_the_value_and_the_complete_gradient()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var seen = new List<(double Value, double Gradient)>();
        var y = Tape.Record("f", Vector(7), (x, (value, g) =>
        {
            seen.Add((value.At(0), g.At(0)));
            return g;
        }
        ));
        tape.Gradients(y * 3 + y.Square() + y, [x]);
        Assert.Equal([(7, 3 + 14 + 1)], seen);   // called once, when all three uses have added
    }

    [Theory]
    [InlineData(new int[0])]
    [InlineData(new[] { 1 })]
    [InlineData(new[] { 3 })]
    [InlineData(new[] { 1, 3 })]
    [InlineData(new[] { 2, 1 })]
    [InlineData(new[] { 1, 1 })]
    [InlineData(new[] { 2, 3 })]
    public void Broadcast_axes_are_summed_for_any_pull(int[] dimensions)
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.Zeros(new(dimensions)));
        var y = Tape.Record("f", Tensor.Zeros(new(2, 3)), (x, (_, g) => g));
        var seed = new double[,] { { 1, 2, 3 }, { 10, 20, 30 } };
        var gradient = tape.Gradients(y, [x], Tensor.From([.. seed.Cast<double>()], new(2, 3)))[0];
        Assert.Equal(new Shape(dimensions), gradient.Shape);
        var expected = new double[x.Count];
        var (rows, columns) = (dimensions.Length == 2 ? dimensions[0] : 1, dimensions.Length == 0 ? 1 : dimensions[^1]);
        for (var i = 0; i < 2; i++)
            // where element (i, j) was read from
            for (var j = 0; j < 3; j++) expected[i % rows * columns + j % columns] += seed[i, j];
        Assert.Equal(expected, gradient.ToDoubles());
    }

    // ---- kernels beside composites ----------------------------------------------------------------------------------

    // A kernel whose pull differs from its composite on purpose: 1000 instead of 3x^2.
    private static Tensor Cube(Tensor x) =>
        Tape.RecordKernel("cube", x.Power(3).StopGradient(), [x], inputs => inputs[0] * inputs[0].Square(),
        (_, g, _) => [g * 1000]);

    [Fact]
    public void A_plain_sweep_takes_the_kernel_and_a_recorded_one_the_composite()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var y = Cube(x) * 5;
        Near([5000], tape.Gradients(y, [x])[0]);
        var first = tape.Gradients(y, [x], createGraph: true)[0];
        Near([5 * 12], first);
        var second = tape.Gradients(first, [x], createGraph: true)[0];
        Near([5 * 12], second);   // 6x
        Near([5 * 6], tape.Gradients(second, [x])[0]);
        Near([5000], tape.Gradients(y, [x])[0]);
    }

    [Fact]
    public void A_replayed_composite_in_the_middle_of_a_graph()
    {
        using var tape = Tape.Evaluating();
        var (x, p) = (tape.Watch(Vector(2)), tape.Watch(Vector(3)));
        var y = (Cube(Cube(x) * p) + x).Square();   // (x^9 p^3 + x)^2
        var inside = 512 * 27 + 2.0;
        var found = tape.Gradients(y, [x, p], createGraph: true);
        Near([2 * inside * (9 * 256 * 27 + 1)], found[0]);
        Near([2 * inside * 512 * 27], found[1]);
    }

    [Fact]
    public void A_kernel_with_one_tensor_twice_and_a_constant()
    {
        static Tensor Product(Tensor a, Tensor b, Tensor c) =>
            Tape.RecordKernel("product", (a * b * c).StopGradient(), [a, b, c],
            inputs => inputs[0] * inputs[1] * inputs[2],
                (_, g, wanted) =>
                [wanted[0] ? g * b * c : null, wanted[1] ? g * a * c : null, wanted[2] ? g * a * b : null]);
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var y = Product(x, x, Vector(5));
        Near([20], tape.Gradients(y, [x])[0]);
        var slope = tape.Gradients(y, [x], createGraph: true)[0];
        Near([20], slope);
        Near([10], tape.Gradients(slope, [x])[0]);
    }

    [Fact]
    public void Composites_that_hand_through_or_ignore_their_input()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var same = Tape.RecordKernel("same", x.View(x.Shape), [x], inputs => inputs[0], (_, g, _) => [g]);
        var nothing = Tape.RecordKernel("nothing", Vector(1), [x], _ => Vector(1), (_, g, _) => [g * 0]);
        Near([3], tape.Gradients(same * 3, [x], createGraph: true)[0]);
        Near([0], tape.Gradients(nothing * 3, [x], createGraph: true)[0]);
    }

    [Fact]
    public void Only_wanted_inputs_of_a_composite_get_gradients()
    {
        using var tape = Tape.Evaluating();
        var (x, other) = (tape.Watch(Vector(2)), tape.Watch(Vector(3)));
        var refusing = Tape.Record("refusing", Vector(3),
            (other, (_, _) => throw new Xunit.Sdk.XunitException("this pull was called")));
        var y = Tape.RecordKernel("product", (x * refusing).StopGradient(), [x, refusing], inputs =>
            inputs[0] * inputs[1],
            (_, g, wanted) =>
            [wanted[0] ? g * 3 : null, wanted[1] ? throw new Xunit.Sdk.XunitException("not wanted") : null]);
        Near([3], tape.Gradients(y, [x], createGraph: true)[0]);
        Near([3], tape.Gradients(y, [x])[0]);
    }
}
