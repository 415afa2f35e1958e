using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class BroadcastOperationTests
{
    [Fact]
    public void ObeysTheLaws() =>
        OperationLaws.Check(x => x.BroadcastTo(new Shape(2, x.Shape[0], 3, x.Shape[2])), Input.Of("a 1 b"));

    [Fact]
    public void ObeysTheLawsForANumber() => OperationLaws.Check(x => x.BroadcastTo(new Shape(3, 2)), Input.Of(""));

    [Fact]
    public void Repeats() => OnBothDevices(() =>
    {
        Gives(Of([2, 1], 1, 2).BroadcastTo(new Shape(2, 3)), new Shape(2, 3), 1, 1, 1, 2, 2, 2);
        Gives(Vector(1, 2).BroadcastTo(new Shape(2, 2)), new Shape(2, 2), 1, 2, 1, 2);
        Gives(Of([1, 2], 1, 2).BroadcastTo(new Shape(0, 2)), new Shape(0, 2));
    });

    [Fact]
    public void TheGradientIsTheSumOverTheRepetitions() => OnBothDevices(() =>
        Gives(Gradient(x => x.BroadcastTo(new Shape(2, 3)), Of([2, 1], 1, 2), 1, 2, 3, 4, 5, 6), new Shape(2, 1),
            6, 15));

    [Fact]
    public void RefusesOtherShapes()
    {
        Refuses<ShapeException>(() => Counting(2, 3).BroadcastTo(new Shape(2, 6)), "broadcast", "[2, 3]", "[2, 6]");
        Refuses<ShapeException>(() => Counting(2, 3).BroadcastTo(new Shape(3)), "broadcast", "[2, 3]", "[3]");
    }
}
