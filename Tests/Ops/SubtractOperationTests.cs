using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SubtractOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check((a, b) => a - b, Input.Any, Input.Any);

    [Fact]
    public void ObeysTheLawsWithNumbers() => OperationLaws.Check(x => (2 - x) * (x - 3), Input.Any);

    [Fact]
    public void SubtractsWithBroadcasting() => OnBothDevices(() =>
    {
        Gives(Of([2, 1], 10, 20) - Vector(1, 2, 3), new Shape(2, 3), 9, 8, 7, 19, 18, 17);
        Gives(1 - Vector(1, 3), 0, -2);
        Gives(Vector(1, 3) - 1, 0, 2);
    });

    [Fact]
    public void TheSecondOperandGetsTheNegatedGradient() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0] - x[1], [Of([2, 1], 10, 20), Vector(1, 2, 3)], 1, 2, 3, 4, 5, 6);
        Gives(gradients[0], new Shape(2, 1), 6, 15);
        Gives(gradients[1], -5, -7, -9);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => _ = Counting(2, 3) - Counting(2), "subtract", "[2, 3]", "[2]");
}
