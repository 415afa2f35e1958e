using FsCheck.Xunit;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>The slow weights against their formula, in the loop that one would write by hand.</summary>
public sealed class LookaheadTests : EngineTest
{
    // Weights that an optimizer moves at random, and what is remembered beside them.
    [Property(MaxTest = 60)]
    public void Every_fifth_step_and_the_last_are_those_of_the_formula(int seed, byte number)
    {
        using var _ = Tapegrad.Devices.Device.Use(Tapegrad.Devices.Device.Reference);
        var (random, steps) = (new RandomSource(seed), 1 + number % 23);
        var (p, q) = (new Parameter("p", Vector(random.Normal(0), random.Normal(1))),
            new Parameter("q", Vector(random.Normal(2)), trainable: false));
        double[] fast = [.. p.Value.ToDoubles(), .. q.Value.ToDoubles()], slow = [.. fast];
        var lookahead = new Lookahead([p, q], steps);
        for (var step = 0; step < steps; step++)
        {
            for (var i = 0; i < 3; i++) fast[i] += random.Split(step).Normal(i);
            (p.Value, q.Value) = (Vector(fast[..2]), Vector(fast[2..]));
            lookahead.Update(step);
            var t = step + 1;
            if (t % 5 == 0)
            {
                var d = Math.Pow(0.95, 5) * Math.Pow(1.0 * t / steps, 3);
                for (var i = 0; i < 3; i++) fast[i] = slow[i] = d * slow[i] + (1 - d) * fast[i];
            }
            if (t == steps && t > 5) fast = slow;
            Near(fast[..2], p.Value);
            Near(fast[2..], q.Value);
            Near(slow[..2], lookahead.State[0].Value);
            Near(slow[2..], lookahead.State[1].Value);
        }
    }

    [Fact]
    public void Its_state_is_named_after_the_weights_and_nothing_is_recorded()
    {
        var p = new Parameter("p", Vector(3));
        var lookahead = new Lookahead([p], 5);
        var slow = Assert.Single(lookahead.State);
        Assert.Equal(("p.slow", false), (slow.Name, slow.IsTrainable));
        using var tape = Tape.Training(Random);
        var count = tape.Count;
        lookahead.Update(4);
        Assert.Equal(count, tape.Count);
        Throws<ArgumentOutOfRangeException>(() => new Lookahead([p], 0), "steps");
    }

    // Nothing but the step and the slow weights matters.
    [Fact]
    public void Another_one_goes_on_where_one_stopped()
    {
        double[] End(int stop)
        {
            var p = new Parameter("p", Vector(1, 2));
            var lookahead = new Lookahead([p], 13);
            for (var step = 0; step < 13; step++)
            {
                if (step == stop)
                {
                    var resumed = new Lookahead([p], 13);
                    resumed.State[0].Value = lookahead.State[0].Value;
                    lookahead = resumed;
                }
                p.Value = p.Value * 0.5 + step;
                lookahead.Update(step);
            }
            return p.Value.ToDoubles();
        }
        foreach (var stop in Enumerable.Range(0, 13)) Assert.Equal(End(-1), End(stop));
    }
}
