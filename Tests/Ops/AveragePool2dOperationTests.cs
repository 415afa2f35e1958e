using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class AveragePool2dOperationTests
{
    [Theory]
    [InlineData(2, 2, 0)]
    [InlineData(2, 1, 1)]
    [InlineData(3, 2, 1)]
    [InlineData(1, 2, 0)]
    public void ObeysTheLaws(int kernel, int stride, int padding) =>
        OperationLaws.Check(x => x.AveragePool2d(kernel, stride, padding), Input.Of("n H+2 W+2 c"));

    [Fact]
    public void ObeysTheLawsWithSidesThatDiffer() =>
        OperationLaws.Check(x => x.AveragePool2d(new Size2d(1, 3), new Size2d(2, 1), new Size2d(0, 1)),
            Input.Of("n H W+1 c"));

    // 4 x 4 pixels 0 .. 15 in windows of 2 x 2: the mean of 0, 1, 4, 5 is 2.5, and so on.
    [Fact]
    public void GivesTheMeanOfEachWindow() =>
        OnBothDevices(() => Gives(Counting(1, 4, 4, 1).AveragePool2d(2), new Shape(1, 2, 2, 1), 2.5, 4.5, 10.5, 12.5));

    [Fact]
    public void KeepsChannelsApart() => OnBothDevices(() =>
        Gives(Of([1, 1, 2, 2], 1, 10, 3, 30).AveragePool2d(new Size2d(1, 2)), new Shape(1, 1, 1, 2), 2, 20));

    // Each window of 2 x 2 holds one pixel and three zeros of the padding.
    [Fact]
    public void PaddingCounts() =>
        OnBothDevices(() =>
            Gives(Of([1, 2, 2, 1], 4, 8, 12, 16).AveragePool2d(2, 2, 1), new Shape(1, 2, 2, 1), 1, 2, 3, 4));

    [Fact]
    public void SpreadsTheGradientEvenly() => OnBothDevices(() =>
        Gives(Gradient(x => x.AveragePool2d(2, 1), Counting(1, 2, 3, 1), 4, 8), new Shape(1, 2, 3, 1), 1, 3, 2,
            1, 3, 2));

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 2, 1).AveragePool2d(2), "average pool", "[2, 2, 1]", "[N, H, W, C]");
        Refuses<ShapeException>(() => Counting(1, 2, 2, 1).AveragePool2d(3), "average pool", "[1, 2, 2, 1]",
            "kernel of 3");
        Refuses<ShapeException>(() => Counting(1, 2, 2, 1).AveragePool2d(2, 0), "average pool", "stride 0");
    }
}
