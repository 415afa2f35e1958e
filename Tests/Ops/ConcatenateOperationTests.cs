using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ConcatenateOperationTests
{
    [Fact]
    public void ObeysTheLawsAlongAMiddleAxis() =>
        OperationLaws.Check((x, y, z) => x.Concatenate(1, y, z), Input.Of("n a C"), Input.Of("n b C"),
            Input.Of("n 2 C"));

    [Fact]
    public void ObeysTheLawsAlongTheLastAxis() =>
        OperationLaws.Check((x, y) => x.Concatenate(-1, y), Input.Of("m n a"), Input.Of("m n b"));

    [Fact]
    public void ATensorMayComeTwice() => OperationLaws.Check(x => x.Concatenate(0, x.Square(), x), Input.Of("a b"));

    [Fact]
    public void PutsOneBehindTheOther() => OnBothDevices(() =>
    {
        var (a, b) = (Of([2, 2], 1, 2, 3, 4), Of([2, 1], 10, 20));
        Gives(a.Concatenate(1, b, a), new Shape(2, 5), 1, 2, 10, 1, 2, 3, 4, 20, 3, 4);
        Gives(a.Concatenate(0, Of([1, 2], 5, 6)), new Shape(3, 2), 1, 2, 3, 4, 5, 6);
        Gives(a.Concatenate(1, Of([2, 0])), new Shape(2, 2), 1, 2, 3, 4);
    });

    [Fact]
    public void EachPartGetsItsSliceOfTheGradient() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0].Concatenate(1, x[1]), [Of([2, 2], 1, 2, 3, 4), Of([2, 1], 10, 20)], 1, 2, 3,
            4, 5, 6);
        Gives(gradients[0], new Shape(2, 2), 1, 2, 4, 5);
        Gives(gradients[1], new Shape(2, 1), 3, 6);
    });

    [Fact]
    public void RefusesPartsThatDiffer()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Concatenate(1, Counting(3, 3)), "concatenate", "[2, 3]", "[3, 3]",
            "axis 1");
        Refuses<ShapeException>(() => Counting(2, 3).Concatenate(0, Counting(3)), "concatenate", "[2, 3]", "[3]");
        Refuses<ShapeException>(() => Counting(2, 3).Concatenate(2, Counting(2, 3)), "axis 2", "[2, 3]");
    }
}
