using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// What is recorded on a tape while a scope is open inside it outlives that scope: the tape needs it.
/// </summary>
public sealed class InnerScopeTests : SweepTest
{
    [Fact]
    public void What_is_recorded_in_an_inner_scope_belongs_to_the_tape()
    {
        Tensor square, temporary, loss;
        using var tape = Tape.Training(Random);
        using (new Scope())
        {
            square = p.Value.Square();
            temporary = Vector(1, 2).Square();
            loss = Loss(square * 3 + 1);   // the constants 3, 1 and (1, 10) are needed by the pulls
        }
        Throws<InvalidOperationException>(() => temporary.ToDoubles(), "scope has ended");
        Near([4, 9], square);
        Near(4 * 3 + 1 + 10 * (9 * 3 + 1), loss.ToDouble());
        Near([12, 180], tape.Gradients(loss)[p]);
        tape.Dispose();
        Throws<InvalidOperationException>(() => square.ToDoubles(), "scope has ended");
    }

    [Fact]
    public void Every_operation_can_be_recorded_in_an_inner_scope()
    {
        using var tape = Tape.Training(Random);
        var image = tape.Watch(Tensor.Normal(new(2, 4, 4, 2), Random));
        var weight = tape.Watch(Tensor.Normal(new(3, 3, 2, 4), Random));
        double[]? expected = null;
        foreach (var inner in new[] { false, true })
        {
            Tensor loss;
            var scope = inner ? new Scope() : null;
            var y = image.Conv2d(weight, Vector(1, 2, 3, 4), padding: 1).Normalize(new Sharing(false, true, 2), 1e-5)
                .Relu();
            y = y.MaxPool2d(2) + y.AveragePool2d(2) + y.Slice([0, 0, 0, 0], [2, 2, 2, 4], [1, 2, 2, 1]);
            y = y.Greater(0.3).Where(y * Tensor.Uniform(y.Shape, Random), y.Abs().Sqrt() / 2)
                + 1 / (y.Pad([0, 0, 0, 0], [0, 0, 0, 0]) + 3);
            y = y.Concatenate(-1, y.Sigmoid().Tanh(), y.Exp()).Permute(0, 3, 1, 2).Power(1.5).Mean(2, 3)
                - Vector(5).BroadcastTo(new(2, 12));
            loss = y.MatrixProduct(Tensor.Normal(new(12, 5), Random)).CrossEntropy([1, 4], labelSmoothing: 0.1);
            scope?.Dispose();
            double[] found = [.. tape.Gradients(loss, [image, weight]).SelectMany(g => g.ToDoubles())];
            expected ??= found;
            Assert.Equal(expected, found);
        }
    }

    [Fact]
    public void Gradients_asked_for_in_an_inner_scope_belong_to_the_tape()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2, 3));
        var y = x + 1;
        Tensor[] plain, recorded, constant;
        Gradients ofParameters;
        using (new Scope())
        {
            plain = tape.Gradients(y.Square(), [x]);
            recorded = tape.Gradients(y.Square(), [x], createGraph: true);
            constant = tape.Gradients(y, [x, y]);   // the default seed itself
            ofParameters = tape.Gradients(Loss(p.Value));
        }
        Near([6, 8], plain[0]);
        Near([6, 8], recorded[0]);
        Near([2, 2], tape.Gradients(recorded[0], [x])[0]);
        Near([1, 1], constant[0]);
        Near([1, 1], constant[1]);
        Near([1, 10], ofParameters[p]);
    }

    [Fact]
    public void Statistics_proposed_in_an_inner_scope_belong_to_the_tape()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        using (new Scope()) tape.Propose(statistics, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
        tape.Gradients(Loss(p.Value)).CommitStatistics();
        Assert.Equal((4, 1, 2), statistics.Committed.Single());
    }
}
