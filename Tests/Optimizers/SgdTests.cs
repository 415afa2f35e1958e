using FsCheck.Xunit;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>
/// Sgd against its formula in a plain loop, for random settings, gradients and rates that change from step to step.
/// </summary>
public sealed class SgdTests : EngineTest
{
    [Property(MaxTest = 100)]
    public void Every_step_is_that_of_the_formula(int seed, byte choice)
    {
        var random = new RandomSource(seed);
        var momentum = choice % 4 == 0 ? 0 : random.Uniform(1) * 0.99;
        var nesterov = momentum > 0 && choice % 3 == 0;
        var decay = choice % 2 == 0 ? 0 : random.Uniform(2);
        double[] p = [random.Normal(10), random.Normal(11), 0];
        var velocity = new double[3];
        var parameter = new Parameter("p", Vector(p));
        var sgd = new Sgd([parameter], momentum, decay, nesterov);
        for (var step = 0; step < 6; step++)
        {
            var rate = random.Split(step).Uniform(0);
            var slope = Tensor.Normal(new(3), random.Split(step));
            using (var tape = Tape.Training(random)) sgd.Step(tape.Gradients((parameter.Value * slope).Sum()), rate);
            var g = slope.ToDoubles();
            for (var i = 0; i < 3; i++)
            {
                var decayed = g[i] + decay * p[i];
                velocity[i] = momentum * velocity[i] + decayed;
                p[i] -= rate * (nesterov ? decayed + momentum * velocity[i] : velocity[i]);
            }
            Near(p, parameter.Value);
        }
    }

    [Fact]
    public void The_rate_multiplies_the_velocity_not_the_gradient_that_enters_it()
    {
        // Slope 1 at rates 1, 0, 0.1: the velocities are 1, 1.5, 1.75, so p moves by 1, 0 and 0.175. Scaling the
        // gradient instead would move it by 1, 0.5, 0.35.
        var p = new Parameter("p", Vector(0));
        var sgd = new Sgd([p], momentum: 0.5);
        foreach (var (rate, expected) in ((double, double)[])[(1, -1), (0, -1), (0.1, -1.175)])
        {
            using var tape = Tape.Training(Random);
            sgd.Step(tape.Gradients(p.Value.Sum()), rate);
            Near([expected], p.Value);
        }
    }

    [Fact]
    public void A_parameter_that_joins_late_starts_from_rest()
    {
        var (early, late) = (new Parameter("early", Vector(0)), new Parameter("late", Vector(0)));
        var sgd = new Sgd([early, late], momentum: 0.5);
        for (var step = 0; step < 3; step++)
        {
            using var tape = Tape.Training(Random);
            sgd.Step(tape.Gradients(step == 0 ? early.Value.Sum() : (early.Value + late.Value).Sum()), 1);
        }
        Near([-(1 + 1.5 + 1.75)], early.Value);
        Near([-(1 + 1.5)], late.Value);
    }

    [Fact]
    public void A_parameter_that_was_left_out_of_a_step_keeps_its_velocity()
    {
        var (always, sometimes) = (new Parameter("always", Vector(0)), new Parameter("sometimes", Vector(0)));
        var sgd = new Sgd([always, sometimes], momentum: 0.5);
        for (var step = 0; step < 3; step++)
        {
            using var tape = Tape.Training(Random);
            sgd.Step(tape.Gradients(step == 1 ? always.Value.Sum() : (always.Value + sometimes.Value).Sum()), 1);
        }
        Near([-(1 + 1.5)], sometimes.Value);
    }

    [Fact]
    public void Accumulated_gradients_take_one_step()
    {
        var p = new Parameter("p", Vector(2));
        var sgd = new Sgd([p], momentum: 0.9);
        Gradients? total = null;
        for (var i = 1; i <= 3; i++)
        {
            using var tape = Tape.Training(Random);
            var gradients = (tape.Gradients((p.Value * i).Sum()) * (1 / 3.0)).Keep();
            total = total is null ? gradients : (total + gradients).Keep();
        }
        sgd.Step(total!, 0.5);
        Near([2 - 0.5 * 2], p.Value);   // the mean of the slopes 1, 2, 3
        Assert.Equal(1, sgd.Steps);
    }
}
