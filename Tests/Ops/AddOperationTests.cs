using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class AddOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check((a, b) => a + b, Input.Any, Input.Any);

    [Fact]
    public void ObeysTheLawsWithNumbers() => OperationLaws.Check(x => 2 + x + 0.5, Input.Any);

    [Fact]
    public void AddsWithBroadcasting() => OnBothDevices(() =>
    {
        Gives(Of([2, 1], 10, 20) + Vector(1, 2, 3), new Shape(2, 3), 11, 12, 13, 21, 22, 23);
        Gives(1 + Vector(1, 2), 2, 3);
        Gives(Vector(1, 2) + 0.5, 1.5, 2.5);
    });

    [Fact]
    public void ARepeatedOperandGetsTheSumOfItsGradients() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0] + x[1], [Of([2, 1], 10, 20), Vector(1, 2, 3)], 1, 2, 3, 4, 5, 6);
        Gives(gradients[0], new Shape(2, 1), 1 + 2 + 3, 4 + 5 + 6);
        Gives(gradients[1], 1 + 4, 2 + 5, 3 + 6);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => _ = Counting(2, 3) + Counting(2), "add", "[2, 3]", "[2]");

    [Fact]
    public void RefusesTensorsOfTwoDevices()
    {
        var ours = Vector(1);
        using (Device.Use(Device.Reference))
            Refuses<InvalidOperationException>(() => _ = ours + Vector(1), "add", "CPU", Device.Reference.Name);
    }
}
