using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class DivideOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check((a, b) => a / b, Input.Any, Input.Any.AwayFrom(0));

    [Fact]
    public void ObeysTheLawsWithNumbers() => OperationLaws.Check(x => 2 / x + x / 3, Input.Any.AwayFrom(0));

    [Fact]
    public void DividesWithBroadcasting() => OnBothDevices(() =>
    {
        Gives(Of([2, 1], 6, 12) / Vector(1, 2, -3), new Shape(2, 3), 6, 3, -2, 12, 6, -4);
        Gives(Vector(1, -1, 0) / Vector(0, 0, 0), double.PositiveInfinity, double.NegativeInfinity, double.NaN);
        Gives(1 / Vector(2, 4), 0.5, 0.25);
        Gives(Vector(2, 4) / 4, 0.5, 1);
    });

    // d(a/b)/da = 1/b = 1/2, d(a/b)/db = -a/b^2 = -6/4.
    [Fact]
    public void GradientsByHand() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0] / x[1], [Vector(6), Vector(2)]);
        Gives(gradients[0], 0.5);
        Gives(gradients[1], -1.5);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => _ = Counting(2, 3) / Counting(2), "divide", "[2, 3]", "[2]");
}
