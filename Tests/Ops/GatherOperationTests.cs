using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class GatherOperationTests
{
    [Fact]
    public void ObeysTheLaws()
    {
        OperationLaws.Check(x => x.Gather(0, 2, 0, 2), Input.Of("N+2 c"));
        OperationLaws.Check(x => x.Gather(1, 1, 1, 0), Input.Of("n 2 c"));
        OperationLaws.Check(x => x.Gather(-1, 0), Input.Of("n m C"));
        OperationLaws.Check(x => x.Gather(1), Input.Of("n C"));
    }

    [Fact]
    public void PicksSlices() => OnBothDevices(() =>
    {
        Gives(Counting(3, 2).Gather(0, 2, 0, 2, 2), new Shape(4, 2), 4, 5, 0, 1, 4, 5, 4, 5);
        Gives(Counting(2, 3).Gather(1, 2, 0), new Shape(2, 2), 2, 0, 5, 3);
        Gives(Counting(2, 3).Gather(1), new Shape(2, 0));
        Gives(Of([2, 0]).Gather(0, 1, 1, 0), new Shape(3, 0));
    });

    [Fact]
    public void ASlicesGradientIsTheSumOfItsCopies() => OnBothDevices(() =>
        Gives(Gradient(x => x.Gather(0, 2, 0, 2), Counting(3, 2), 1, 2, 10, 20, 100, 200), new Shape(3, 2), 10, 20, 0,
            0, 101, 202));

    // Long slices are added in parts, on any number of threads.
    [Fact]
    public void LongSlicesAddUpLikeShortOnes() => OnBothDevices(() =>
    {
        const int rows = 5, length = 1031;
        int[] picks = [.. Enumerable.Range(0, 64).Select(i => i * i % rows)];
        var expected = new double[rows * length];
        var covector = Enumerable.Range(0, picks.Length * length).Select(i => (double)(i % 97 - 48)).ToArray();
        for (var i = 0; i < covector.Length; i++) expected[picks[i / length] * length + i % length] += covector[i];
        Gives(Gradient(x => x.Gather(0, picks), Counting(rows, length), covector), new Shape(rows, length), expected);
    });

    [Fact]
    public void RefusesAnIndexOutside()
    {
        Refuses<ArgumentOutOfRangeException>(() => Counting(3, 2).Gather(0, 1, 3), "gather", "index 1", "3", "axis 0",
            "[3, 2]");
        Refuses<ArgumentOutOfRangeException>(() => Counting(3, 2).Gather(1, -1), "gather", "index 0", "-1");
        Refuses<ShapeException>(() => Counting(3, 2).Gather(2, 0), "axis 2", "[3, 2]");
    }
}
