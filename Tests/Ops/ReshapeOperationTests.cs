using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ReshapeOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Reshape(x.Shape[1], x.Shape[0] * 2), Input.Of("a b 2"));

    [Fact]
    public void ObeysTheLawsWithALengthThatFollows() => OperationLaws.Check(x => x.Reshape(-1, 3), Input.Of("a B 3"));

    [Fact]
    public void KeepsTheOrder() => OnBothDevices(() =>
    {
        Gives(Counting(2, 3).Reshape(3, 2), new Shape(3, 2), 0, 1, 2, 3, 4, 5);
        Gives(Counting(2, 3).Reshape(-1), 0, 1, 2, 3, 4, 5);
        Gives(Of([1, 1], 7).Reshape(), new Shape(), 7);
    });

    [Fact]
    public void TheGradientIsReshapedBack() => OnBothDevices(() =>
        Gives(Gradient(x => x.Reshape(3, 2), Counting(2, 3), 1, 2, 3, 4, 5, 6), new Shape(2, 3), 1, 2, 3, 4, 5, 6));

    [Fact]
    public void RefusesAnotherNumberOfElements()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Reshape(4), "reshape", "[2, 3]", "[4]");
        Refuses<ShapeException>(() => Counting(2, 3).Reshape(-1, 4), "reshape", "[2, 3]", "-1");
        Refuses<ShapeException>(() => Counting(2, 3).Reshape(-1, -1), "reshape", "[2, 3]", "-1");
        Refuses<ShapeException>(() => Counting(0, 3).Reshape(-1, 0), "reshape", "[0, 3]", "-1");
    }
}
