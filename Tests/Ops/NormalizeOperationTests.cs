using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Layers.Normalization.Sets;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class NormalizeOperationTests
{
    private const double Eps = 1e-3;

    [Theory]
    [InlineData(false, true, 1, "n L 3")]
    [InlineData(false, true, 2, "n H W 4")]
    [InlineData(false, true, 6, "n H W 6")]
    [InlineData(true, true, 4, "n L 4")]
    [InlineData(true, true, 1, "n D H W 3")]
    [InlineData(true, false, 2, "n L 4")]
    [InlineData(false, false, 1, "n L 5")]
    [InlineData(false, false, 4, "n L 4")]
    [InlineData(false, true, 2, "n 6")]
    [InlineData(true, true, 3, "n 3")]
    public void ObeysTheLaws(bool batch, bool positions, int groups, string axes) =>
        OperationLaws.Check(x => x.Normalize(new Sharing(batch, positions, groups), Eps), Input.Of(axes), new() { Cases = 10 });

    // Two elements, 1 and 3: the mean is 2, the biased variance 1. With eps = 0 they become -1 and 1; with eps = 3, which stands
    // inside the root, half of that.
    [Fact]
    public void ByHand() => OnBothDevices(() =>
    {
        var perSample = new Sharing(Batch: false, Positions: true, Groups: 1);
        Gives(Of([1, 2], 1, 3).Normalize(perSample, 0), new Shape(1, 2), -1, 1);
        Gives(Of([1, 2], 1, 3).Normalize(perSample, 3), new Shape(1, 2), -0.5, 0.5);
    });

    // dx = r (g - mean(g) - x^ mean(g x^)). For x = 1, 3 with eps = 3: r = 1/2, x^ = -1/2, 1/2. With g = 4, 0: mean(g) = 2,
    // mean(g x^) = -1,
    // so dx = (4 - 2 - 1/2) / 2, (0 - 2 + 1/2) / 2.
    [Fact]
    public void GradientByHand() => OnBothDevices(() =>
        Gives(Gradient(x => x.Normalize(new Sharing(false, true, 1), 3), Of([1, 2], 1, 3), 4, 0), new Shape(1, 2), 0.75, -0.75));

    [Theory]
    [MemberData(nameof(Sharings), MemberType = typeof(Layers.Normalization.Sets))]
    public void IsItsDefinition(bool batch, bool positions, int groups) => OnBothDevices(() =>
    {
        var sharing = new Sharing(batch, positions, groups);
        var x = Random(1, 3, 5, 2, 6);
        var y = x.Normalize(sharing, Eps, out var moments);
        var (values, expected) = (x.ToDoubles(), new double[x.Count]);
        var sets = Of(sharing, x.Shape);
        foreach (var set in sets)
        {
            var (mean, root) = (Mean(values, set), Math.Sqrt(Variance(values, set) + Eps));
            foreach (var i in set) expected[i] = (values[i] - mean) / root;
        }
        Same(expected, y.ToDoubles(), x.Device == Tapegrad.Devices.Device.Reference ? 1e-12 : 1e-5);
        Assert.Equal(sets[0].Length, moments!.Count);
        Gives(moments.Mean, [.. sets.Select(set => Mean(values, set))]);
        Gives(moments.Variance, [.. sets.Select(set => Variance(values, set))]);
    });

    [Fact]
    public void EqualNumbersGiveExactly0HoweverLarge() => OnBothDevices(() =>
    {
        var x = Tensor.Full(new Shape(2, 7, 3), 1e15);
        foreach (var groups in (int[])[1, 3])
        {
            Assert.All(x.Normalize(new Sharing(false, true, groups), 1e-5).ToDoubles(), value => Assert.Equal(0, value));
            var gradient = Gradient(x => x.Normalize(new Sharing(true, true, groups), 1e-5), x, Random(2, 42).ToDoubles());
            Assert.All(gradient.ToDoubles(), slope => Assert.True(double.IsFinite(slope)));
        }
    });

    // A mean ten thousand times the deviation: the mean in one float would err by 1e-3 of the deviation, and squares minus a
    // square altogether.
    [Fact]
    public void ALargeMeanCostsNoDigits() => OnBothDevices(() =>
    {
        var x = Of([1, 4, 1], 10000, 10001, 10002, 10003);
        var root = Math.Sqrt(1.25);   // the variance of 0, 1, 2, 3
        Gives(x.Normalize(new Sharing(false, true, 1), 0), new Shape(1, 4, 1), -1.5 / root, -0.5 / root, 0.5 / root, 1.5 / root);
    });

    [Fact]
    public void NoSampleGivesNoOutputAndNoMoments() => OnBothDevices(() =>
    {
        Gives(Counting(0, 3, 4).Normalize(new Sharing(true, true, 2), Eps, out var moments), new Shape(0, 3, 4));
        Assert.Null(moments);
    });

    // Whatever the CPU device computes in a kernel of its own is what means and elementwise arithmetic give, with gradients of
    // order 1 and 2.
    [Theory]
    [MemberData(nameof(Sharings), MemberType = typeof(Layers.Normalization.Sets))]
    public void TheKernelIsTheComposite(bool batch, bool positions, int groups)
    {
        var sharing = new Sharing(batch, positions, groups);
        foreach (var x in (Tensor[])[Random(1, 3, 5, 7, 6), Random(2, 1, 1, 6) + 100, Random(3, 37, 18)])
        {
            var kernels = FirstAndSecond(x => x.Normalize(sharing, Eps), x);
            var composites = FirstAndSecond(x => NormalizeOperation.Composite(x, sharing, Eps), x);
            foreach (var (kernel, composite) in kernels.Zip(composites)) Same(composite.ToDoubles(), kernel.ToDoubles(), 2e-5);
        }
    }

    // The value, the plain gradient, the recorded one, and the gradient of a random product with the recorded one.
    private static Tensor[] FirstAndSecond(Func<Tensor, Tensor> function, Tensor input)
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(input);
        var y = function(x);
        var (u, v) = (Random(4, y.Shape.Dimensions.ToArray()), Random(5, y.Shape.Dimensions.ToArray()));
        var recorded = tape.Gradients(y, [x], u, createGraph: true)[0];
        return [.. new[] { y, tape.Gradients(y, [x], u)[0], recorded, tape.Gradients(recorded, [x], v)[0] }.Select(tensor => tensor.Keep())];
    }

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        Refuses<ShapeException>(() => Counting(6).Normalize(new Sharing(false, true, 1), Eps), "normalize", "[6]", "[N, C]");
        Refuses<ShapeException>(() => Counting(1, 1, 1, 1, 1, 6).Normalize(new Sharing(false, true, 1), Eps), "normalize", "[1, 1, 1, 1, 1, 6]");
        Refuses<ShapeException>(() => Counting(1, 6).Normalize(new Sharing(false, true, 4), Eps),
            "normalize", "4 groups", "6 channels", "1, 2, 3, 6");
        Refuses<ShapeException>(() => Counting(1, 6).Normalize(new Sharing(false, true, 0), Eps), "normalize", "0 groups");
    }
}
