using FsCheck.Xunit;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>Adam against its formula in a plain loop, for random settings and gradients.</summary>
public sealed class AdamTests : EngineTest
{
    [Property(MaxTest = 100)]
    public void Every_step_is_that_of_the_formula(int seed, byte choice)
    {
        var (random, isApart) = (new RandomSource(seed), choice % 4 >= 2);
        var (beta1, beta2) = (random.Uniform(1) * 0.99, 0.5 + random.Uniform(2) * 0.49);
        var decay = choice % 2 == 0 ? 0 : random.Uniform(3);   // of the gradient, or, in AdamW, of the parameter
        var eps = choice % 3 == 0 ? 0.1 : 1e-8;   // large enough to tell whether it stands inside the root
        double[] p = [random.Normal(10), random.Normal(11), 0];
        var (mean, square) = (new double[3], new double[3]);
        var parameter = new Parameter("p", Vector(p));
        var adam = isApart ? new AdamW([parameter], beta1, beta2, eps, decay)
            : new Adam([parameter], beta1, beta2, eps, decay);
        for (var step = 1; step <= 6; step++)
        {
            var rate = random.Split(step).Uniform(0);
            var slope = Tensor.Normal(new(3), random.Split(step));
            using (var tape = Tape.Training(random)) adam.Step(tape.Gradients((parameter.Value * slope).Sum()), rate);
            var g = slope.ToDoubles();
            for (var i = 0; i < 3; i++)
            {
                var decayed = isApart ? g[i] : g[i] + decay * p[i];
                if (isApart) p[i] *= 1 - rate * decay;
                mean[i] = beta1 * mean[i] + (1 - beta1) * decayed;
                square[i] = beta2 * square[i] + (1 - beta2) * decayed * decayed;
                p[i] -= rate * (mean[i] / (1 - Math.Pow(beta1, step)))
                    / (Math.Sqrt(square[i] / (1 - Math.Pow(beta2, step)))
                    + eps);
            }
            Near(p, parameter.Value, 1e-10);
        }
    }

    [Fact]
    public void The_first_step_has_the_length_of_the_rate_whatever_the_slope()
    {
        // Both corrections make the first means equal to the gradient and its square: the step is rate g / |g|.
        var p = new Parameter("p", Vector(0, 0, 0));
        using var tape = Tape.Training(Random);
        new Adam([p], eps: 0).Step(tape.Gradients((p.Value * Vector(1e-3, -5, 1e4)).Sum()), 0.01);
        Near([-0.01, 0.01, -0.01], p.Value);
    }

    [Fact]
    public void The_default_settings_are_the_papers()
    {
        var (a, b) = (new Parameter("a", Vector(1)), new Parameter("b", Vector(1)));
        var (given, standard) = (new Adam([a], 0.9, 0.999, 1e-8, 0), new Adam([b]));
        for (var step = 0; step < 5; step++)
        {
            using var tape = Tape.Training(Random);
            var gradients = tape.Gradients((a.Value.Power(3) + b.Value.Power(3)).Sum());
            given.Step(gradients * 1, 0.1);
            standard.Step(gradients * 1, 0.1);
        }
        Assert.Equal(a.Value.ToDoubles(), b.Value.ToDoubles());
    }

    [Fact]
    public void AdamW_decays_by_a_hundredth_unless_told_otherwise()
    {
        var (a, b) = (new Parameter("a", Vector(3)), new Parameter("b", Vector(3)));
        using var tape = Tape.Training(Random);
        new AdamW([a]).Step(tape.Gradients((a.Value * 0).Sum()), 0.1);   // no gradient: the decay alone
        Near([3 * (1 - 0.1 * 0.01)], a.Value);
        new AdamW([new ParameterGroup([b], 0.5, RateFactor: 2)]).Step(tape.Gradients((b.Value * 0).Sum()), 0.1);
        Near([3 * (1 - 0.2 * 0.5)], b.Value);
    }

    [Fact]
    public void A_parameter_that_joins_late_starts_its_own_count()
    {
        var (early, late) = (new Parameter("early", Vector(0)), new Parameter("late", Vector(0)));
        var adam = new Adam([early, late], eps: 0);
        for (var step = 0; step < 5; step++)
        {
            using var tape = Tape.Training(Random);
            adam.Step(tape.Gradients(step < 4 ? early.Value.Sum() : (early.Value + late.Value).Sum()), 0.01);
        }
        Near([-0.05], early.Value);
        Near([-0.01], late.Value);   // with the others' count the correction would be too small, and the step another
    }

    [Fact]
    public void Without_memory_every_step_has_the_length_of_the_rate()
    {
        // Both betas may be 0: the means are then the last gradient and its square.
        var p = new Parameter("p", Vector(0, 0));
        var adam = new Adam([p], beta1: 0, beta2: 0, eps: 0);
        foreach (var (slopes, expected) in ((double[], double[])[])[([2, -3], [-0.1, 0.1]), ([-1e3, -5], [0, 0.2]),
            ([4, 1e-3], [-0.1, 0.1])])
        {
            using var tape = Tape.Training(Random);
            adam.Step(tape.Gradients((p.Value * Vector(slopes)).Sum()), 0.1);
            Near(expected, p.Value);
        }
    }

    [Fact]
    public void An_eps_that_squares_in_float_would_decide_is_refused()
    {
        var p = new Parameter("p", Vector(0));
        foreach (var eps in (double[])[0, 1e-16, 1]) Assert.Equal(0, new Adam([p], eps: eps).Steps);
        foreach (var eps in (double[])[-1e-8, 1e-17, double.NaN, double.PositiveInfinity])
        {
            Throws<ArgumentOutOfRangeException>(() => new Adam([p], eps: eps), "eps is at least 1e-16, or 0");
            Throws<ArgumentOutOfRangeException>(() => new AdamW([p], eps: eps), "eps is at least 1e-16, or 0");
        }
    }
}
