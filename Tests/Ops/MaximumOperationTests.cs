using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MaximumOperationTests
{
    // No two numbers are equal, though the inputs are drawn apart: the second ones lie half a step off.
    [Fact]
    public void ObeysTheLaws()
    {
        OperationLaws.Check((a, b) => a.Maximum(b + 0.05), Input.Any.Distinct(), Input.Any.Distinct());
        OperationLaws.Check((a, b) => a.Minimum(b + 0.05), Input.Any.Distinct(), Input.Any.Distinct());
        OperationLaws.Check(x => x.Maximum(0.05) * x.Minimum(0.15), Input.Any.Distinct());
    }

    [Fact]
    public void TakesTheLargerOrTheSmaller() => OnBothDevices(() =>
    {
        var (a, b) = (Of([2, 1], 1, 5), Of([3], 0, 3, double.NaN));
        Gives(a.Maximum(b), new Shape(2, 3), 1, 3, double.NaN, 5, 5, double.NaN);
        Gives(a.Minimum(b), new Shape(2, 3), 0, 1, double.NaN, 0, 3, double.NaN);
        Gives(Vector(-1, 0, 1).Maximum(0), 0, 0, 1);
        Gives(Vector(-1, 0, 1).Minimum(0), -1, 0, 0);
        Gives(Vector(double.PositiveInfinity, double.NegativeInfinity).Minimum(2), 2, double.NegativeInfinity);
    });

    [Fact]
    public void TheGradientGoesToTheOneThatWasTakenAndInHalvesToEquals() => OnBothDevices(() =>
    {
        foreach (var (smaller, order) in ((bool, double)[])[(false, 1), (true, -1)])
        {
            var (a, b) = (Vector(1, 2, 3) * order, Vector(2, 2, 2) * order);
            var gradients = Gradients(x => smaller ? x[0].Minimum(x[1]) : x[0].Maximum(x[1]), [a, b], 10, 20, 30);
            Gives(gradients[0], 0, 10, 30);
            Gives(gradients[1], 10, 10, 0);
        }
    });

    [Fact]
    public void WhatWasNotTakenGetsNothingFromAnInfiniteGradient() => OnBothDevices(() =>
        Gives(Gradient(x => x.Maximum(0), Vector(-1, 1), double.PositiveInfinity, double.NegativeInfinity), 0,
            double.NegativeInfinity));
}
