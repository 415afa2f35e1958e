using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MaxPool2dOperationTests
{
    [Theory]
    [InlineData(2, 2, 0)]
    [InlineData(2, 1, 1)]
    [InlineData(3, 2, 1)]
    [InlineData(3, 1, 0)]
    public void ObeysTheLaws(int kernel, int stride, int padding) =>
        OperationLaws.Check(x => x.MaxPool2d(kernel, stride, padding), Input.Of("n H+2 W+2 c").Distinct());

    [Fact]
    public void ObeysTheLawsWithSidesThatDiffer() =>
        OperationLaws.Check(x => x.MaxPool2d(new Size2d(1, 3), new Size2d(2, 1), new Size2d(0, 1)),
            Input.Of("n H W+1 c").Distinct());

    [Fact]
    public void GivesTheLargestOfEachWindow() => OnBothDevices(() =>
    {
        Gives(Counting(1, 4, 4, 1).MaxPool2d(2), new Shape(1, 2, 2, 1), 5, 7, 13, 15);
        Gives(Counting(1, 3, 3, 1).MaxPool2d(2, 1), new Shape(1, 2, 2, 1), 4, 5, 7, 8);
        Gives(Of([1, 1, 2, 2], 1, 40, 3, 30).MaxPool2d(new Size2d(1, 2)), new Shape(1, 1, 1, 2), 3, 40);
    });

    [Fact]
    public void PaddingNeverWinsAndNaNDoes() => OnBothDevices(() =>
    {
        Gives(Of([1, 2, 2, 1], -4, -3, -2, -1).MaxPool2d(2, 2, 1), new Shape(1, 2, 2, 1), -4, -3, -2, -1);
        Gives(Of([1, 1, 4, 1], 1, double.NaN, double.NaN, 2).MaxPool2d(new Size2d(1, 2)), new Shape(1, 1, 2, 1),
            double.NaN, double.NaN);
    });

    [Fact]
    public void OfEqualElementsTheFirstGetsTheGradient() => OnBothDevices(() =>
    {
        // The first window's largest is its second element, twice over; in the second window all four are equal.
        var x = Of([1, 2, 4, 1], 1, 5, 7, 7, 5, 5, 7, 7);
        Gives(Gradient(x => x.MaxPool2d(2), x, 10, 20), new Shape(1, 2, 4, 1), 0, 10, 20, 0, 0, 0, 0, 0);
    });

    [Fact]
    public void OfSeveralNaNsTheFirstGetsTheGradient() => OnBothDevices(() =>
        Gives(Gradient(x => x.MaxPool2d(2), Of([1, 2, 2, 1], 9, double.NaN, double.NaN, 1), 10), new Shape(1, 2, 2, 1),
            0, 10, 0, 0));

    [Fact]
    public void PaddingTakesNoGradientEvenFromMinusInfinity() => OnBothDevices(() =>
    {
        var low = double.NegativeInfinity;
        Gives(Gradient(x => x.MaxPool2d(2, 2, 1), Of([1, 2, 2, 1], low, -3, low, low), 1, 2, 4, 8),
            new Shape(1, 2, 2, 1), 1, 2, 4, 8);
        Gives(Gradient(x => x.MaxPool2d(2, 1, 1), Of([1, 1, 2, 1], low, low), 1, 2, 4, 8, 16, 32),
            new Shape(1, 1, 2, 1), 1 + 2 + 8 + 16, 4 + 32);
    });

    // One pixel is the largest of both windows that see it.
    [Fact]
    public void OverlappingWindowsAddTheirGradients() => OnBothDevices(() =>
        Gives(Gradient(x => x.MaxPool2d(new Size2d(1, 2), 1), Of([1, 1, 3, 1], 1, 9, 2), 10, 20), new Shape(1, 1, 3, 1),
            0, 30, 0));

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 2, 1).MaxPool2d(2), "max pool", "[2, 2, 1]", "[N, H, W, C]");
        Refuses<ShapeException>(() => Counting(1, 2, 2, 1).MaxPool2d(3), "max pool", "[1, 2, 2, 1]", "kernel of 3");
        Refuses<ShapeException>(() => Counting(1, 4, 4, 1).MaxPool2d(3, 1, 2), "max pool", "padding 2",
            "half the kernel 3");
        Refuses<ShapeException>(() => Counting(1, 4, 4, 1).MaxPool2d(2, 2, -1), "max pool", "padding -1");
    }
}
