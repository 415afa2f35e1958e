using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// The check itself: it must pass what is right, and catch what is wrong on purpose at the order where it is wrong.
/// </summary>
public sealed class GradientCheckTests : EngineTest
{
    private static readonly double[] Numbers = [0.7, -1.3, 0.4, 2.1, -0.6, 1.2];

    private static Tensor[] One => [Tensor.From(Numbers, new(2, 3))];

    private static string Fails(Func<Tensor[], Tensor> f, Tensor[] inputs, int order, params string[] parts) =>
        Throws<GradientCheckException>(() => GradientCheck.Run(f, inputs, order, seed: 42), parts);

    // An operation with the value x^5 and a pull that claims the given slope.
    private static Tensor Claim(Tensor x, Func<Tensor, Tensor> slope) =>
        Tape.Record("claim", x.Power(5).StopGradient(), (x, (_, g) => g * slope(x)));

    [Fact]
    public void Right_derivatives_pass_to_the_third_order()
    {
        GradientCheck.Run(x => x[0].Power(5), One, order: 3);
        GradientCheck.Run(x => Claim(x[0], x => 5 * x.Power(4)), One, order: 3);
        GradientCheck.Run(x => x[0].MatrixProduct(x[1]).Tanh().LogSoftmax(), [One[0], Tensor.Normal(new(3, 4), Random)],
            order: 3);
        GradientCheck.Run(x => x[0] / (x[1].Square() + 1), [One[0], Vector(1, 2, 3)], order: 3,
            variables: [false, true]);
    }

    [Fact]
    public void A_wrong_first_derivative_is_caught() =>
        Fails(x => Claim(x[0], x => 4 * x.Power(4)), One, 1, "order 1:", "the difference quotient", "[2, 3]",
            "seed 42");

    [Theory]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(double.NaN)]
    public void A_slope_that_is_not_finite_is_caught(double slope) =>
        Fails(x => Claim(x[0], x => x * 0 + slope), One, 1, "order 1:");

    [Fact]
    public void A_wrong_second_derivative_is_caught_at_the_second_order()
    {
        Tensor Wrong(Tensor[] x) =>
            Claim(x[0], x => 5 * Tape.Record("fourth", x.Power(4).StopGradient(), (x, (_, g) => g * 3 * x.Power(3))));
        GradientCheck.Run(Wrong, One, order: 1);
        Fails(Wrong, One, 2, "order 2");
    }

    [Fact]
    public void A_wrong_third_derivative_is_caught_at_the_third_order()
    {
        Tensor Wrong(Tensor[] x) =>
            Claim(x[0], x => 5 * Tape.Record("fourth", x.Power(4).StopGradient(), (x, (_, g) => g * 4
            * Tape.Record("third", x.Power(3).StopGradient(), (x, (_, h) => h * 2 * x.Square())))));
        GradientCheck.Run(Wrong, One, order: 2);
        Fails(Wrong, One, 3, "order 3");
    }

    [Fact]
    public void An_error_that_one_direction_taken_twice_would_not_see_is_caught()
    {
        // The second derivative is wrong by a rotation R, and v R v = 0: the orders need directions of their own.
        var rotation = Tensor.From([0.0, 1, -1, 0], new(2, 2));
        Tensor Slope(Tensor x) => Tape.Record("slope", (5 * x.Power(4)).StopGradient(), (x, (_, h) =>
            h * 20 * x.Power(3) + h.Reshape(1, 2).MatrixProduct(rotation).Reshape(2)));
        Tensor Wrong(Tensor x) =>
            Tape.Record("sum of powers", x.Power(5).Sum().StopGradient(), (x, (_, g) => g * Slope(x)));
        GradientCheck.Run(x => Wrong(x[0]), [Vector(0.7, -1.3)], order: 1);
        Fails(x => Wrong(x[0]), [Vector(0.7, -1.3)], 2, "order 2");
    }

    [Theory]
    [InlineData(1.0001)]
    [InlineData(0.9999)]
    [InlineData(-1.0)]
    [InlineData(0.0)]
    public void A_slightly_wrong_slope_is_caught(double factor) =>
        Fails(x => Claim(x[0], x => 5 * factor * x.Power(4)), One, 1, "order 1");

    [Fact]
    public void A_severed_graph_is_caught()
    {
        Fails(x => x[0].Power(5).StopGradient(), One, 1, "order 1", "the tape says 0");
        // the right slope, as a constant
        Tensor Fused(Tensor[] x) => Claim(x[0], x => (5 * x.Power(4)).StopGradient());
        GradientCheck.Run(Fused, One, order: 1);
        Fails(Fused, One, 2, "order 2", "the tape says 0");
    }

    [Fact]
    public void A_slope_that_is_wrong_for_one_of_many_elements_is_caught_and_named()
    {
        var mask = Tensor.From([1.0, 1, 1, 1, 1.01, 1], new(2, 3));
        var message = Fails(x => Claim(x[0], x => 5 * x.Power(4) * mask), One, 1, "Worst at element 4 of input 0");
        Assert.DoesNotContain("NaN", message);
    }

    [Fact]
    public void The_sum_of_the_outputs_would_not_do()
    {
        // The outputs sum to 0 whatever x is; so does the wrong gradient below. A covector of ones would see nothing.
        static Tensor Centered(Tensor x) =>
            Tape.Record("center", (x - x.Mean([1], true)).StopGradient(), (x, (_, g) => (g - g.Mean([1], true)) * 2));
        Fails(x => Centered(x[0]), One, 1, "order 1");
    }

    // However the other elements differ, before it or behind it.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(3)]
    public void An_element_that_is_NaN_is_the_worst(int place)
    {
        double[] values = [1, 2, 3, 4];
        values[place] = 0;
        var x = Tensor.From(values, new Shape(4));
        Fails(inputs => inputs[0].Square().Sqrt() + Claim(inputs[0], y => y * 7), [x], 1,
            $"Worst at element {place} of input 0: NaN");
    }

    [Fact]
    public void NaN_is_no_agreement() => Fails(x => Claim(x[0], x => x * double.NaN), One, 1, "NaN");

    [Fact]
    public void A_kernel_is_checked_beside_its_composite()
    {
        static Tensor Kernel(Tensor x, double kernel, double composite) =>
            Tape.RecordKernel("cube", x.Power(3).StopGradient(), [x],
            inputs => inputs[0].Power(3) * composite, (_, g, _) => [g * x.Square() * (3 * kernel)]);
        GradientCheck.Run(x => Kernel(x[0], 1, 1), One, order: 3);
        Assert.DoesNotContain("createGraph", Fails(x => Kernel(x[0], 1.01, 1), One, 1, "order 1:"));
        Fails(x => Kernel(x[0], 1, 1.01), One, 1, "order 1, with createGraph");
    }

    [Fact]
    public void Every_input_is_checked_unless_it_is_a_constant()
    {
        static Tensor Wrong(Tensor[] x) =>
            Tape.Record("product", (x[0] * x[1]).StopGradient(), (x[0], (_, g) => g * x[1]),
                (x[1], (_, g) => g * x[0] * 2));
        var inputs = (Tensor[])[One[0], One[0] + 1];
        Fails(Wrong, inputs, 1, "order 1", "of input 1");
        GradientCheck.Run(Wrong, inputs, variables: [true, false]);
    }

    [Fact]
    public void Parameters_are_checked_named_and_restored()
    {
        var (weight, unused) = (new Parameter("fc.weight", Vector(1, 2, 3)), new Parameter("other", Vector(5)));
        GradientCheck.Run(x => x[0] * weight.Value.Square(), One, order: 2, parameters: [weight]);
        Near([1, 2, 3], weight.Value, 0);
        Tensor Wrong(Tensor[] x) => x[0] * Claim(weight.Value, w => 4 * w.Power(4));
        Throws<GradientCheckException>(() => GradientCheck.Run(Wrong, One, parameters: [weight]), "order 1",
            "of fc.weight");
        Near([1, 2, 3], weight.Value, 0);
        Throws<NotSupportedException>(() =>
            GradientCheck.Run(_ => throw new NotSupportedException("no"), One, parameters: [weight]), "no");
        Near([1, 2, 3], weight.Value, 0);
        Near([5], unused.Value, 0);
        Assert.Null(Tape.Current);
    }

    [Fact]
    public void Parameters_elsewhere_are_refused()
    {
        Parameter weight;
        using (Device.Use(Device.Cpu)) weight = new Parameter("fc.weight", Vector(1));
        Throws<ArgumentException>(() => GradientCheck.Run(x => x[0], One, parameters: [weight]), "fc.weight", "CPU",
            "reference");
    }

    [Fact]
    public void Inputs_come_from_any_device_and_everything_runs_in_double()
    {
        using var _ = Device.Use(Device.Cpu);
        GradientCheck.Run(x =>
        {
            Assert.Same(Device.Reference, x[0].Device);
            return x[0].Exp();
        }, [Vector(0.5)]);
        Assert.Same(Device.Cpu, Device.Current);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Training_is_an_option_and_every_evaluation_draws_the_same_numbers(bool training) =>
        GradientCheck.Run(x =>
    {
        Assert.Equal(training, Tape.Current!.IsTraining);
        return x[0].Square().Dropout(0.5);
    }, [Tensor.Normal(new(20), Random)], order: 2, training: training);

    [Fact]
    public void Another_seed_draws_another_covector()
    {
        var message = new List<string>();
        foreach (var seed in new[] { 1, 2, 1 })
            message.Add(Throws<GradientCheckException>(() =>
                GradientCheck.Run(x => Claim(x[0], x => x), One, seed: seed),
                $"seed {seed}"));
        Assert.Equal(message[0], message[2]);
        Assert.NotEqual(message[0].Replace("seed 1", ""), message[1].Replace("seed 2", ""));
    }

    [Theory]
    [InlineData(new[] { 0 })]
    [InlineData(new int[0])]
    [InlineData(new[] { 1, 1 })]
    public void Nasty_shapes_pass(int[] dimensions) =>
        GradientCheck.Run(x => x[0].Square() * x[0].Exp(), [Tensor.Full(new(dimensions), 0.5)], order: 3);

    [Fact]
    public void Derivatives_that_end_are_zero() => GradientCheck.Run(x => x[0] * 3 + x[0].Square(), One, order: 3);
}
