using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class StackOperationTests
{
    [Fact]
    public void ObeysTheLaws()
    {
        foreach (var axis in (int[])[0, 1, -1])
            OperationLaws.Check((x, y) => x.Stack(axis, y, x.Square()), Input.Of("n c"), Input.Of("n c"));
    }

    [Fact]
    public void PutsOneBesideTheOther() => OnBothDevices(() =>
    {
        var (a, b) = (Vector(1, 2, 3), Vector(4, 5, 6));
        Gives(a.Stack(0, b), new Shape(2, 3), 1, 2, 3, 4, 5, 6);
        Gives(a.Stack(1, b), new Shape(3, 2), 1, 4, 2, 5, 3, 6);
        Gives(a.Stack(-1, b), new Shape(3, 2), 1, 4, 2, 5, 3, 6);
        Gives(a.Stack(-2), new Shape(1, 3), 1, 2, 3);
        Gives(Tensor.Scalar(7).Stack(0, Tensor.Scalar(8)), 7, 8);
    });

    [Fact]
    public void EachPartGetsItsSliceOfTheGradient() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0].Stack(1, x[1]), [Vector(1, 2), Vector(3, 4)], 10, 20, 30, 40);
        Gives(gradients[0], 10, 30);
        Gives(gradients[1], 20, 40);
    });

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        Refuses<ShapeException>(() => Vector(1, 2).Stack(0, Vector(1)), "stack", "[2]", "[1]");
        Refuses<ShapeException>(() => Vector(1, 2).Stack(2, Vector(1, 2)), "stack", "2", "[2]", "-2 to 1");
    }
}
