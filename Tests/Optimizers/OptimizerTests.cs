using Tapegrad.Devices;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>What every optimizer does: a step commits gradients and statistics together, or neither.</summary>
public sealed class OptimizerTests : EngineTest
{
    private readonly Parameter weight, bias, frozen, unused;

    public OptimizerTests() =>
        (weight, bias, frozen, unused) = (new("conv1.weight", Tensor.From([1.0, 2], new(1, 2))),
            new("conv1.bias", Vector(3)),
        new("frozen", Vector(5)) { IsTrainable = false }, new("unused", Vector(7)));

    private Parameter[] All => [weight, bias, frozen, unused];

    public static TheoryData<string> Kinds => ["sgd", "momentum", "adam"];

    private static Optimizer Create(string kind, IReadOnlyList<ParameterGroup> groups,
        NonFinite onNonFinite = NonFinite.Throw) =>
        kind switch
        {
            "sgd" => new Sgd(groups) { OnNonFinite = onNonFinite },
            "momentum" => new Sgd(groups, momentum: 0.9, nesterov: true) { OnNonFinite = onNonFinite },
            _ => new Adam(groups) { OnNonFinite = onNonFinite },
        };

    private Optimizer Create(string kind, NonFinite onNonFinite = NonFinite.Throw) =>
        Create(kind, [new(All, WeightDecay: 0.1)], onNonFinite);

    private Tensor Loss(double factor = 1) => (weight.Value.Square() * factor * frozen.Value).Sum() + bias.Value.Sum();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_step_moves_what_the_loss_was_computed_from_and_nothing_else(string kind)
    {
        var optimizer = Create(kind);
        var statistics = new Recorder();
        var untouched = (Tensor[])[frozen.Value, unused.Value];
        for (var step = 1; step <= 3; step++)
        {
            var (oldWeight, oldBias) = (weight.Value, bias.Value);
            var before = (double[])[.. weight.Value.ToDoubles(), .. bias.Value.ToDoubles()];
            using (var tape = Tape.Training(Random))
            {
                tape.Propose(statistics, new Moments(4, Tensor.Scalar(step), Tensor.Scalar(2)));
                Assert.True(optimizer.Step(tape.Gradients(Loss(), release: true), 0.01));
            }
            Assert.Equal(step, optimizer.Steps);
            Assert.Equal(step, statistics.Committed.Count);
            Assert.Equal(step, statistics.Committed[^1].Mean);
            double[] after = [.. weight.Value.ToDoubles(), .. bias.Value.ToDoubles()];
            for (var i = 0; i < 3; i++) Assert.True(after[i] < before[i]);   // every slope is positive
            Throws<InvalidOperationException>(() => oldWeight.ToDoubles(), "conv1.weight was updated");
            Throws<InvalidOperationException>(() => oldBias.ToDoubles(), "conv1.bias was updated");
        }
        Near([5], untouched[0], 0);   // still readable: their stamps have not risen
        Near([7], untouched[1], 0);   // weight decay does not move what has no gradient
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_gradient_that_is_not_finite_changes_nothing_and_is_named(string kind)
    {
        var optimizer = Create(kind);
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
        var (oldWeight, oldBias) = (weight.Value, bias.Value);
        // the weight, which comes first, has an ordinary gradient
        var gradients = tape.Gradients(Loss() + (bias.Value * double.NaN).Sum());
        Throws<NonFiniteException>(() => optimizer.Step(gradients, 0.1),
            "the gradient of conv1.bias [1] is NaN at element 0",
            "the step was not taken", "stopAtNonFinite");
        Near([1, 2], oldWeight, 0);
        Near([3], oldBias, 0);
        Assert.Empty(statistics.Committed);
        Assert.Equal(0, optimizer.Steps);
        Throws<NonFiniteException>(() => optimizer.Step(gradients, 0.1));   // not used up: it was no step
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Statistics_that_are_not_finite_change_nothing_and_name_their_layer(string kind)
    {
        var (good, bad) = (new Recorder("norm1"), new Recorder("layer1.norm2"));
        var optimizer = Create(kind);
        using var tape = Tape.Training(Random);
        tape.Propose(good, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
        tape.Propose(bad, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(double.PositiveInfinity)));
        var old = weight.Value;
        Throws<NonFiniteException>(() => optimizer.Step(tape.Gradients(Loss()), 0.1),
            "the batch statistics of layer1.norm2 hold Infinity");
        Near([1, 2], old, 0);
        Assert.Empty(good.Committed);
        Assert.Empty(bad.Committed);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Skipping_changes_nothing_and_says_so(string kind)
    {
        var statistics = new Recorder();
        var (optimizer, twin) = (Create(kind, NonFinite.Skip), Create(kind));
        foreach (var factor in (double[])[double.NaN, double.PositiveInfinity])
        {
            using var tape = Tape.Training(Random);
            tape.Propose(statistics, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
            var old = weight.Value;
            Assert.False(optimizer.Step(tape.Gradients(Loss(factor)), 0.1));
            Near([1, 2], old, 0);
        }
        Assert.Empty(statistics.Committed);
        Assert.Equal(0, optimizer.Steps);

        // The states have not moved either: the next step is that of an optimizer which never met a NaN.
        using (var tape = Tape.Training(Random)) Assert.True(optimizer.Step(tape.Gradients(Loss()), 0.1));
        var after = weight.Value.ToDoubles();
        (weight.Value, bias.Value) = (Tensor.From([1.0, 2], new(1, 2)), Vector(3));
        using (var tape = Tape.Training(Random)) twin.Step(tape.Gradients(Loss()), 0.1);
        Assert.Equal(after, weight.Value.ToDoubles());
    }

    [Fact]
    public void Gradients_are_used_once()
    {
        var statistics = new Recorder();
        var optimizer = Create("sgd");
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
        var gradients = tape.Gradients(Loss());
        optimizer.Step(gradients, 0.1);
        var after = weight.Value;
        Throws<InvalidOperationException>(() => optimizer.Step(gradients, 0.1), "used already");
        Throws<InvalidOperationException>(gradients.CommitStatistics, "used already");
        Assert.Single(statistics.Committed);
        after.ToDoubles();   // still the last update
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_rate_that_is_not_finite_is_refused(double rate)
    {
        var optimizer = Create("sgd");
        using var tape = Tape.Training(Random);
        var gradients = tape.Gradients(Loss());
        Throws<ArgumentOutOfRangeException>(() => optimizer.Step(gradients, rate), "learning rate");
        Assert.True(optimizer.Step(gradients, 0.1));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Freezing_and_thawing(string kind)
    {
        var optimizer = Create(kind);
        void Step()
        {
            using var tape = Tape.Training(Random);
            optimizer.Step(tape.Gradients(Loss()), 0.01);
        }
        Step();
        weight.IsTrainable = false;
        var still = weight.Value;
        Step();
        var before = still.ToDoubles();
        weight.IsTrainable = true;
        Step();
        Assert.NotEqual(before, weight.Value.ToDoubles());
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Frozen_between_the_gradients_and_the_step(string kind)
    {
        var optimizer = Create(kind);
        using var tape = Tape.Training(Random);
        var gradients = tape.Gradients(Loss());
        weight.IsTrainable = false;
        var still = weight.Value;
        optimizer.Step(gradients, 0.1);
        Near([1, 2], still, 0);
        Assert.NotEqual(3, bias.Value.At(0));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Groups_have_a_decay_and_a_rate_of_their_own(string kind)
    {
        static (Parameter, Parameter) Make() => (new("a", Vector(1, -2)), new("b", Vector(1, -2)));
        double[] Train(double decay, double factor, double rate)
        {
            var (a, b) = Make();
            var optimizer = Create(kind, [new([a], decay, factor), new([b])]);
            for (var step = 0; step < 4; step++)
            {
                using var tape = Tape.Training(Random);
                optimizer.Step(tape.Gradients((a.Value.Square() + b.Value.Square()).Sum()), rate);
            }
            return [.. a.Value.ToDoubles(), .. b.Value.ToDoubles()];
        }
        var plain = Train(0, 1, 0.01);
        Assert.Equal(plain[..2], plain[2..]);
        Assert.Equal(plain[2..], Train(0.5, 3, 0.01)[2..]);                // the other group's settings do not reach b
        Assert.Equal(Train(0, 1, 0.03)[..2], Train(0, 3, 0.01)[..2]);      // the factor multiplies the rate
        Assert.NotEqual(plain[..2], Train(0.5, 1, 0.01)[..2]);
    }

    // Wherever a parameter stands: at a rate of its own it moves so many times as far, and decays as much.
    [Fact]
    public void A_part_of_a_group_at_another_rate_decays_as_before()
    {
        var other = new Parameter("other", Vector(11));
        var group = new ParameterGroup([bias, unused, weight], WeightDecay: 0.5, RateFactor: 3);
        var groups = group.WithRateOf([weight, bias, other], 8);
        Assert.Equal([unused], groups[0].Parameters);
        Assert.Equal([bias, weight], groups[1].Parameters);
        Assert.Equal((0.5, 3), (groups[0].WeightDecay, groups[0].RateFactor));
        Assert.Equal((0.0625, 24), (groups[1].WeightDecay, groups[1].RateFactor));
        var sgd = new Sgd(groups);
        using (var tape = Tape.Training(Random))
            sgd.Step(tape.Gradients((bias.Value * 10 + unused.Value * 20).Sum()), 0.01);
        // 0.01 * 3 * (8 * 10 + 0.5 * 3), and 0.01 * 3 * (20 + 0.5 * 7)
        Near([3 - 0.03 * 81.5], bias.Value);
        Near([7 - 0.03 * 23.5], unused.Value);
        foreach (var wrong in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Throws<ArgumentOutOfRangeException>(() => group.WithRateOf([bias], wrong), "factor");
    }

    [Fact]
    public void Weights_decay_and_vectors_do_not()
    {
        var scalar = new Parameter("scale", Tensor.Scalar(1));
        var groups = ParameterGroup.DecayWeightsOnly([bias, weight, scalar], 0.25);
        Assert.Equal([weight], groups[0].Parameters);
        Assert.Equal([bias, scalar], groups[1].Parameters);
        Assert.Equal((0.25, 0.0), (groups[0].WeightDecay, groups[1].WeightDecay));
        Assert.Equal((1.0, 1.0), (groups[0].RateFactor, groups[1].RateFactor));
    }

    [Fact]
    public void Wrong_parameters_are_refused()
    {
        Throws<ArgumentException>(() => new Sgd([weight, bias, weight]), "conv1.weight is given twice");
        Throws<ArgumentException>(() => new Adam([new ParameterGroup([weight]), new ParameterGroup([bias, weight])]),
            "conv1.weight is given twice");
        Throws<ArgumentException>(() => new Sgd(Array.Empty<Parameter>()), "no parameter");
        Throws<ArgumentException>(() => new Sgd([weight], nesterov: true), "Nesterov");
        foreach (var wrong in (double[])[-0.1, 1, double.NaN])
        {
            Throws<ArgumentOutOfRangeException>(() => new Sgd([weight], momentum: wrong), "momentum");
            Throws<ArgumentOutOfRangeException>(() => new Adam([weight], beta1: wrong), "betas");
            Throws<ArgumentOutOfRangeException>(() => new Adam([weight], beta2: wrong), "betas");
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void On_two_devices_a_step_is_taken_on_both_or_on_neither(string kind)
    {
        Device[] devices = [Device.Cpu, Device.Reference];
        // With finite gradients too: 1e30 is none whose square a float, or whose move by such a rate, can be.
        foreach (var (bad, factor, rate) in ((int, double, double)[])[(0, double.NaN, 1), (1, double.NaN, 1),
            (0, 1e30, 1e30), (2, 1, 1)])
        {
            var parameters = devices.Select((device, i) =>
            {
                using var _ = Device.Use(device);
                return new Parameter($"p{i}", Vector(1, 2));
            }).ToArray();
            foreach (var order in (int[][])[[0, 1], [1, 0]])
            {
                var optimizer = Create(kind, [new([.. order.Select(i => parameters[i])])], NonFinite.Skip);
                using var tape = Tape.Training(Random);
                var losses = parameters.Select((p, i) =>
                {
                    using var _ = Device.Use(devices[i]);
                    return (p.Value * (i == bad ? factor : 1)).Sum();
                }).ToArray();
                var before = parameters.Select(p => p.Value.ToDoubles()).ToArray();
                var isTaken = optimizer.Step(tape.Gradients(losses[order[0]]) + tape.Gradients(losses[order[1]]), rate);
                Assert.Equal(bad == 2, isTaken);
                foreach (var (p, values) in parameters.Zip(before))
                    Assert.Equal(isTaken, !values.SequenceEqual(p.Value.ToDoubles()));
            }
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void States_outlive_the_scope_of_the_step_and_live_on_the_parameters_device(string kind)
    {
        Parameter p;
        using (Device.Use(Device.Cpu)) p = new Parameter("p", Vector(1, 2));
        var optimizer = Create(kind, [new([p])]);
        var twin = new Parameter("p", Vector(1, 2));
        var reference = Create(kind, [new([twin])]);
        for (var step = 0; step < 5; step++)
        {
            using (var tape = Tape.Training(Random)) optimizer.Step(tape.Gradients(p.Value.Square().Sum()), 0.01);
            using (var tape = Tape.Training(Random)) reference.Step(tape.Gradients(twin.Value.Square().Sum()), 0.01);
            using (Device.Use(Device.Cpu))
            using (new Scope()) Vector(9, 9);   // overwrites what has gone back to the pool
        }
        Near(twin.Value.ToDoubles(), p.Value, 1e-6);
    }
}
