using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class Conv1dOperationTests
{
    [Theory]
    [InlineData(1, 0, 1, 1)]
    [InlineData(2, 1, 1, 1)]
    [InlineData(1, 2, 2, 1)]
    [InlineData(1, 1, 1, 2)]
    public void ObeysTheLaws(int stride, int padding, int dilation, int groups) =>
        OperationLaws.Check((x, w, b) => x.Conv1d(w, b, stride, padding, dilation, groups),
            Input.Of($"n L+4 {groups}C"), Input.Of($"3 C {groups}O"), Input.Of($"{groups}O"));

    [Fact]
    public void SlidesAWindow() => OnBothDevices(() =>
    {
        var (x, w) = (Of([1, 4, 1], 1, 2, 3, 4), Of([2, 1, 1], 10, 1));
        Gives(x.Conv1d(w), new Shape(1, 3, 1), 12, 23, 34);
        Gives(x.Conv1d(w, Vector(100), padding: 1), new Shape(1, 5, 1), 101, 112, 123, 134, 140);
        Gives(x.Conv1d(w, stride: 2), new Shape(1, 2, 1), 12, 34);
        Gives(x.Conv1d(w, dilation: 2), new Shape(1, 2, 1), 13, 24);
    });

    [Fact]
    public void RefusesWhatDoesNotFit()
    {
        Refuses<ShapeException>(() => Counting(4, 1).Conv1d(Counting(2, 1, 1)), "conv1d", "[4, 1]", "[N, L, C]");
        Refuses<ShapeException>(() => Counting(1, 4, 1).Conv1d(Counting(2, 1)), "conv1d", "[2, 1]",
            "[K, C / groups, O]");
    }
}
