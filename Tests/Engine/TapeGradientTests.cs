using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>The gradients that are read back from the tape: worked examples, each derivative by hand.</summary>
public sealed class TapeGradientTests : EngineTest
{
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
        Assert.False(tape.Recorded(frozen.Value.Square()));
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
        // a constant
        Throws<InvalidOperationException>(() => tape.Gradients(fourth, [x]), "no variable went into it");
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
}
