using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class WindowsOperationTests
{
    [Theory]
    [InlineData(1, 1, 0, 1)]
    [InlineData(2, 1, 0, 1)]
    [InlineData(3, 2, 1, 1)]
    [InlineData(2, 1, 1, 2)]
    public void ObeysTheLaws(int kernel, int stride, int padding, int dilation) =>
        OperationLaws.Check(x => x.ExtractWindows(kernel, stride, padding, dilation), Input.Of("n H+2 W+2 c"));

    [Fact]
    public void ObeysTheLawsWithSidesThatDiffer() =>
        OperationLaws.Check(x => x.ExtractWindows(new Size2d(1, 3), new Size2d(2, 1), new Size2d(0, 1),
            new Size2d(1, 2)), Input.Of("n H W+2 c"));

    [Fact]
    public void TheAdjointObeysTheLaws() => OperationLaws.Check(
        x => x.AddWindows(new WindowGeometry(x.Shape[0], 5, 4, x.Shape[5], new Size2d(2, 3), new Size2d(2, 1),
            new Size2d(1, 0), new Size2d(2, 1))),
        Input.Of("n 3 2 2 3 c"));

    // x [3, 3] = 0 .. 8: the window at (i, j) starts at 3 i + j.
    [Fact]
    public void WritesEveryWindowOut() => OnBothDevices(() =>
    {
        Gives(Counting(1, 3, 3, 1).ExtractWindows(2), new Shape(1, 2, 2, 2, 2, 1), 0, 1, 3, 4, 1, 2, 4, 5, 3, 4, 6, 7,
            4, 5, 7, 8);
        Gives(Counting(1, 1, 2, 2).ExtractWindows(new Size2d(1, 2)), new Shape(1, 1, 1, 1, 2, 2), 0, 1, 2, 3);
        Gives(Of([1, 1, 2, 1], 5, 6).ExtractWindows(new Size2d(1, 2), 1, new Size2d(0, 1)), new Shape(1, 1, 3, 1, 2, 1),
            0, 5, 5, 6, 6, 0);
        // Padding 1 on all four sides of one pixel: four windows, each of which sees it in another corner.
        Gives(Of([1, 1, 1, 1], 7).ExtractWindows(2, 1, 1), new Shape(1, 2, 2, 2, 2, 1), 0, 0, 0, 7, 0, 0, 7, 0, 0, 7, 0,
            0, 7, 0, 0, 0);
        Gives(Counting(1, 1, 5, 1).ExtractWindows(new Size2d(1, 2), new Size2d(1, 2), default, new Size2d(1, 3)),
            new Shape(1, 1, 1, 1, 2, 1), 0, 3);
    });

    [Fact]
    public void TheGradientAddsUpAtEachPixel() => OnBothDevices(() =>
        Gives(Gradient(x => x.ExtractWindows(new Size2d(1, 2)), Counting(1, 1, 3, 1), 1, 2, 3, 4),
            new Shape(1, 1, 3, 1), 1, 2 + 3, 4));

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 2).ExtractWindows(1), "windows", "[2, 2]", "[N, H, W, C]");
        Refuses<ShapeException>(() => Counting(1, 4, 4, 1).ExtractWindows(3, 1, 0, 2), "windows", "kernel of 3",
            "dilation 2", "[1, 4, 4, 1]");
        Refuses<ShapeException>(() => Counting(1, 4, 4, 1).ExtractWindows(new Size2d(0, 1)), "windows", "kernel 0x1");
        Refuses<ShapeException>(() => Counting(1, 4, 4, 1).ExtractWindows(1, 1, 0, 0), "windows", "dilation 0");
    }
}
