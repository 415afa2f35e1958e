using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Who hears of the tape, its mode and its random numbers, and how it prints.</summary>
public sealed class TapeTests : EngineTest
{
    // ---- watching ---------------------------------------------------------------------------------------------------

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
            [("multiply", "a", false), ("sum", null, false), ("sum", null, true), ("multiply", "a", true),
                ("parameter", "a", true)];
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

    // ---- mode and randomness ----------------------------------------------------------------------------------------

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

    // ---- printing ---------------------------------------------------------------------------------------------------

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
