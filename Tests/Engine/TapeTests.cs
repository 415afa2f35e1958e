using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>What the tape records, and the gradients that it reads back: worked examples, each derivative by hand.</summary>
public sealed class TapeTests : EngineTest
{
    // ---- watching -------------------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_observer_hears_of_each_record_forward_and_then_backward(bool release)
    {
        var (p, heard) = (new Parameter("p", Vector(2, 3)), new List<TapeEvent>());
        using var tape = Tape.Evaluating();
        tape.Observer = heard.Add;
        Tensor y;
        using (LayerContext.Enter("a")) y = p.Value * Vector(4, 5);
        Assert.Equal("multiply", Assert.Single(heard).Operation);   // at once
        var loss = y.Sum();
        _ = Vector(1).Square();   // not recorded
        tape.Gradients(loss, release);
        (string, string?, bool)[] expected =
            [("multiply", "a", false), ("sum", null, false), ("sum", null, true), ("multiply", "a", true), ("parameter", "a", true)];
        Assert.Equal(expected, heard.Select(e => (e.Operation, e.Layer?.ToString(), e.Backward)));
        Assert.All(heard.Where(e => e.Operation == "multiply"), e => Assert.Same(y, e.Value));
        Assert.Same(p.Value, heard[0].Inputs[0]);
        Assert.Same(y, heard[1].Inputs[0]);
    }

    // The next tape takes over the lists that this one has grown.
    [Fact]
    public void A_disposed_tape_has_no_part_in_the_next()
    {
        var p = new Parameter("p", Vector(2, 3));
        Tape? before = null;
        for (var time = 0; time < 3; time++)
        {
            using var tape = Tape.Evaluating();
            Assert.Equal(0, tape.Count);
            var y = p.Value.Square();
            Assert.Equal(2, tape.Count);
            if (before is not null)
            {
                Assert.Equal(0, before.Count);
                before.Adopt(Vector(1).StopGradient());
                before.Dispose();
                before.Dispose();
            }
            Near([4, 6], tape.Gradients(y.Sum())[p]);
            Near([4, 9], y);
            before = tape;
        }
        using (var first = Tape.Evaluating()) Assert.Equal(0, first.Count);
    }

    // ---- gradients ------------------------------------------------------------------------------------------------------------

    [Fact]
    public void A_diamond_adds_both_paths()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2, -3));
        var y = x.Square() * x.Power(3);   // x^5
        Near([5 * 16, 5 * 81], tape.Gradients(y, [x])[0]);
    }

    [Fact]
    public void A_diamond_of_diamonds_counts_every_path()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.Scalar(1));
        var y = x;
        for (var level = 0; level < 30; level++) y += y;   // 2^30 paths
        Near(1 << 30, tape.Gradients(y, [x])[0].ToDouble());
    }

    [Fact]
    public void One_value_used_a_thousand_times()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.Scalar(3)).Square();
        var y = Tensor.Scalar(0);
        for (var i = 1; i <= 1000; i++) y += x * i;
        var gradients = tape.Gradients(y, [x]);
        Assert.Equal(500_500, gradients[0].ToDouble());   // 1 + 2 + ... + 1000
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Depth_ten_thousand_needs_no_stack(bool createGraph) => OnAnotherThread(() =>
    {
        using var device = Device.Use(Device.Reference);
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.Scalar(1));
        var y = x;
        for (var i = 0; i < 10_000; i++) y *= 1.0001;
        Near(Math.Pow(1.0001, 10_000), tape.Gradients(y, [x], createGraph: createGraph)[0].ToDouble(), 1e-11);
    }, stackBytes: 256 * 1024);

    [Fact]
    public void A_parameter_used_in_two_places_gets_the_sum()
    {
        var p = new Parameter("p", Vector(2, 3));
        using var tape = Tape.Evaluating();
        var gradients = tape.Gradients((p.Value.Square() + p.Value * Vector(10, 20)).Sum());
        Assert.Equal([p], gradients.Parameters);
        Near([2 * 2 + 10, 2 * 3 + 20], gradients[p]);
    }

    [Fact]
    public void The_same_tensor_as_both_operands()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2, 3));
        Near([4, 6], tape.Gradients(x * x, [x])[0]);
        Near([0, 0], tape.Gradients(x - x, [x])[0]);
        Near([0, 0], tape.Gradients(x / x, [x])[0]);
    }

    [Fact]
    public void A_frozen_parameter_is_a_constant()
    {
        var (p, frozen) = (new Parameter("p", Vector(2)), new Parameter("frozen", Vector(5)) { IsTrainable = false });
        using var tape = Tape.Evaluating();
        var loss = (p.Value * frozen.Value).Sum();
        var gradients = tape.Gradients(loss);
        Assert.Equal([p], gradients.Parameters);
        Near([5], gradients[p]);
        Assert.False(gradients.TryGet(frozen, out _));
        Throws<InvalidOperationException>(() => _ = gradients[frozen], "frozen", "not trainable");
        Throws<InvalidOperationException>(() => tape.Gradients(loss, [frozen.Value]), "did not record");
        Assert.Null(frozen.Value.Square().Tape);
    }

    [Fact]
    public void Frozen_after_the_forward_pass_it_gets_no_gradient()
    {
        var (p, frozen) = (new Parameter("p", Vector(2)), new Parameter("frozen", Vector(5)));
        using var tape = Tape.Evaluating();
        var loss = (p.Value * frozen.Value).Sum();
        frozen.IsTrainable = false;
        Assert.Equal([p], tape.Gradients(loss).Parameters);
    }

    [Fact]
    public void A_parameter_that_the_loss_was_not_computed_from_has_no_gradient()
    {
        var (p, other, unused) = (new Parameter("p", Vector(2)), new Parameter("other", Vector(5)),
            new Parameter("unused", Vector(1)));
        using var tape = Tape.Evaluating();
        var ignored = other.Value.Square();
        var gradients = tape.Gradients(p.Value.Square().Sum());
        Assert.Equal([p], gradients.Parameters);
        Throws<InvalidOperationException>(() => _ = gradients[other], "other", "not computed from it");
        Throws<InvalidOperationException>(() => _ = gradients[unused], "unused", "not computed from it");
        Assert.Equal([other], tape.Gradients(ignored.Sum()).Parameters);
    }

    [Fact]
    public void Parameters_come_in_the_order_of_their_first_use()
    {
        var parameters = Enumerable.Range(0, 20).Select(i => new Parameter($"p{i}", Vector(i))).ToArray();
        int[] order = Random.Permutation(20);
        using var tape = Tape.Evaluating();
        var loss = Tensor.Scalar(0);
        foreach (var i in order) loss += parameters[i].Value.Square().Sum();
        foreach (var i in order.Reverse()) loss += parameters[i].Value.Sum();
        Assert.Equal(order.Select(i => parameters[i]), tape.Gradients(loss).Parameters);
    }

    [Fact]
    public void Gradients_of_gradients_of_a_fourth_power()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2, -3));
        var y = x.Square().Square();   // x^4
        var first = tape.Gradients(y, [x], createGraph: true)[0];
        var second = tape.Gradients(first, [x], createGraph: true)[0];
        var third = tape.Gradients(second, [x], createGraph: true)[0];
        var fourth = tape.Gradients(third, [x], createGraph: true)[0];
        Near([4 * 8, 4 * -27], first);
        Near([12 * 4, 12 * 9], second);
        Near([24 * 2, 24 * -3], third);
        Near([24, 24], fourth);
        Throws<InvalidOperationException>(() => tape.Gradients(fourth, [x]), "no variable went into it");   // a constant
    }

    [Fact]
    public void Mixed_derivatives_agree_in_either_order()
    {
        using var tape = Tape.Evaluating();
        var (x, y) = (tape.Watch(Tensor.Scalar(2)), tape.Watch(Tensor.Scalar(3)));
        var f = x.Square() * y.Power(3);
        var slopes = tape.Gradients(f, [x, y], createGraph: true);
        Near(2 * 2 * 27, slopes[0].ToDouble());
        Near(4 * 3 * 9, slopes[1].ToDouble());
        Near(2 * 2 * 3 * 9, tape.Gradients(slopes[0], [y])[0].ToDouble());   // 2x 3y^2
        Near(2 * 2 * 3 * 9, tape.Gradients(slopes[1], [x])[0].ToDouble());
    }

    [Fact]
    public void A_gradient_penalty_is_a_loss_like_any_other()
    {
        var p = new Parameter("p", Vector(2, 3));
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(5, 7));
        var slope = tape.Gradients((p.Value.Power(3) * x).Sum(), [x], createGraph: true)[0];   // p^3
        Near([6 * 32, 6 * 243], tape.Gradients(slope.Square().Sum())[p]);                        // d p^6 / dp
    }

    [Fact]
    public void With_respect_to_intermediate_values()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2, 3));
        var square = x.Square();
        var y = square * square.Exp();
        var found = tape.Gradients(y, [square, x, y]);
        var slope = new[] { Math.Exp(4) * 5, Math.Exp(9) * 10 };   // (1 + s) e^s at s = 4 and 9
        Near(slope, found[0]);
        Near([4 * slope[0], 6 * slope[1]], found[1]);
        Near([1, 1], found[2]);
    }

    [Fact]
    public void What_y_does_not_depend_on_has_a_zero_gradient_of_its_shape()
    {
        using var tape = Tape.Evaluating();
        var (x, other) = (tape.Watch(Vector(2, 3)), tape.Watch(Tensor.Ones(new(4, 5))));
        var y = x.Square();
        var later = y * 2;
        var found = tape.Gradients(y, [other, later, x]);
        Assert.Equal(new Shape(4, 5), found[0].Shape);
        Assert.All(found[0].ToDoubles(), g => Assert.Equal(0, g));
        Near([0, 0], found[1]);
        Near([4, 6], found[2]);
    }

    [Fact]
    public void A_seed_is_a_covector()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.From([1.0, 2, 3], new(3, 1)));
        var a = Tensor.From([1.0, 2, 3, 4, 5, 6], new(2, 3));
        var y = a.MatrixProduct(x);
        Near([1 * 10 + 4 * 100, 2 * 10 + 5 * 100, 3 * 10 + 6 * 100],
            tape.Gradients(y, [x], Tensor.From([10.0, 100], new(2, 1)))[0]);   // A^T u
        Near([5, 7, 9], tape.Gradients(y, [x])[0]);   // ones when not given
    }

    [Fact]
    public void A_seed_may_be_a_variable_itself()
    {
        using var tape = Tape.Evaluating();
        var (x, u) = (tape.Watch(Vector(2, 3)), tape.Watch(Vector(10, 100)));
        var slope = tape.Gradients(x.Square(), [x], u, createGraph: true)[0];   // 2 x u
        Near([4, 6], tape.Gradients(slope, [u])[0]);
        Near([20, 200], tape.Gradients(slope, [x])[0]);
    }

    [Fact]
    public void Asking_twice_gives_the_same_numbers_and_records_nothing()
    {
        var p = new Parameter("p", Tensor.Normal(new(3, 4), Random));
        using var tape = Tape.Evaluating();
        var loss = Weigh((p.Value * p.Value.Tanh()).Square());
        var records = tape.Count;
        var first = tape.Gradients(loss)[p].ToDoubles();
        Assert.Equal(first, tape.Gradients(loss)[p].ToDoubles());
        Assert.Equal(first, tape.Gradients(loss, [p.Value])[0].ToDoubles());
        Assert.Equal(records, tape.Count);
    }

    [Fact]
    public void A_recorded_sweep_does_not_disturb_a_later_one()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Tensor.Normal(new(3, 4), Random));
        var y = Weigh(x.Sigmoid() * x.Exp());
        var plain = tape.Gradients(y, [x])[0].ToDoubles();
        var records = tape.Count;
        Assert.Equal(plain, tape.Gradients(y, [x], createGraph: true)[0].ToDoubles());
        Assert.True(tape.Count > records);
        Assert.Equal(plain, tape.Gradients(y, [x])[0].ToDoubles());
    }

    [Fact]
    public void Losses_of_one_tape_are_swept_independently()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2));
        var shared = x.Square();
        var (a, b) = (shared * 3, shared.Square());
        Near([12], tape.Gradients(a, [x])[0]);
        Near([4 * 8], tape.Gradients(b, [x])[0]);
        Near([12], tape.Gradients(a, [x])[0]);
    }

    // ---- what is a variable ---------------------------------------------------------------------------------------------------

    [Fact]
    public void Only_results_of_variables_are_recorded()
    {
        using var tape = Tape.Evaluating();
        var constant = Vector(2);
        Assert.Null((constant.Square() + constant).Tape);
        Assert.Equal(0, tape.Count);
        var x = tape.Watch(constant);
        Assert.Equal(1, tape.Count);
        Assert.Same(tape, (x + constant).Tape);
        Assert.Equal(2, tape.Count);
        Assert.Null(constant.Square().Tape);   // the tensor that was watched is no variable; the result of Watch is
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
        Assert.Null((p.Value.StopGradient() * 2).Tape);
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
        Assert.Null(constant.Tape);
        Assert.Equal(1, tape.Count);
        outer.Dispose();
        var y = constant * x;
        Assert.Same(tape, y.Tape);
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
            Assert.Null(x.Square().Tape);
        }
        Assert.Same(tape, x.Square().Tape);
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

    // ---- pulls ----------------------------------------------------------------------------------------------------------------

    [Fact]
    public void A_pull_that_nobody_needs_is_never_called()
    {
        static Tensor Refuse(Tensor y, Tensor g) => throw new Xunit.Sdk.XunitException("this pull was called");
        var frozen = new Parameter("frozen", Vector(1), trainable: false);
        using var tape = Tape.Evaluating();
        var (x, other) = (tape.Watch(Vector(2)), tape.Watch(Vector(3)));
        var dead = Tape.Record("dead end", Vector(1), (x, Refuse));                  // recorded, but y does not depend on it
        var toOther = Tape.Record("to other", Vector(1), (other, Refuse));            // leads only to what was not asked for
        var y = Tape.Record("f", Vector(1), (x, (_, g) => g * 2), (toOther, Refuse), (Vector(1), Refuse), (frozen.Value, Refuse));
        var after = Tape.Record("after", Vector(1), (y, Refuse));                     // later than y
        foreach (var createGraph in new[] { false, true }) Near([2], tape.Gradients(y, [x], createGraph: createGraph)[0]);
        Near([1], tape.Gradients(y, [y])[0]);
        Assert.All([dead, after], value => Assert.Same(tape, value.Tape));
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
            return [wanted[0] ? g * 3 : null, wanted[1] ? throw new InvalidOperationException() : null, wanted[2] ? g * 2 : null];
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
        }));
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

    // ---- kernels beside composites --------------------------------------------------------------------------------------------

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
        static Tensor Product(Tensor a, Tensor b, Tensor c) => Tape.RecordKernel("product", (a * b * c).StopGradient(), [a, b, c],
            inputs => inputs[0] * inputs[1] * inputs[2],
                (_, g, wanted) => [wanted[0] ? g * b * c : null, wanted[1] ? g * a * c : null, wanted[2] ? g * a * b : null]);
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
        var y = Tape.RecordKernel("product", (x * refusing).StopGradient(), [x, refusing], inputs => inputs[0] * inputs[1],
            (_, g, wanted) => [wanted[0] ? g * 3 : null, wanted[1] ? throw new Xunit.Sdk.XunitException("not wanted") : null]);
        Near([3], tape.Gradients(y, [x], createGraph: true)[0]);
        Near([3], tape.Gradients(y, [x])[0]);
    }

    // ---- mode and randomness --------------------------------------------------------------------------------------------------

    [Fact]
    public void Mode_belongs_to_the_tape()
    {
        Assert.Null(Tape.Current);
        using (var tape = Tape.Training(Random))
        {
            Assert.Same(tape, Tape.Current);
            Assert.True(tape.IsTraining);
        }
        Assert.Null(Tape.Current);
        using (var tape = Tape.Evaluating())
        {
            Assert.Same(tape, Tape.Current);
            Assert.False(tape.IsTraining);
        }
        Assert.Null(Tape.Current);
    }

    [Fact]
    public void Equal_steps_draw_equal_numbers_and_each_draw_is_another_one()
    {
        static double[] Draw(RandomSource step)
        {
            using var tape = Tape.Training(step);
            return [.. Enumerable.Range(0, 50).Select(_ => tape.NextRandom().Uniform(0))];
        }
        var first = Draw(Random.Split(7));
        Assert.Equal(first, Draw(Random.Split(7)));
        Assert.Equal(50, first.Distinct().Count());
        // 24 bits each: 50 x 50 pairs meet by chance in 0.01 % of all seeds; this seed is fixed
        Assert.Empty(first.Intersect(Draw(Random.Split(8))));
    }

    [Fact]
    public void A_sweep_draws_no_numbers()
    {
        static double Last(bool sweep)
        {
            using var tape = Tape.Training(Random);
            var x = tape.Watch(Tensor.Ones(new(100)));
            var y = x.Dropout(0.5);
            if (sweep) tape.Gradients(y, [x], createGraph: true);
            return tape.NextRandom().Uniform(0);
        }
        Assert.Equal(Last(sweep: false), Last(sweep: true));
    }

    // ---- printing -------------------------------------------------------------------------------------------------------------

    [Fact]
    public void A_recorded_step_prints_as_a_table()
    {
        var (weight, bias) = (new Parameter("linear.weight", Tensor.Ones(new(3, 2))),
            new Parameter("linear.bias", Tensor.Zeros(new(2))));
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Ones(new(4, 3)));
        Tensor y;
        using (LayerContext.Enter("block1"))
        using (LayerContext.Enter("linear")) y = x.MatrixProduct(weight) + bias;
        _ = (y * y + 1).Sum();   // the constant 1 gets no gradient
        Assert.Equal("""
            #  operation       layer          shape   gradient goes to
            0  watch                          [4, 3]  (watched)
            1  parameter       block1.linear  [3, 2]  (parameter linear.weight)
            2  matrix product  block1.linear  [4, 2]  #0, #1
            3  parameter       block1.linear  [2]     (parameter linear.bias)
            4  add             block1.linear  [4, 2]  #2, #3
            5  multiply                       [4, 2]  #4, #4
            6  add                            [4, 2]  #5
            7  sum                            []      #6

            """.ReplaceLineEndings(), tape.Print());
    }
}
