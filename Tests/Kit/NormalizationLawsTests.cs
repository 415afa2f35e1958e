using Tapegrad.Laws;
using Tapegrad.Layers;
using Xunit;
using Base = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Kit;

/// <summary>Normalizations that are wrong in one way each, and the law that says so.</summary>
public class NormalizationLawsTests
{
    // Whatever the test says instead of x^.
    private sealed class Variant(int channels, Sharing sharing, Func<Variant, Tensor, Tensor> formula)
        : Base(channels, sharing)
    {
        protected override Tensor Normalize(Tensor x) => formula(this, x);
    }

    private static Func<int, Base> Of(Func<Variant, Tensor, Tensor> formula, bool batch = false, bool positions = true,
        bool perChannel = false) =>
        channels => new Variant(channels,
            new Sharing(batch, positions, perChannel ? channels : channels % 2 == 0 ? 2 : 1), formula);

    private static LawException Breaks(Law law, Func<int, Base> create, LawOptions? options = null) =>
        Breaks(law, () => NormalizationLaws.Check(create, options));

    private static LawException Breaks(Law law, Action check)
    {
        var broken = Assert.Throws<LawException>(check);
        Assert.True(broken.Law == law, $"{broken.Law} instead of {law}: {broken.Message}");
        return broken;
    }

    private static Tensor Right(Variant n, Tensor x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Sqrt();

    [Fact]
    public void TheFormulaObeysThem()
    {
        NormalizationLaws.Check(Of(Right));
        NormalizationLaws.CheckMeanAndVariance(Of(Right));
    }

    [Fact]
    public void ADeviationOfAnotherKindObeysTheGeneralOnes()
    {
        var create = Of((n, x) => n.S.Center(x) / (n.S.Mean(n.S.Center(x).Abs()) + n.Eps));
        NormalizationLaws.Check(create);
        Breaks(Law.MeanSquare, () => NormalizationLaws.CheckMeanAndVariance(create));
    }

    [Fact]
    public void WithoutAMeanItIsNotShiftInvariant()
    {
        var rms = Of((n, x) => x / (n.S.MeanSquare(x) + n.Eps).Sqrt());
        Breaks(Law.ShiftInvariance, rms);
        NormalizationLaws.Check(rms, new() { Except = Law.ShiftInvariance | Law.ConstantInput });
    }

    // E[x^2] - E[x]^2 cancels in float at a mean of ten thousand deviations.
    [Fact]
    public void AVarianceInOnePassIsFound() => Assert.Contains("ten thousand", Breaks(Law.DevicesAgree,
        Of((n, x) => n.S.Center(x) / ((n.S.MeanSquare(x) - n.S.Mean(x).Square()).Abs() + n.Eps).Sqrt())).Message);

    // The mean rounded to one float errs by 1e-4 of the deviation and more.
    [Fact]
    public void AMeanInOneFloatIsFound() =>
        Assert.Contains("ten thousand",
            Breaks(Law.DevicesAgree, Of((n, x) => (x - n.S.Mean(x)) / (n.S.Variance(x) + n.Eps).Sqrt())).Message);

    [Fact]
    public void NoEpsIsFound() =>
        Breaks(Law.ConstantInput, Of((n, x) => n.S.Center(x) / n.S.Variance(x).Sqrt()),
            new() { Skip = ~Law.ConstantInput });

    [Fact]
    public void AScaleThatStaysIsFound() =>
        Breaks(Law.ScaleInvariance, Of((n, x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Power(0.25)));

    [Fact]
    public void SharingTheBatchUnsaidIsFound() =>
        Breaks(Law.BatchIndependence, Of((n, x) => Right(n, x) + 0.1 * Right(n, x).Mean([0], keepAxes: true)));

    [Fact]
    public void DependingOnTheOrderOfTheBatchIsFound() => Breaks(Law.BatchPermutation, Of((n, x) =>
    {
        if (x.Shape[0] == 1) return Right(n, x);
        var (first, others) = (x.Slice(0, 0, 1), x.Slice(0, 1, x.Shape[0] - 1));
        return Right(n, first).Concatenate(0, Right(n, others));
    }, batch: true, perChannel: true));

    // Every second channel to the same group.
    [Fact]
    public void InterleavedGroupsAreFound() => Breaks(Law.ChannelPermutation, Of((n, x) =>
    {
        if (n.S.Groups == 1) return Right(n, x);
        var interleaved = x.Reshape(x.Count / n.Channels, n.Channels / 2, 2).Permute(0, 2, 1).Reshape(x.Shape);
        return Right(n, interleaved).Reshape(x.Count / n.Channels, 2, n.Channels / 2).Permute(0, 2, 1).Reshape(x.Shape);
    }));

    [Fact]
    public void AGradientThroughOneOfTheTwoStatisticsIsFound()
    {
        Breaks(Law.Derivatives, Of((n, x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Sqrt().StopGradient()));
        Breaks(Law.Derivatives, Of((n, x) => (x - n.S.Mean(x).StopGradient()) / (n.S.Variance(x) + n.Eps).Sqrt()));
    }

    // The further laws need no difference quotient to see it.
    [Theory]
    [InlineData(Law.GradientSums, "variance")]
    [InlineData(Law.GradientSums, "mean")]
    [InlineData(Law.MeanSquare, "unbiased")]
    [InlineData(Law.MeanSquare, "eps outside")]
    [InlineData(Law.ZeroMean, "not centred")]
    [InlineData(Law.SymmetricJacobian, "turned")]
    public void TheFurtherLawsSeeIt(Law law, string mistake)
    {
        var mistakes = new Dictionary<string, Func<Variant, Tensor, Tensor>>
        {
            ["variance"] = (n, x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Sqrt().StopGradient(),
            ["mean"] = (n, x) => (x - n.S.Mean(x).StopGradient()) / (n.S.Variance(x) + n.Eps).Sqrt(),
            ["unbiased"] = (n, x) => Right(n, x) * Math.Sqrt(1 - 1.0 / n.S.Geometry(x.Shape).SetSize),
            ["eps outside"] = (n, x) => n.S.Center(x) / (n.S.Variance(x).Abs().Power(0.5) + n.Eps),
            ["not centred"] = (n, x) => Right(n, x) + 1e-3,
            // The channels are turned by one on the way back.
            ["turned"] = (n, x) => Tape.Record("turned", Right(n, x).StopGradient(),
                (x, (_, g) => g.Slice(-1, 1, n.Channels - 1).Concatenate(-1, g.Slice(-1, 0, 1)))),
        };
        // What else each of them breaks.
        var except = law switch
        {
            Law.SymmetricJacobian => Law.GradientSums,
            Law.MeanSquare => Law.GradientSums | Law.SymmetricJacobian,
            Law.GradientSums => Law.ZeroMean | Law.MeanSquare,
            _ => Law.None,
        };
        Breaks(law, () => NormalizationLaws.CheckMeanAndVariance(Of(mistakes[mistake]), new() { Skip = except }));
    }

    [Fact]
    public void TheReportNamesTheSmallestShapeAndTheSeed()
    {
        var broken =
            Breaks(Law.BatchIndependence, Of((n, x) => Right(n, x) + 0.1 * Right(n, x).Mean([0], keepAxes: true)));
        // two samples, and two positions, so that x^ is not 0
        Assert.Equal(new Shape(2, 2, 1), Assert.Single(broken.Shapes));
        Assert.Contains($"Replay = {broken.Seed}", broken.Message);
        Assert.Contains("Variant", broken.Message);
    }

    private sealed class Watching(HashSet<Shape> shapes) : Module
    {
        protected override Tensor Forward(Tensor x)
        {
            shapes.Add(x.Shape);
            return x;
        }
    }

    [Fact]
    public void RanksChannelsAndEmptyBatchesAreTried()
    {
        var shapes = new HashSet<Shape>();
        NormalizationLaws.Check(_ => new Watching(shapes), new() { Order = 1, Skip = ~Law.DevicesAgree });
        Assert.Equal([2, 3, 4, 5], shapes.Select(shape => shape.Rank).Distinct().Order());
        Assert.Equal([1, 2, 3, 4, 6, 7], shapes.Select(shape => shape[-1]).Distinct().Order());
        Assert.Contains(shapes, shape => shape.Rank == 2 && shape[0] == 1);
        Assert.Contains(shapes, shape => shape[0] == 3);
        Assert.Contains(shapes, shape => shape[0] == 0);
    }
}
