using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>
/// The exponential moving average against its formula, and the exchange of values that must leave nothing behind.
/// </summary>
public sealed class AveragedWeightsTests : EngineTest
{
    [Theory]
    [InlineData(0.9)]
    [InlineData(0.15)]
    [InlineData(0)]
    public void The_average_is_that_of_the_formula(double decay)
    {
        var (p, q) = (new Parameter("p", Vector(1, 2)), new Parameter("q", Vector(5), trainable: false));
        var average = new AveragedWeights([p, q], decay);
        double[] expected = [1, 2, 5];
        for (var step = 0; step < 100; step++)
        {
            p.Value = Vector(step, -step);
            q.Value = Vector(step * step);
            average.Update();
            var d = Math.Min(decay, (1.0 + step) / (10 + step));
            double[] values = [step, -step, step * step];
            for (var i = 0; i < 3; i++) expected[i] = d * expected[i] + (1 - d) * values[i];
        }
        Assert.Equal(100, average.Steps);
        var use = average.Use();
        Near(expected[..2], p.Value);
        Near(expected[2..], q.Value);
        use.Dispose();
        use.Dispose();
        Near([99, -99], p.Value);
        Near([99 * 99], q.Value);
        using (average.Use()) Near(expected[..2], p.Value);   // a second time
    }

    [Fact]
    public void Running_statistics_are_averaged_too_and_nothing_is_recorded()
    {
        var norm = new BatchNorm(2);
        var average = new AveragedWeights(norm.State);
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Normal(new(4, 3, 3, 2), Random));
        new Sgd(norm.Parameters).Step(tape.Gradients(norm.Apply(x).Sum()), 0.1);
        average.Update();
        var (count, now) = (tape.Count, norm.State.Select(p => p.Value.ToDoubles()).ToArray());
        using (average.Use())
            foreach (var (p, value) in norm.State.Zip(now))
                if (p.Name.Contains("running_mean")) Assert.NotEqual(value, p.Value.ToDoubles());
        Assert.Equal(count, tape.Count);
        Assert.Equal(now, norm.State.Select(p => p.Value.ToDoubles()));
    }

    [Fact]
    public void It_begins_with_the_values_and_refuses_a_decay_of_1()
    {
        var p = new Parameter("p", Vector(3));
        var average = new AveragedWeights([p]);
        var kept = Assert.Single(average.State);
        Assert.Equal(("p.average", false), (kept.Name, kept.IsTrainable));
        p.Value = Vector(4);
        using (average.Use()) Near([3], p.Value);
        foreach (var wrong in (double[])[-0.1, 1, double.NaN])
            Throws<ArgumentOutOfRangeException>(() => new AveragedWeights([p], wrong), "decay");
    }
}
