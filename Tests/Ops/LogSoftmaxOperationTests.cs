using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class LogSoftmaxOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.LogSoftmax(), Input.Of(".. K"));

    // e^0 : e^(log 3) = 1 : 3.
    [Fact]
    public void GivesTheLogarithmsOfTheProbabilities() => OnBothDevices(() =>
        Gives(Of([2, 2], 0, Math.Log(3), 5, 5).LogSoftmax(), new Shape(2, 2), Math.Log(0.25), Math.Log(0.75),
            Math.Log(0.5), Math.Log(0.5)));

    [Fact]
    public void LargeNumbersDoNotOverflow() => OnBothDevices(() =>
    {
        Gives(Of([1, 2], 1e4, 0).LogSoftmax(), new Shape(1, 2), 0, -1e4);
        Gives(Vector(-1e4, -1e4 + 1).LogSoftmax(), -Math.Log(1 + Math.E), 1 - Math.Log(1 + Math.E));
    });

    // d/dx_j of log p_0 = [j = 0] - p_j.
    [Fact]
    public void GradientByHand() =>
        OnBothDevices(() => Gives(Gradient(x => x.LogSoftmax(), Vector(0, Math.Log(3)), 1, 0), 0.75, -0.75));

    // The gradient of the unlikely class is minus its probability, e^-60 / (3 + e^-60): small, and to all its digits,
    // which the power of its logarithm, -60 - log 3, does not have.
    [Fact]
    public void ASmallProbabilityKeepsItsDigits() => OnBothDevices(() =>
    {
        var gradient = Gradient(x => x.LogSoftmax(), Vector(0, 0, 0, -60), 1, 0, 0, 0).ToDoubles();
        Assert.Equal(-1, gradient[3] * 3 / Math.Exp(-60), 3e-7);
    });

    [Fact]
    public void IsOneRecord()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Counting(2, 3));
        x.LogSoftmax();
        Assert.Equal(2, tape.Count);   // the other is x
    }

    [Fact]
    public void RefusesAnEmptyAxis()
    {
        Refuses<ShapeException>(() => Counting(2, 0).LogSoftmax(), "log-softmax", "[2, 0]");
        Refuses<ShapeException>(() => Tensor.Scalar(1).LogSoftmax(), "log-softmax", "[]");
    }
}
