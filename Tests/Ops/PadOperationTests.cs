using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class PadOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Pad([1, 0, 2], [0, 3, 1]), Input.Of("a b c"));

    [Fact]
    public void ObeysTheLawsWithAnotherFrame() => OperationLaws.Check(x => x.Pad([1], [2], 7).Square(), Input.Of("a"));

    [Fact]
    public void PutsAFrameAround() => OnBothDevices(() =>
    {
        Gives(Of([1, 2], 1, 2).Pad([1, 0], [0, 2]), new Shape(2, 4), 0, 0, 0, 0, 1, 2, 0, 0);
        Gives(Vector(1).Pad([1], [1], 5), 5, 1, 5);
        Gives(Of([0]).Pad([1], [1]), 0, 0);
    });

    [Fact]
    public void TheGradientIsWhatLiesInside() =>
        OnBothDevices(() => Gives(Gradient(x => x.Pad([1], [2]), Vector(1, 2), 1, 2, 3, 4, 5), 2, 3));

    [Fact]
    public void RefusesWhatIsNoFrame()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Pad([1], [1]), "pad", "[2, 3]", "2 axes");
        Refuses<ShapeException>(() => Counting(2, 3).Pad([0, -1], [0, 0]), "pad", "axis 1", "[2, 3]", "-1");
    }
}
