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
        OperationLaws.Check(x => x.Normalize(new Sharing(batch, positions, groups), Eps), Input.Of(axes),
            new() { Cases = 10 });

    // gamma, beta, a residual and the ReLU, each there or not. Far from the kink: what is added last is 10 or more, on
    // either side of it.
    [Theory]
    [InlineData(false, true, 2, "n L", false, true)]
    [InlineData(false, true, 2, "n L", true, false)]
    [InlineData(false, true, 1, "n H W", true, true)]
    [InlineData(true, true, 4, "n L", false, true)]
    [InlineData(true, true, 4, "n L", true, true)]
    [InlineData(true, false, 2, "n L", true, true)]
    [InlineData(false, false, 1, "n L", false, true)]
    public void ObeysTheLawsWithWhatFollows(bool batch, bool positions, int groups, string axes, bool residual,
        bool relu)
    {
        var sharing = new Sharing(batch, positions, groups);
        var (x, far) = (Input.Of($"{axes} 4"), (Func<RandomSource, int, double[]>)Far);
        Input[] inputs = [x, Input.Of("4").Between(-1, 1), residual ? Input.Of("4").Between(-1, 1)
            : Input.Of("4").FilledBy(far)];
        OperationLaws.Check(of => of[0].Normalize(sharing, Eps, of[1], of[2], residual ? of[3] : null, relu),
            residual ? [.. inputs, x.FilledBy(far)] : inputs, new() { Cases = 8 });
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void ObeysTheLawsWithGivenMoments(bool residual, bool relu)
    {
        var (x, channels) = (Input.Of("n L 3"), Input.Of("3").Between(-1, 1));
        OperationLaws.Check(of => of[0].Normalize(of[1], of[2], Eps, of[3], of[4], residual ? of[5] : null, relu),
            [x, channels, Input.Of("3").Positive(), channels, channels, x.FilledBy(Far)], new() { Cases = 8 });
        OperationLaws.Check(of => of[0].Normalize(of[1], of[2], Eps), [x, channels, Input.Of("3").Positive()],
            new() { Cases = 8 });
    }

    private static double[] Far(RandomSource random, int count) =>
        [.. Enumerable.Range(0, count).Select(i => random.Normal(i) is var z && z < 0 ? z - 10 : z + 10)];

    // Two elements, 1 and 3: the mean is 2, the biased variance 1. With eps = 0 they become -1 and 1; with eps = 3,
    // which stands inside the root, half of that.
    [Fact]
    public void ByHand() => OnBothDevices(() =>
    {
        var perSample = new Sharing(Batch: false, Positions: true, Groups: 1);
        Gives(Of([1, 2], 1, 3).Normalize(perSample, 0), new Shape(1, 2), -1, 1);
        Gives(Of([1, 2], 1, 3).Normalize(perSample, 3), new Shape(1, 2), -0.5, 0.5);
    });

    // dx = r (g - mean(g) - x^ mean(g x^)). For x = 1, 3 with eps = 3: r = 1/2, x^ = -1/2, 1/2. With g = 4, 0: mean(g)
    // = 2, mean(g x^) = -1,
    // so dx = (4 - 2 - 1/2) / 2, (0 - 2 + 1/2) / 2.
    [Fact]
    public void GradientByHand() => OnBothDevices(() =>
        Gives(Gradient(x => x.Normalize(new Sharing(false, true, 1), 3), Of([1, 2], 1, 3), 4, 0), new Shape(1, 2), 0.75,
            -0.75));

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
            Assert.All(x.Normalize(new Sharing(false, true, groups), 1e-5).ToDoubles(), value =>
                Assert.Equal(0, value));
            var gradient = Gradient(x => x.Normalize(new Sharing(true, true, groups), 1e-5), x,
                Random(2, 42).ToDoubles());
            Assert.All(gradient.ToDoubles(), slope => Assert.True(double.IsFinite(slope)));
        }
    });

    // A mean ten thousand times the deviation: the mean in one float would err by 1e-3 of the deviation, and squares
    // minus a square altogether.
    [Fact]
    public void ALargeMeanCostsNoDigits() => OnBothDevices(() =>
    {
        var x = Of([1, 4, 1], 10000, 10001, 10002, 10003);
        var root = Math.Sqrt(1.25);   // the variance of 0, 1, 2, 3
        Gives(x.Normalize(new Sharing(false, true, 1), 0), new Shape(1, 4, 1), -1.5 / root, -0.5 / root, 0.5 / root,
            1.5 / root);
    });

    [Fact]
    public void NoSampleGivesNoOutputAndNoMoments() => OnBothDevices(() =>
    {
        Gives(Counting(0, 3, 4).Normalize(new Sharing(true, true, 2), Eps, out var moments), new Shape(0, 3, 4));
        Assert.Null(moments);
    });

    // Half of 1 and 3 with eps = 3 (see above) times 4, plus 1, plus 0 and -4: -1 and -1 of the first channel's,
    // rectified 0 and 0; of the second, with gamma -4, 3 and -5, rectified 3 and 0.
    [Fact]
    public void WhatFollowsByHand() => OnBothDevices(() =>
    {
        var (x, gamma, beta) = (Of([1, 2, 2], 1, 1, 3, 3), Of([2], 4, -4), Of([2], 1, 1));
        var residual = Of([1, 2, 2], 0, 0, -4, -4);
        var perChannel = new Sharing(false, true, 2);
        Gives(x.Normalize(perChannel, 3, gamma, beta), x.Shape, -1, 3, 3, -1);
        Gives(x.Normalize(perChannel, 3, gamma, beta, residual), x.Shape, -1, 3, -1, -5);
        Gives(x.Normalize(perChannel, 3, gamma, beta, residual, relu: true), x.Shape, 0, 3, 0, 0);
        // given: (x - 1) / sqrt(1 + 3) = 0, 0, 1, 1
        Gives(x.Normalize(Of([2], 1, 1), Of([2], 1, 1), 3, gamma, beta, relu: true), x.Shape, 1, 1, 5, 0);
    });

    // Whatever the CPU device computes in a kernel of its own is what means and elementwise arithmetic give, with
    // gradients of order 1 and 2 of everything that goes in.
    [Theory]
    [MemberData(nameof(Sharings), MemberType = typeof(Layers.Normalization.Sets))]
    public void TheKernelIsTheComposite(bool batch, bool positions, int groups)
    {
        var sharing = new Sharing(batch, positions, groups);
        foreach (var x in (Tensor[])[Random(1, 3, 5, 7, 6), Random(2, 1, 1, 6) + 100, Random(3, 37, 18)])
            for (var choice = 0; choice < 8; choice++)
            {
                var (affine, residual, relu) = ((choice & 1) == 1, (choice & 2) == 2, (choice & 4) == 4);
                Tensor[] inputs = [x, Random(6, x.Shape[-1]), Random(7, x.Shape[-1]),
                    Random(8, x.Shape.Dimensions.ToArray())];
                Agree(inputs,
                    of => of[0].Normalize(sharing, Eps, affine ? of[1] : null, affine ? of[2] : null,
                        residual ? of[3] : null, relu),
                    of => NormalizeOperation.Composite(of[0], sharing, Eps, affine ? of[1] : null,
                        affine ? of[2] : null, residual ? of[3] : null, relu));
            }
    }

    [Fact]
    public void TheKernelWithGivenMomentsIsTheComposite()
    {
        foreach (var shape in (int[][])[[3, 5, 7, 6], [1, 6], [37, 18]])
            for (var choice = 0; choice < 8; choice++)
            {
                var (affine, residual, relu) = ((choice & 1) == 1, (choice & 2) == 2, (choice & 4) == 4);
                Tensor Each(int seed) => Random(seed, shape[^1]);
                Tensor[] inputs = [Random(1, shape), Each(2), Each(3), Random(4, shape), Each(5),
                    Each(6).Square() + 0.5];
                Agree(inputs,
                    of => of[0].Normalize(of[4], of[5], Eps, affine ? of[1] : null, affine ? of[2] : null,
                        residual ? of[3] : null, relu),
                    of => NormalizeOperation.Composite(of[0], new Sharing(true, true, shape[^1]), Eps,
                        affine ? of[1] : null, affine ? of[2] : null, residual ? of[3] : null, relu, of[4], of[5]));
            }
    }

    // Only gamma, or only beta.
    [Fact]
    public void GammaAndBetaGoAloneToo()
    {
        var sharing = new Sharing(false, true, 2);
        Tensor[] inputs = [Random(1, 3, 5, 4), Random(2, 4)];
        Agree(inputs, of => of[0].Normalize(sharing, Eps, gamma: of[1]), of =>
            NormalizeOperation.Composite(of[0], sharing, Eps, gamma: of[1]));
        Agree(inputs, of => of[0].Normalize(sharing, Eps, beta: of[1]), of =>
            NormalizeOperation.Composite(of[0], sharing, Eps, beta: of[1]));
    }

    // What is no number is not hidden by the ReLU.
    [Fact]
    public void NaNPassesTheRelu() => OnBothDevices(() =>
    {
        var (sharing, x) = (new Sharing(false, true, 1), Of([2, 2], 1, double.NaN, 1, 3));
        foreach (var residual in (Tensor?[])[null, Tensor.Zeros(x.Shape)])
        {
            Gives(x.Normalize(sharing, 0, residual: residual, relu: true), x.Shape, double.NaN, double.NaN, 0, 1);
            Assert.All(Gradient(x => x.Normalize(sharing, 0, residual: residual, relu: true), x, 1, 1, 1, 1)
                .ToDoubles()[..2],
                slope => Assert.True(double.IsNaN(slope)));
        }
    });

    // One tensor in two places gets the gradients of both.
    [Fact]
    public void TheInputMayBeTheResidual()
    {
        var sharing = new Sharing(false, true, 2);
        foreach (var relu in (bool[])[false, true])
            Agree([Random(1, 3, 5, 4)], of => of[0].Normalize(sharing, Eps, residual: of[0], relu: relu),
                of => NormalizeOperation.Composite(of[0], sharing, Eps, residual: of[0], relu: relu));
    }

    private static void Agree(Tensor[] inputs, Func<Tensor[], Tensor> function, Func<Tensor[], Tensor> composite)
    {
        foreach (var (expected, actual) in FirstAndSecond(composite, inputs).Zip(FirstAndSecond(function, inputs)))
            Same(expected.ToDoubles(), actual.ToDoubles(), 5e-5);
    }

    // The value, the plain gradients, the recorded ones, and the gradients of a random product with the recorded ones.
    private static Tensor[] FirstAndSecond(Func<Tensor[], Tensor> function, Tensor[] inputs)
    {
        using var tape = Tape.Evaluating();
        var x = Array.ConvertAll(inputs, tape.Watch);
        var y = function(x);
        var recorded = tape.Gradients(y, x, Random(14, y.Shape.Dimensions.ToArray()), createGraph: true);
        var product = tape.Watch(Tensor.Scalar(0));
        foreach (var (i, gradient) in recorded.Index())
            product += (gradient * Random(15 + i, gradient.Shape.Dimensions.ToArray())).Sum();
        Tensor[] all = [y, .. tape.Gradients(y, x, Random(14, y.Shape.Dimensions.ToArray())), .. recorded,
            .. tape.Gradients(product, x)];
        return [.. all.Select(tensor => tensor.Keep())];
    }

    // The kernel's pull is told what the composite's would be: nothing for what does not vary.
    [Fact]
    public void ConstantsTakeNoGradient()
    {
        using var device = Tapegrad.Devices.Device.Use(Tapegrad.Devices.Device.Cpu);
        using var tape = Tape.Evaluating();
        var (x, residual) = (Random(1, 2, 3, 4), tape.Watch(Random(2, 2, 3, 4)));
        var y = x.Normalize(new Sharing(false, true, 2), Eps, Random(3, 4), Random(4, 4), residual, relu: true);
        var g = Random(5, 2, 3, 4);
        Same([.. g.ToDoubles().Zip(y.ToDoubles(), (slope, value) => value > 0 ? slope : 0)],
            tape.Gradients(y, [residual], g)[0].ToDoubles(), 0);
    }

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        Refuses<ShapeException>(() => Counting(6).Normalize(new Sharing(false, true, 1), Eps), "normalize", "[6]",
            "[N, C]");
        Refuses<ShapeException>(() => Counting(1, 1, 1, 1, 1, 6).Normalize(new Sharing(false, true, 1), Eps),
            "normalize", "[1, 1, 1, 1, 1, 6]");
        Refuses<ShapeException>(() => Counting(1, 6).Normalize(new Sharing(false, true, 4), Eps),
            "normalize", "4 groups", "6 channels", "1, 2, 3, 6");
        Refuses<ShapeException>(() => Counting(1, 6).Normalize(new Sharing(false, true, 0), Eps), "normalize",
            "0 groups");
        var (x, perSample) = (Counting(2, 3, 4), new Sharing(false, true, 1));
        Refuses<ShapeException>(() => x.Normalize(perSample, Eps, gamma: Counting(3)), "normalize", "gamma [3]", "[4]",
            "[2, 3, 4]");
        Refuses<ShapeException>(() => x.Normalize(perSample, Eps, beta: Counting(1, 4)), "normalize",
            "beta [1, 4]", "[4]");
        Refuses<ShapeException>(() => x.Normalize(perSample, Eps, residual: Counting(3, 4)), "normalize",
            "residual [3, 4]", "[2, 3, 4]");
        Refuses<ShapeException>(() => x.Normalize(Counting(1), Counting(4), Eps), "normalize", "mean [1]", "[4]");
        Refuses<ShapeException>(() => x.Normalize(Counting(4), Counting(4, 1), Eps), "normalize",
            "variance [4, 1]", "[4]");
    }
}
