using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class VarianceOperationTests
{
    [Fact]
    public void ObeysTheLaws()
    {
        OperationLaws.Check(x => x.Variance(1), Input.Of("n K c"));
        OperationLaws.Check(x => x.Variance([0, -1], keepAxes: true, unbiased: true), Input.Of("N+1 m C"));
        OperationLaws.Check(x => x.Variance(), Input.Of("M N"));
    }

    // Around their mean 3, the numbers 1, 2, 6 lie at -2, -1, 3: squares 4 + 1 + 9 = 14.
    [Fact]
    public void IsTheMeanSquareAroundTheMean() => OnBothDevices(() =>
    {
        var x = Of([2, 3], 1, 2, 6, 5, 5, 5);
        Gives(x.Variance(1), 14 / 3.0, 0);
        Gives(x.Variance([1], keepAxes: true, unbiased: true), new Shape(2, 1), 7, 0);
        Gives(x.Variance(0), 4, 2.25, 0.25);
        Gives(Vector(1, 3).Variance(), Shape.Scalar, 1);
        Gives(Vector(4).Variance(), Shape.Scalar, 0);
    });

    [Fact]
    public void ALargeMeanCostsNoDigits() =>
        OnBothDevices(() => Gives((Vector(1, 2, 6) + 4096).Variance(), Shape.Scalar, 14 / 3.0));

    [Fact]
    public void ItsGradient() => OnBothDevices(() =>
    {
        Gives(Gradient(x => x.Variance(), Vector(1, 2, 6), 3), -4, -2, 6);
        Gives(Gradient(x => x.Variance([0], keepAxes: false, unbiased: true), Vector(1, 2, 6), 1), -2, -1, 3);
    });

    [Fact]
    public void OfTooFewThereIsNone()
    {
        Refuses<ShapeException>(() => Of([2, 0]).Variance(1), "[2, 0]");
        Refuses<ShapeException>(() => Counting(2, 1).Variance([1], keepAxes: false, unbiased: true), "variance",
            "[2, 1]", "(1)", "two");
        Gives(Of([0, 2]).Variance(1), new Shape(0));
    }
}
