using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Gradients of one value are added where the first of them waits, unless somebody else reads it; and one that nobody
/// asks for is not computed.
/// </summary>
public sealed class GradientSumTests : SweepTest
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Later_gradients_are_added_into_the_first_ones_buffer(bool release)
    {
        using var tape = Tape.Training(Random);
        var parts = new List<Tensor>();
        var buffers = new List<object>();
        Tensor Times(double factor) => Tape.Record("times", (p.Value * factor).StopGradient(), (p.Value, (_, g) =>
        {
            parts.Add(g * factor);
            buffers.Add(parts[^1].Buffer);
            return parts[^1];
        }
        ));
        var sum = tape.Gradients(Loss(Times(2) * Times(3) * Times(5)), release)[p];
        Near([3 * 30 * 4, 10 * 3 * 30 * 9], sum);
        Assert.Same(buffers[0], sum.Buffer);
        Assert.All(parts, part => Assert.False(part.Storage.IsHere));   // the first one's numbers are the sum's now
    }

    [Fact]
    public void Nothing_is_added_into_a_gradient_that_somebody_else_reads()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(2, 3));
        var (a, b) = (x.Square(), Vector(4, 5));
        Tensor? kept = null;
        Tensor Same(Tensor v) => Tape.Record("same", v.View(v.Shape), (v, (_, g) => g));
        Tensor Keeping(Tensor v) => Tape.Record("keeping", v.View(v.Shape), (v, (_, g) => kept = (g * 7).Keep()));
        // The seed reaches x first and unchanged; the gradient of a, which was asked for too, is handed on to x.
        var seed = Vector(10, 20);
        var found = tape.Gradients(Keeping(Same(a)) + Same(x) + x * b, [x, a], seed);
        Near([10 * (7 * 4 + 1 + 4), 20 * (7 * 6 + 1 + 5)], found[0]);
        Near([70, 140], found[1]);
        Near([10, 20], seed);
        Near([70, 140], kept!);
        var y = Same(Keeping(a)) + Same(a) + a;
        Near([90, 180], tape.Gradients(y, [a], seed)[0]);
        Near([70, 140], kept!);
    }

    [Fact]
    public void The_gradient_of_the_input_of_the_first_layer_is_not_computed()
    {
        var (w1, w2) = (new Parameter("w1", Tensor.Ones(new(3, 3, 2, 3))),
            new Parameter("w2", Tensor.Ones(new(3, 3, 3, 1))));
        using var tape = Tape.Training(Random);
        var loss = Tensor.Ones(new(1, 5, 5, 2)).Conv2d(w1.Value).Conv2d(w2.Value).Sum();
        // so that the sweep's operations stand on the tape
        tape.Gradients(loss, [w1.Value, w2.Value], createGraph: true);
        var records = tape.Print();
        Assert.Equal(1, records.Split("conv2d input gradient").Length - 1);
        Assert.Equal(2, records.Split("conv2d weight gradient").Length - 1);
    }
}
