using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MaxOperationTests
{
    [Fact]
    public void ObeysTheLaws()
    {
        OperationLaws.Check(x => x.Max(1), Input.Of("n K c").Distinct());
        OperationLaws.Check(x => x.Max([0, -1], keepAxes: true), Input.Of("N m C").Distinct());
        OperationLaws.Check(x => x.Max(), Input.Of("M N").Distinct());
        OperationLaws.Check(x => x.Min(1), Input.Of("n K c").Distinct());
        OperationLaws.Check(x => x.Min([0], keepAxes: true), Input.Of("N m").Distinct());
    }

    [Fact]
    public void TakesTheLargestAndTheSmallest() => OnBothDevices(() =>
    {
        var x = Of([2, 3], 1, 5, 3, -4, -6, double.NegativeInfinity);
        Gives(x.Max(1), 5, -4);
        Gives(x.Max(0), 1, 5, 3);
        Gives(x.Max(), Shape.Scalar, 5);
        Gives(x.Max([1], keepAxes: true), new Shape(2, 1), 5, -4);
        Gives(x.Min(1), 1, double.NegativeInfinity);
        Gives(x.Min([0], keepAxes: true), new Shape(1, 3), -4, -6, double.NegativeInfinity);
        Gives(x.Min(), Shape.Scalar, double.NegativeInfinity);
        Gives(Of([2, 2], 1, double.NaN, 1, 2).Max(1), double.NaN, 2);
        Gives(Of([2, 2], 1, double.NaN, 1, 2).Min(1), double.NaN, 1);
    });

    [Fact]
    public void EqualsShareTheGradient() => OnBothDevices(() =>
    {
        Gives(Gradient(x => x.Max(1), Of([2, 3], 7, 1, 7, 1, 2, 3), 10, 20), new Shape(2, 3), 5, 0, 5, 0, 0, 20);
        Gives(Gradient(x => x.Min(), Of([3], 1, 1, 2), 10), 5, 5, 0);
        Gives(Gradient(x => x.Max(0), Of([2, 1], 1, 2), double.PositiveInfinity), new Shape(2, 1), 0,
            double.PositiveInfinity);
    });

    [Fact]
    public void OfNothingThereIsNoLargest()
    {
        Refuses<ShapeException>(() => Of([2, 0]).Max(1), "max", "(1)", "[2, 0]");
        Refuses<ShapeException>(() => Of([0]).Min(), "max", "[0]");
        Gives(Of([0, 2]).Max(1), new Shape(0));
        Refuses<ShapeException>(() => Counting(2, 2).Max(2), "axis 2", "[2, 2]");
    }
}
