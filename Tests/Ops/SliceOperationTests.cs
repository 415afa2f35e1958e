using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SliceOperationTests
{
    [Theory]
    [InlineData(1, 0, 3, 1)]
    [InlineData(1, 1, 2, 3)]
    [InlineData(-2, 4, 0, 1)]
    public void ObeysTheLaws(int axis, int start, int length, int step) =>
        OperationLaws.Check(x => x.Slice(axis, start, length, step), Input.Of("a 5 b"));

    [Fact]
    public void ObeysTheLawsForAllAxesAtOnce() =>
        OperationLaws.Check(x => x.Slice([0, 1, 2], [2, 1, 2], [2, 1, 1]), Input.Of("3 3 4"));

    [Fact]
    public void TakesEveryStepthElement() => OnBothDevices(() =>
    {
        Gives(Counting(7).Slice(0, 1, 3, 2), 1, 3, 5);
        Gives(Counting(2, 3).Slice(-1, 2, 1), new Shape(2, 1), 2, 5);
        Gives(Counting(3, 3).Slice([0, 1], [2, 2], [2, 1]), new Shape(2, 2), 1, 2, 7, 8);
        Gives(Counting(3).Slice(0, 3, 0), []);
    });

    [Fact]
    public void TheGradientIsPutBackIntoZeros() =>
        OnBothDevices(() => Gives(Gradient(x => x.Slice(0, 1, 3, 2), Counting(7), 10, 20, 30), 0, 10, 0, 20, 0, 30, 0));

    [Theory]
    [InlineData(0, 4, 1)]
    [InlineData(1, 3, 1)]
    [InlineData(0, 2, 3)]
    [InlineData(-1, 1, 1)]
    [InlineData(4, 0, 1)]
    [InlineData(0, -1, 1)]
    [InlineData(0, 1, 0)]
    public void RefusesWhatLiesOutside(int start, int length, int step) =>
        Refuses<ShapeException>(() => Counting(2, 3).Slice(1, start, length, step), "slice", "axis 1", "[2, 3]");

    [Fact]
    public void RefusesAnotherNumberOfAxes() =>
        Refuses<ShapeException>(() => Counting(2, 3).Slice([0], [1], [1]), "slice", "[2, 3]", "2 axes");
}
