using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SumOperationTests
{
    [Theory]
    [InlineData()]
    [InlineData(1)]
    [InlineData(0, 2)]
    [InlineData(-1, -2)]
    public void ObeysTheLaws(params int[] axes) => OperationLaws.Check(x => x.Sum(axes), Input.Of("a b c"));

    [Theory]
    [InlineData()]
    [InlineData(1)]
    [InlineData(0, 2)]
    public void ObeysTheLawsWithKeptAxes(params int[] axes) =>
        OperationLaws.Check(x => x.Sum(axes, keepAxes: true), Input.Of("a b c"));

    [Fact]
    public void SumToObeysTheLaws() => OperationLaws.Check(x => x.SumTo(new Shape(1, x.Shape[2])), Input.Of("a b c"));

    [Fact]
    public void AddsUp() => OnBothDevices(() =>
    {
        Gives(Counting(2, 3).Sum(), new Shape(), 15);
        Gives(Counting(2, 3).Sum(0), 3, 5, 7);
        Gives(Counting(2, 3).Sum(1), 3, 12);
        Gives(Counting(2, 3).Sum([1], keepAxes: true), new Shape(2, 1), 3, 12);
        Gives(Counting(2, 3).Sum([], keepAxes: true), new Shape(1, 1), 15);
        Gives(Counting(2, 1, 2).Sum(0, -1), new Shape(1), 6);
        Gives(Counting(2, 2, 3).SumTo(new Shape(2, 1)), new Shape(2, 1), 0 + 1 + 2 + 6 + 7 + 8,
            3 + 4 + 5 + 9 + 10 + 11);
    });

    [Fact]
    public void TheSumOfNothingIs0() => OnBothDevices(() =>
    {
        Gives(Counting(0, 3).Sum(0), 0, 0, 0);
        Gives(Counting(0).Sum(), new Shape(), 0);
        Gives(Counting(0, 3).Sum(1), []);
    });

    [Fact]
    public void TheGradientIsRepeated() =>
        OnBothDevices(() => Gives(Gradient(x => x.Sum(1), Counting(2, 3), 1, 2), new Shape(2, 3), 1, 1, 1, 2, 2, 2));

    [Fact]
    public void RefusesAxesThatAreNone()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Sum(2), "axis 2", "[2, 3]");
        Refuses<ShapeException>(() => Counting(2, 3).Sum(1, -1), "axis 1", "twice", "[2, 3]");
        Refuses<ShapeException>(() => Counting(2, 3).SumTo(new Shape(2)), "sum to", "[2, 3]", "[2]");
    }
}
