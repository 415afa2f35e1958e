using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>Every schedule, step by step, against its formula.</summary>
public sealed class LearningRateTests : EngineTest
{
    // The recipe of the PyTorch run that the training program is compared with:
    // warm = max(1, int(.05 * total)); lr * ((s + 1) / warm if s < warm else .5 * (1 + cos(pi * (s - warm) / (total -
    // warm))))
    [Theory]
    [InlineData(1170, 0.05)]   // 3 epochs of 390 steps
    [InlineData(11700, 0.05)]
    [InlineData(100, 0.29)]    // 0.29 * 100 is 28.999999999999996 in double: truncated, not rounded
    [InlineData(7, 0.05)]      // less than one step of warm-up becomes one
    [InlineData(2, 0.5)]
    public void Cosine_with_warm_up_equals_the_recipe_at_every_step(int total, double share)
    {
        var rate = LearningRate.Cosine(0.1, total, share);
        var warm = Math.Max(1, (int)(share * total));
        for (var s = 0; s < total; s++)
            Near(0.1 * (s < warm ? (double)(s + 1) / warm
                : 0.5 * (1 + Math.Cos(Math.PI * (s - warm) / (total - warm)))), rate[s],
                1e-15);
    }

    [Fact]
    public void Cosine_at_the_steps_that_matter()
    {
        var rate = LearningRate.Cosine(0.1, steps: 1170, warmup: 0.05);   // 58 steps of warm-up
        Near(0.1 / 58, rate[0]);
        Near(0.1 * 57 / 58, rate[56]);
        Near(0.1, rate[57]);
        Near(0.1, rate[58]);
        Near(0.05, rate[(58 + 1170) / 2]);
        Assert.True(rate[1169] is > 0 and < 1e-6);
        Assert.Equal(0, rate[1170]);
        Assert.Equal(0, rate[5000]);   // never rises again
    }

    // Ten steps, of which 30 % rise: to the top in two steps, then down in seven.
    [Fact]
    public void One_cycle_rises_from_a_25th_and_falls_to_next_to_nothing()
    {
        var rate = LearningRate.OneCycle(0.5, steps: 10);
        Near([0.02, 0.26, 0.5], Vector(rate[0], rate[1], rate[2]));
        for (var step = 2; step < 10; step++)
        {
            var share = 0.5 * (1 + Math.Cos(Math.PI * (step - 2) / 7));
            Near(2e-6 + (0.5 - 2e-6) * share, rate[step]);
        }
        Near(2e-6, rate[9]);
        Near(2e-6, rate[1000]);
        Near(0.5, LearningRate.OneCycle(0.5, 4, rise: 1)[3]);
        Near(0.02, LearningRate.OneCycle(0.5, 4, rise: 1)[0]);
        Near(0.5, LearningRate.OneCycle(0.5, 4, rise: 0.25)[0]);   // the first step is the top
        Assert.All(Enumerable.Range(0, 20), step => Assert.InRange(LearningRate.OneCycle(1, 20, 0)[step], 4e-6, 1));
        foreach (var wrong in (double[])[-0.1, 1.1, double.NaN])
            Throws<ArgumentOutOfRangeException>(() => LearningRate.OneCycle(0.1, 10, wrong), "rise");
        Throws<ArgumentOutOfRangeException>(() => LearningRate.OneCycle(-1, 10), "learning rate");
        Throws<ArgumentOutOfRangeException>(() => LearningRate.OneCycle(1, 0), "at least one step");
    }

    // As the paper's program makes it: lines between the points (0, 0.2), (top, 1) and (steps, 0.07).
    [Theory]
    [InlineData(476, 0.23)]   // 9.9 epochs of 48 steps and a part
    [InlineData(480, 0.5)]
    [InlineData(7, 0.23)]
    [InlineData(3, 0.23)]     // no step rises
    [InlineData(10, 1)]       // all do
    [InlineData(1, 0.5)]
    public void Triangular_is_two_lines(int steps, double rise)
    {
        var rate = LearningRate.Triangular(1.5, steps, rise);
        var top = (int)(rise * steps);
        for (var step = 0; step <= steps; step++)
        {
            var share = step < top ? (double)step / top : steps == top ? 0 : (double)(step - top) / (steps - top);
            Near(1.5 * (step < top ? 0.2 * (1 - share) + share : 1 - share + 0.07 * share), rate[step], 1e-14);
        }
        if (top < steps) Near(1.5 * 0.07, rate[steps + 100], 1e-14);   // never rises again
        Assert.True(Enumerable.Range(0, steps - 1).All(step => (rate[step + 1] > rate[step]) == (step < top)));
    }

    [Fact]
    public void Triangular_at_the_steps_that_matter()
    {
        var rate = LearningRate.Triangular(1, steps: 100);
        Near([0.2, 0.6, 1, 1 - 0.93 / 77], Vector(rate[0], (rate[11] + rate[12]) / 2, rate[23], rate[24]));
        Near(0.07 + 0.93 / 77, rate[99]);
        foreach (var wrong in (double[])[-0.1, 1.1, double.NaN])
            Throws<ArgumentOutOfRangeException>(() => LearningRate.Triangular(0.1, 10, wrong), "rise");
        Throws<ArgumentOutOfRangeException>(() => LearningRate.Triangular(-1, 10), "learning rate");
        Throws<ArgumentOutOfRangeException>(() => LearningRate.Triangular(1, 0), "at least one step");
    }

    [Fact]
    public void Cosine_without_warm_up_begins_at_the_top()
    {
        var rate = LearningRate.Cosine(0.1, steps: 10);
        Near(0.1, rate[0]);
        Near(0.05, rate[5]);
        Near(0.1 * 0.5 * (1 + Math.Cos(Math.PI * 0.9)), rate[9]);
    }

    [Fact]
    public void Constant()
    {
        var rate = LearningRate.Constant(0.3);
        foreach (var step in (int[])[0, 1, 1_000_000]) Assert.Equal(0.3, rate[step]);
        var warm = LearningRate.Constant(0.3, steps: 40, warmup: 0.1);
        Near([0.075, 0.15, 0.225, 0.3, 0.3, 0.3], Vector([.. Enumerable.Range(0, 6).Select(step => warm[step])]));
    }

    [Fact]
    public void Multi_step_falls_at_each_milestone()
    {
        var rate = LearningRate.MultiStep(0.1, [10, 20, 20], factor: 0.5);
        Near(0.1, rate[9]);
        Near(0.05, rate[10]);
        Near(0.05, rate[19]);
        Near(0.0125, rate[20]);
        Near(0.0125, rate[1000]);
        Near(0.001, LearningRate.MultiStep(0.1, [1, 2])[2]);   // the factor is 0.1 unless given
        var warm = LearningRate.MultiStep(0.1, [2, 10], steps: 20, warmup: 0.2);
        // a milestone within the warm-up counts after it
        Near([0.025, 0.05, 0.075, 0.1, 0.01], Vector([.. Enumerable.Range(0, 5).Select(step => warm[step])]));
    }

    [Fact]
    public void A_rate_of_0_and_a_run_of_one_step_are_allowed()
    {
        Assert.Equal(0, LearningRate.Constant(0)[7]);
        Assert.Equal(0.1, LearningRate.Cosine(0.1, steps: 1)[0]);
        Assert.Equal(0, LearningRate.Cosine(0.1, steps: 1)[1]);
    }

    [Fact]
    public void A_warm_up_over_everything() =>
        Near([0.05, 0.1, 0.1],
            Vector([.. Enumerable.Range(0, 3).Select(step => LearningRate.Cosine(0.1, 2, 1)[step])]));

    [Fact]
    public void Impossible_schedules_are_refused()
    {
        foreach (var wrong in (double[])[-0.1, double.NaN, double.PositiveInfinity])
        {
            Throws<ArgumentOutOfRangeException>(() => LearningRate.Constant(wrong), "learning rate");
            Throws<ArgumentOutOfRangeException>(() => LearningRate.MultiStep(wrong, [1]), "learning rate");
            Throws<ArgumentOutOfRangeException>(() => LearningRate.Cosine(wrong, 10), "learning rate");
        }
        Throws<ArgumentOutOfRangeException>(() => LearningRate.Cosine(0.1, 0), "at least one step");
        Throws<ArgumentNullException>(() => LearningRate.Constant(0.1, warmup: 0.1), "how many");
        Throws<ArgumentNullException>(() => LearningRate.MultiStep(0.1, [5], warmup: 0.1), "how many");
        foreach (var wrong in (double[])[-0.1, 1.1, double.NaN]) Throws<ArgumentOutOfRangeException>(() =>
            LearningRate.Cosine(0.1, 10, wrong), "warm-up");
        Throws<ArgumentOutOfRangeException>(() => _ = LearningRate.Cosine(0.1, 10)[-1], "step");
    }
}
