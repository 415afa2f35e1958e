using Tapegrad.Laws;
using Xunit;

namespace Tapegrad.Tests.Kit;

public class InputTests
{
    // Every shape and every number that a check draws.
    private static List<(Shape[] Shapes, double[][] Values)> Drawn(params Input[] inputs)
    {
        var drawn = new List<(Shape[], double[][])>();
        OperationLaws.Check(x =>
        {
            drawn.Add(([.. x.Select(x => x.Shape)], [.. x.Select(x => x.ToDoubles())]));
            return x[0].StopGradient();
        }, inputs, new() { Cases = 40, Skip = Law.Derivatives | Law.ThreadsAgree });
        return drawn;
    }

    [Fact]
    public void ALetterIsOneLengthInAllInputs()
    {
        var drawn = Drawn(Input.Of("m K"), Input.Of("K 2m K+3 4"));
        Assert.All(drawn, d =>
        {
            var (m, k) = (d.Shapes[0][0], d.Shapes[0][1]);
            Assert.Equal(new Shape(k, 2 * m, k + 3, 4), d.Shapes[1]);
        });
    }

    [Fact]
    public void SmallLettersMayBeEmptyAndCapitalsNot()
    {
        var drawn = Drawn(Input.Of("m N"));
        Assert.Contains(drawn, d => d.Shapes[0][0] == 0);
        Assert.DoesNotContain(drawn, d => d.Shapes[0][1] == 0);
        Assert.Contains(drawn, d => d.Shapes[0] == new Shape(1, 1));
        Assert.Contains(drawn, d => d.Shapes[0][0] > 1 && d.Shapes[0][1] > 1);
    }

    // The edges come first, however few cases are drawn.
    [Fact]
    public void EachSmallLetterIsEmptyInItsTurn()
    {
        var shapes = new List<Shape>();
        OperationLaws.Check(x =>
        {
            shapes.Add(x.Shape);
            return x;
        }, Input.Of("a b c"), new() { Cases = 4, Skip = Law.Derivatives | Law.ThreadsAgree });
        Assert.Contains(new Shape(1, 1, 1), shapes);
        for (var axis = 0; axis < 3; axis++) Assert.Contains(shapes, shape => shape[axis] == 0);
    }

    [Fact]
    public void AnyShapesBroadcastWithEachOther()
    {
        var drawn = Drawn(Input.Any, Input.Any, Input.Of(".. C"));
        Assert.All(drawn, d => Shape.Broadcast("any", d.Shapes[0], d.Shapes[1]));
        Assert.Contains(drawn, d => d.Shapes[0].Rank < d.Shapes[1].Rank);
        Assert.Contains(drawn, d => d.Shapes[0].Rank > d.Shapes[1].Rank);
        Assert.Contains(drawn, d => d.Shapes[0].Rank == 0 && d.Shapes[1].Rank == 0);
        Assert.Contains(drawn, d => d.Shapes[0].Rank == d.Shapes[1].Rank && d.Shapes[0] != d.Shapes[1]);
        Assert.Contains(drawn, d => d.Shapes[0].Count == 0);
    }

    [Fact]
    public void NumbersAreAsAskedFor()
    {
        var drawn = Drawn(Input.Of("A B").Positive(), Input.Of("A B").AwayFrom(0, 3, -3), Input.Of("A B").Distinct(),
            Input.Of("A B").Between(2, 3));
        Assert.All(drawn, d =>
        {
            Assert.All(d.Values[0], value => Assert.True(value >= 0.5));
            Assert.All(d.Values[1], value =>
                Assert.All((double[])[0, 3, -3], place => Assert.True(Math.Abs(value - place) >= 0.3 - 1e-6)));
            Assert.All(d.Values[2].Order().Zip(d.Values[2].Order().Skip(1)), pair =>
                Assert.True(pair.Second - pair.First > 0.09));
            Assert.All(d.Values[3], value => Assert.InRange(value, 2, 3));
        });
        Assert.Contains(drawn, d => d.Values[1].Any(value => value > 3) && d.Values[1].Any(value => value < 0));
    }

    [Theory]
    [InlineData("n ..")]
    [InlineData("nm")]
    [InlineData("n-1")]
    [InlineData("+2")]
    [InlineData("3+n")]
    public void RefusesWhatIsNoAxis(string axes) => Assert.Throws<FormatException>(() => Input.Of(axes));
}
