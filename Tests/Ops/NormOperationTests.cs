using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class NormOperationTests
{
    [Fact]
    public void Obeys_the_laws()
    {
        OperationLaws.Check(x => x.Norm(1), Input.Of("n m c").AwayFrom(0));
        OperationLaws.Check(x => x.Norm([0, -1], keepAxes: true), Input.Of("n m c").AwayFrom(0));
        OperationLaws.Check(x => x.Norm(), Input.Any.AwayFrom(0));
    }

    [Fact]
    public void Is_the_root_of_the_sum_of_squares() => OnBothDevices(() =>
    {
        var x = Of([2, 2], 3, 4, -5, 12);
        Gives(x.Norm(1), 5, 13);
        Gives(x.Norm([0], keepAxes: true), new Shape(1, 2), Math.Sqrt(34), Math.Sqrt(160));
        Gives(x.Norm(), new Shape(), Math.Sqrt(194));
        Gives(Vector(-7).Norm(), new Shape(), 7);
        Gives(Tensor.Scalar(-7).Norm(), new Shape(), 7);
        Gives(Of([2, 0]).Norm(1), 0, 0);
        Gives(Vector(1, double.NegativeInfinity).Norm(), new Shape(), double.PositiveInfinity);
        Gives(Vector(1, double.NaN).Norm(), new Shape(), double.NaN);
        Gives(Gradient(x => x.Norm(1), x, 1, 26), new Shape(2, 2), 0.6, 0.8, -10, 24);
    });

    // The root of a sum of squares has no derivative at 0, and sqrt's pull gives 0 * infinity there.
    [Fact]
    public void At_zero_the_gradient_is_zero_in_every_order() => OnBothDevices(() =>
    {
        var x = Of([2, 2], 0, 0, 3, 4);
        Assert.True(double.IsNaN(Gradient(x => x.Square().Sum(1).Sqrt(), x).At(0, 0)));
        Gives(Gradient(x => x.Norm(1), x), new Shape(2, 2), 0, 0, 0.6, 0.8);
        // A gradient penalty: the gradient of the norm of a gradient, here of (0, 0) along the first row.
        using var tape = Tape.Evaluating();
        var v = tape.Watch(x);
        var g = tape.Gradients((v.Square() / 2).Sum(), [v], createGraph: true)[0];
        var second = tape.Gradients(g.Norm(1).Sum(), [v], createGraph: true)[0];
        Gives(second, new Shape(2, 2), 0, 0, 0.6, 0.8);
        // The second derivative of |x| along (1, 0): (1 - 0.6^2) / 5 and -0.6 * 0.8 / 5; in the first row 0.
        Gives(tape.Gradients(second, [v], Of([2, 2], 1, 0, 1, 0))[0], new Shape(2, 2), 0, 0, 0.128, -0.096);
    });

    // Whatever the numbers' magnitude, up to the ends of the device's type: the norm, and its gradient, which is x over
    // the norm.
    [Theory]
    [InlineData(false, 37)]
    [InlineData(true, 300)]
    public void No_magnitude_overflows_or_vanishes(bool inDouble, int decades) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed =>
    {
        using var device = Device.Use(inDouble ? Device.Reference : Device.Cpu);
        var random = new RandomSource(seed);
        var count = 1 + random.Below(40, 0);
        var size = Math.Pow(10, decades * (2 * random.Uniform(1) - 1));
        var x = Tensor.From([.. Enumerable.Range(0, count).Select(i => size * random.Normal(10 + i))],
            new Shape(count));
        var numbers = x.ToDoubles();
        var largest = numbers.Max(Math.Abs);
        // of the numbers over the largest
        var norm = Math.Sqrt(numbers.Sum(value => value / largest * (value / largest)));
        Same([norm], [x.Norm().ToDouble() / largest], 1e-6);
        Same([.. numbers.Select(value => value / largest / norm)], Gradient(x => x.Norm(), x).ToDoubles(), 1e-6);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    // Powers of two have exact squares, and 1, 4 or 4096 of them an exact root, whichever of them is the scale.
    [Theory]
    [InlineData(false, -125, 120)]
    [InlineData(true, -1021, 1015)]
    public void Equal_powers_of_two_are_exact(bool inDouble, int least, int most)
    {
        using var device = Device.Use(inDouble ? Device.Reference : Device.Cpu);
        foreach (var (count, root) in ((int, double)[])[(1, 1), (4, 2), (4096, 64)])
            for (var exponent = least; exponent <= most; exponent += inDouble ? 31 : 1)
                foreach (var sign in (int[])[-1, 1])
                    Assert.Equal(root * Math.ScaleB(1, exponent),
                        Tensor.Full(new Shape(count), sign * Math.ScaleB(1, exponent)).Norm().ToDouble());
    }

    [Fact]
    public void Refuses_an_axis_that_is_not_there() =>
        Refuses<ShapeException>(() => Counting(2, 2).Norm(2), "axis 2", "[2, 2]");
}
