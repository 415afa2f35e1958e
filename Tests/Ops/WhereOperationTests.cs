using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class WhereOperationTests
{
    private static readonly Input Condition = Input.Any.Constant()
        .FilledBy((random, count) => [.. Enumerable.Range(0, count).Select(i => random.Below(3, i) - 1.0)]);

    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check((condition, a, b) => condition.Where(a, b), Condition, Input.Any, Input.Any);

    [Fact]
    public void MaskedObeysTheLaws() => OperationLaws.Check((condition, x) => x.Masked(condition), Condition, Input.Any);

    [Fact]
    public void Chooses() => OnBothDevices(() =>
    {
        Gives(Vector(1, 0, -2).Where(Vector(1, 2, 3), Vector(10, 20, 30)), 1, 20, 3);
        Gives(Of([2, 1], 1, 0).Where(Tensor.Scalar(5), Vector(1, 2)), new Shape(2, 2), 5, 5, 1, 2);
        Gives(Vector(1, 2, 3).Masked(Vector(0, 1, 0)), 0, 2, 0);
    });

    [Fact]
    public void WhatIsNotChosenIsNotLookedAt() => OnBothDevices(() =>
    {
        var condition = Vector(1, 0);
        Gives(condition.Where(Vector(1, double.NaN), Vector(double.PositiveInfinity, 2)), 1, 2);
        Gives(Gradient(x => x.Greater(0).Where(x, x * 2), Vector(3, double.NaN), 1, 1), 1, 2);
        Gives(Gradients(x => condition.Where(x[0], x[1]), [Vector(1, double.NaN), Vector(double.NaN, 2)], 3, 4)[0], 3, 0);
        Gives(Gradients(x => condition.Where(x[0], x[1]), [Vector(1, double.NaN), Vector(double.NaN, 2)], 3, 4)[1], 0, 4);
    });

    [Fact]
    public void AConditionThatIsNaNChoosesTheFirst() => OnBothDevices(() => Gives(Vector(double.NaN).Where(Vector(1), Vector(2)), 1));

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => Counting(2, 3).Where(Counting(2), Counting(3)), "masked", "[2, 3]", "[2]");
}
