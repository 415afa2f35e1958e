using FsCheck.Xunit;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>
/// A step is taken whole or not at all, whatever would not stay finite.
/// </summary>
public sealed class WholeStepTests
{
    // Two elements in a batch: the unbiased variance, which is remembered, is twice the biased one, so that it can be
    // beyond all floats where the biased one is not.
    [Property(MaxTest = 200)]
    public void Running_statistics_stay_finite_or_the_step_is_not_taken(int seed)
    {
        using var device = Device.Use(Device.Cpu);
        var random = new RandomSource(seed);
        var layer = new BatchNorm(1, BatchNormConvention.PyTorch with
        {
            NewWeight = random.Below(2, 0) == 0 ? 1 : 0.1
        });
        var optimizer = new Sgd(layer.Parameters) { OnNonFinite = NonFinite.Skip };
        for (var step = 0; step < 6; step++)
        {
            var before = layer.State.SelectMany(value => value.Value.ToDoubles()).ToArray();
            var half = 1e17 * Math.Pow(300, random.Uniform(1 + step));   // up to 3e19, whose square no float holds
            using var tape = Tape.Training(random.Split(step));
            var y = layer.Apply(Tensor.From([-half, half], new Shape(2, 1)));
            var isTaken = optimizer.Step(tape.Gradients(y.Sum()), 0.1);
            var after = layer.State.SelectMany(value => value.Value.ToDoubles()).ToArray();
            Assert.All(after, value => Assert.True(double.IsFinite(value)));
            if (!isTaken) Assert.Equal(before, after);
            else Assert.True(half * half * 2 < float.MaxValue * 1.001, $"taken at {half}");
            if (half * half * 2 < float.MaxValue / 1.001) Assert.True(isTaken, $"refused at {half}");
        }
    }

    [Fact]
    public void Statistics_that_would_not_stay_finite_are_named()
    {
        using var device = Device.Use(Device.Cpu);
        var layer = new BatchNorm(1);
        var model = new Sequential(layer);
        using var tape = Tape.Training(new RandomSource(1));
        var y = model.Apply(Tensor.From([-1.5e19, 1.5e19], new Shape(2, 1)));
        var gradients = tape.Gradients(y.Sum());
        Assert.Contains($"the running statistics of {layer.Path} would not stay finite; the step was not taken",
            Assert.Throws<NonFiniteException>(() => new Sgd(model.Parameters).Step(gradients, 0.1)).Message);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void A_gradient_of_a_parameter_that_it_does_not_update_is_looked_at_too(double value)
    {
        using var device = Device.Use(Device.Cpu);
        var (own, stranger) = (new Parameter("own", Tensor.Ones(new Shape(2))), new Parameter("stranger", Tensor.Ones(
            new Shape(3))));
        using var tape = Tape.Training(new RandomSource(1));
        var loss = own.Value.Sum() + (stranger.Value * Tensor.From([0, value, 0], new Shape(3))).Sum();
        Assert.Contains("the gradient of stranger [3]", Assert.Throws<NonFiniteException>(() =>
            new Sgd([own]).Step(tape.Gradients(loss), 0.1)).Message);
        Assert.Equal([1, 1], own.Value.ToDoubles());
    }

    [Fact]
    public void Statistics_of_any_kind_are_looked_at()
    {
        using var device = Device.Use(Device.Cpu);
        var (p, seen) = (new Parameter("p", Tensor.Ones(new Shape(1))), new Recorder("own"));
        using var tape = Tape.Training(new RandomSource(1));
        tape.Propose(seen, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(double.PositiveInfinity)));
        Assert.Contains("own", Assert.Throws<NonFiniteException>(() =>
            new Sgd([p]).Step(tape.Gradients(p.Value.Sum()), 0.1)).Message);
        Assert.Empty(seen.Committed);
    }
}
