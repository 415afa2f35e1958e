using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class PermuteOperationTests
{
    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(2, 0, 1)]
    [InlineData(-1, 1, 0)]
    public void ObeysTheLaws(params int[] order) => OperationLaws.Check(x => x.Permute(order), Input.Of("a b c"));

    [Fact]
    public void ReordersTheAxes() => OnBothDevices(() =>
    {
        Gives(Counting(2, 3).Permute(1, 0), new Shape(3, 2), 0, 3, 1, 4, 2, 5);
        // [2, 2, 3] -> [3, 2, 2]: element (i, j, k) of the result is element (j, k, i) of x, 6 j + 3 k + i.
        Gives(Counting(2, 2, 3).Permute(2, 0, 1), new Shape(3, 2, 2), 0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11);
    });

    [Fact]
    public void TheGradientIsPermutedBack() => OnBothDevices(() =>
        Gives(Gradient(x => x.Permute(2, 0, 1), Counting(1, 2, 3), 1, 2, 3, 4, 5, 6), new Shape(1, 2, 3), 1, 3, 5,
            2, 4, 6));

    [Fact]
    public void RefusesWhatIsNoOrder()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Permute(0), "permute", "(0)", "[2, 3]");
        Refuses<ShapeException>(() => Counting(2, 3).Permute(0, 0), "axis 0", "twice", "[2, 3]");
        Refuses<ShapeException>(() => Counting(2, 3).Permute(0, 2), "axis 2", "[2, 3]");
    }
}
