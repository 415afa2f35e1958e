using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class CompareOperationTests
{
    // Few different numbers, so that equal ones meet.
    private static readonly Input Whole = Input.Any.Constant()
        .FilledBy((random, count) => [.. Enumerable.Range(0, count).Select(i => (double)random.Below(3, i))]);

    [Fact]
    public void ObeysTheLaws() =>
        OperationLaws.Check((a, b) => a.Greater(b) + 2 * a.GreaterOrEqual(b) + 4 * a.Less(b) + 8 * a.LessOrEqual(b)
            + 16 * a.Equal(b), Whole, Whole);

    [Fact]
    public void TheDerivativeIs0() => OperationLaws.Check((a, b) => a.Greater(b) + b.Square(), Input.Any, Input.Any);

    [Fact]
    public void ComparesPairsAndNaNIsNothing() => OnBothDevices(() =>
    {
        var (a, b) = (Vector(1, 2, 3, double.NaN, 1, double.NaN), Vector(2, 2, 2, 1, double.NaN, double.NaN));
        Gives(a.Greater(b), 0, 0, 1, 0, 0, 0);
        Gives(a.GreaterOrEqual(b), 0, 1, 1, 0, 0, 0);
        Gives(a.Less(b), 1, 0, 0, 0, 0, 0);
        Gives(a.LessOrEqual(b), 1, 1, 0, 0, 0, 0);
        Gives(a.Equal(b), 0, 1, 0, 0, 0, 0);
    });

    [Fact]
    public void ComparesWithANumber() => OnBothDevices(() =>
    {
        var a = Vector(1, 2, 3);
        Gives(a.Greater(2), 0, 0, 1);
        Gives(a.GreaterOrEqual(2), 0, 1, 1);
        Gives(a.Less(2), 1, 0, 0);
        Gives(a.LessOrEqual(2), 1, 1, 0);
        Gives(a.Equal(2), 0, 1, 0);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Greater(Counting(2)), "greater", "[2, 3]", "[2]");
        Refuses<ShapeException>(() => Counting(2, 3).Equal(Counting(2)), "equal", "[2, 3]", "[2]");
    }
}
