using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class WhereOperationTests
{
    private static readonly Input Condition = Input.Any.Constant()
        .FilledBy((random, count) => [.. Enumerable.Range(0, count).Select(i => random.Below(3, i) - 1.0)]);

    [Fact]
    public void ObeysTheLaws() =>
        OperationLaws.Check((condition, a, b) => condition.Where(a, b), Condition, Input.Any, Input.Any);

    [Fact]
    public void MaskedObeysTheLaws() =>
        OperationLaws.Check((condition, x) => x.Masked(condition), Condition, Input.Any);

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
        Gives(Gradients(x => condition.Where(x[0], x[1]), [Vector(1, double.NaN), Vector(double.NaN, 2)], 3, 4)[0], 3,
            0);
        Gives(Gradients(x => condition.Where(x[0], x[1]), [Vector(1, double.NaN), Vector(double.NaN, 2)], 3, 4)[1], 0,
            4);
    });

    [Fact]
    public void AConditionThatIsNaNChoosesTheFirst() =>
        OnBothDevices(() => Gives(Vector(double.NaN).Where(Vector(1), Vector(2)), 1));

    [Fact]
    public void RefusesShapesThatDoNotFit() =>
        Refuses<ShapeException>(() => Counting(2, 3).Where(Counting(2), Counting(3)), "masked", "[2, 3]", "[2]");

    // ---- a guarded function -----------------------------------------------------------------------------------------

    [Fact]
    public void A_guarded_function_obeys_the_laws()
    {
        OperationLaws.Check(x => x.Greater(0).Where(x, v => v.Log(), otherwise: 2), Input.Any.AwayFrom(0));
        OperationLaws.Check((condition, x, y) => condition.Where(x, v => 1 / v, y), Condition, Input.Any.Positive(),
            Input.Any);
    }

    // The derivatives of log x are 1/x, -1/x^2, 2/x^3; of what is not chosen 0, although log has no finite one there.
    [Fact]
    public void A_guarded_function_has_no_derivative_where_it_is_not_chosen() => OnBothDevices(() =>
    {
        var x = Vector(2, 0, -1, double.NaN, double.PositiveInfinity);
        var condition = Vector(1, 0, 0, 0, 0);
        using var tape = Tape.Evaluating();
        var v = tape.Watch(x);
        var y = condition.Where(v, v => v.Log(), otherwise: 7);
        Gives(y, Math.Log(2), 7, 7, 7, 7);
        foreach (var derivative in (double[])[1.0 / 2, -1.0 / 4, 2.0 / 8])
        {
            y = tape.Gradients(y.Sum(), [v], createGraph: true)[0];
            Gives(y, derivative, 0, 0, 0, 0);
        }
    });

    // What the operation is for: without it, 0 times log's infinite derivative is NaN.
    [Fact]
    public void Without_the_guard_the_gradient_is_NaN() => OnBothDevices(() =>
    {
        var zero = Tensor.Scalar(0);
        Gives(Gradient(x => x.Greater(0).Where(x.Log(), zero), Vector(2, 0)), 0.5, double.NaN);
        Gives(Gradient(x => x.Greater(0).Where(x, v => v.Log(), otherwise: 0), Vector(2, 0)), 0.5, 0);
    });

    // At 1 the derivative of sqrt(1 - x), -1 / (2 sqrt(1 - x)), is infinite: it comes to nothing, but a tape that looks
    // for such numbers meets it.
    [Fact]
    public void The_safe_number_is_the_callers_where_1_is_none() => OnBothDevices(() =>
    {
        static double[] Differentiate(double safe)
        {
            using var tape = Tape.Evaluating(stopAtNonFinite: true);
            var x = tape.Watch(Vector(0.75, 1));
            return tape.Gradients(x.Less(1).Where(x, v => (1 - v).Sqrt(), otherwise: 0, safe).Sum(), [x])[0]
                .ToDoubles();
        }
        Same([-1, 0], Differentiate(safe: 0), 1e-6);
        Refuses<NonFiniteException>(() => Differentiate(safe: 1), "sqrt");
        Gives(Gradient(x => x.Less(1).Where(x, v => (1 - v).Sqrt(), otherwise: 0), Vector(0.75, 1)), -1, 0);
    });
}
