using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MeanOperationTests
{
    [Theory]
    [InlineData()]
    [InlineData(1)]
    [InlineData(1, 2)]
    [InlineData(-1, -2)]
    public void ObeysTheLaws(params int[] axes) =>
        OperationLaws.Check(x => x.Mean(axes), Input.Of(axes.Length == 0 ? "A B C" : "a B C"));

    [Fact]
    public void ObeysTheLawsWithKeptAxes() =>
        OperationLaws.Check(x => x.Mean([0, 2], keepAxes: true), Input.Of("A b C"));

    [Fact]
    public void GivesTheMean() => OnBothDevices(() =>
    {
        Gives(Counting(2, 3).Mean(), new Shape(), 2.5);
        Gives(Counting(2, 3).Mean(0), 1.5, 2.5, 3.5);
        Gives(Counting(2, 3).Mean([1], keepAxes: true), new Shape(2, 1), 1, 4);
    });

    [Fact]
    public void SpreadsTheGradientEvenly() =>
        OnBothDevices(() =>
            Gives(Gradient(x => x.Mean(1), Counting(2, 4), 4, 8), new Shape(2, 4), 1, 1, 1, 1, 2, 2, 2, 2));

    [Fact]
    public void TheMeanOfNothingIsRefused()
    {
        Refuses<ShapeException>(() => Counting(0).Mean(), "mean", "[0]", "no element");
        Refuses<ShapeException>(() => Counting(2, 0).Mean(1), "mean", "[2, 0]");
        Gives(Counting(0, 2).Mean(1), []);   // no mean is asked for
    }
}
