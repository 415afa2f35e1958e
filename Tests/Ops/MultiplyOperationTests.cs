using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MultiplyOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check((a, b) => a * b, Input.Any, Input.Any);

    [Fact]
    public void ObeysTheLawsWithItself() => OperationLaws.Check(x => 2 * x * x * 0.5, Input.Any);

    [Fact]
    public void MultipliesWithBroadcasting() => OnBothDevices(() =>
    {
        Gives(Of([2, 1], 10, 20) * Vector(1, 2, 3), new Shape(2, 3), 10, 20, 30, 20, 40, 60);
        Gives(2 * Vector(1, 2), 2, 4);
        Gives(Vector(1, 2) * -0.5, -0.5, -1);
    });

    [Fact]
    public void EachOperandIsTheOthersDerivative() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0] * x[1], [Vector(2, 3), Vector(5, 7)], 1, 10);
        Gives(gradients[0], 5, 70);
        Gives(gradients[1], 2, 30);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => _ = Counting(2, 3) * Counting(2), "multiply", "[2, 3]", "[2]");
}
