using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ConvTranspose2dOperationTests
{
    [Theory]
    [InlineData(1, 0, 0, 1, 1)]
    [InlineData(2, 1, 1, 1, 1)]
    [InlineData(3, 0, 2, 2, 1)]
    [InlineData(2, 0, 0, 1, 2)]
    public void ObeysTheLaws(int stride, int padding, int outputPadding, int dilation, int groups) =>
        OperationLaws.Check((x, w, b) => x.ConvTranspose2d(w, b, stride, padding, outputPadding, dilation, groups),
            Input.Of($"n H+1 W+1 {groups}C"), Input.Of($"3 2 O {groups}C"), Input.Of($"{groups}O"));

    [Fact]
    public void SpreadsEachElementOverAWindow() => OnBothDevices(() =>
    {
        var (x, w) = (Of([1, 1, 2, 1], 1, 10), Of([2, 2, 1, 1], 1, 2, 3, 4));
        Gives(x.ConvTranspose2d(w), new Shape(1, 2, 3, 1), 1, 12, 20, 3, 34, 40);
        Gives(x.ConvTranspose2d(w, Vector(100), stride: 2), new Shape(1, 2, 4, 1), 101, 102, 110, 120, 103, 104,
            130, 140);
        Gives(x.ConvTranspose2d(w, stride: new Size2d(1, 2), outputPadding: new Size2d(0, 1)), new Shape(1, 2, 5, 1),
            1, 2, 10, 20, 0, 3, 4, 30, 40, 0);
        Gives(x.ConvTranspose2d(w, padding: new Size2d(0, 1)), new Shape(1, 2, 1, 1), 12, 34);
    });

    // <Conv(u), x> = <u, ConvTranspose(x)> for the same weight, whatever the settings.
    [Fact]
    public void IsTheTransposeOfTheConvolution() => OnBothDevices(() =>
    {
        foreach (var (stride, padding, dilation, groups) in ((int, int, int, int)[])[(1, 0, 1, 1), (2, 1, 1, 2),
            (3, 2, 2, 1)])
        {
            var (u, w) = (Random(1, 2, 9, 11, 4), Random(2, 3, 2, 4 / groups, 6));
            var y = u.Conv2d(w, stride: stride, padding: padding, dilation: dilation, groups: groups);
            var x = Random(3, y.Shape.Dimensions.ToArray());
            Size2d rest = new((9 + 2 * padding - dilation * 2 - 1) % stride,
                (11 + 2 * padding - dilation - 1) % stride);
            var back = x.ConvTranspose2d(w, stride: stride, padding: padding, outputPadding: rest, dilation: dilation,
                groups: groups);
            Assert.Equal(u.Shape, back.Shape);
            Same([(y * x).Sum().ToDouble()], [(u * back).Sum().ToDouble()], 1e-4);
        }
    });

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        var (x, w) = (Counting(1, 2, 2, 4), Counting(2, 2, 3, 4));
        Refuses<ShapeException>(() => Counting(2, 2, 4).ConvTranspose2d(w), "conv-transpose 2d", "[2, 2, 4]",
            "[N, H, W, C]");
        Refuses<ShapeException>(() => x.ConvTranspose2d(Counting(2, 3, 4)), "conv-transpose 2d", "[2, 3, 4]",
            "[KH, KW, O / groups, C]");
        Refuses<ShapeException>(() => x.ConvTranspose2d(Counting(2, 2, 3, 5)), "4 channels", "[2, 2, 3, 5]");
        Refuses<ShapeException>(() => x.ConvTranspose2d(w, groups: 3), "3 groups", "4 input channels");
        Refuses<ShapeException>(() => x.ConvTranspose2d(w, Vector(1, 2)), "bias [2]", "[3]");
        Refuses<ShapeException>(() => x.ConvTranspose2d(w, stride: 2, outputPadding: 2), "output padding 2",
            "stride 2");
        Refuses<ShapeException>(() => x.ConvTranspose2d(w, stride: 0), "stride 0");
        Refuses<ShapeException>(() => x.ConvTranspose2d(w, padding: 2), "padding 2", "[1, 2, 2, 4]");
    }
}
