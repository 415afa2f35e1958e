using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Golden;

/// <summary>Values, gradients of x, gamma and beta, and running statistics, as PyTorch has them.</summary>
public sealed class NormalizationGoldenTests
{
    [Fact]
    public void GroupNormIsPyTorchs() => Check("group_norm", 6, (golden, channels, eps) =>
        new GroupNorm(channels, GroupSpec.Count(golden.Arguments.GetProperty("groups").GetInt32()), eps));

    [Fact]
    public void GroupsByTheirSizeAreTheSame() => Check("group_norm", 6, (golden, channels, eps) =>
        new GroupNorm(channels, GroupSpec.Size(channels / golden.Arguments.GetProperty("groups").GetInt32()), eps));

    [Fact]
    public void OneGroupIsLayerNorm()
    {
        // LayerNorm over (C, positions) with gamma and beta per channel is the file's group_norm with one group.
        var golden = Assert.Single(GoldenCase.Read("norms.json", "group_norm"), golden =>
            golden.Arguments.GetProperty("groups").GetInt32() == 1);
        golden.Check((golden, tape) => Apply(golden, tape, (_, channels, eps) => new LayerNorm(channels, eps: eps)));
    }

    [Fact]
    public void InstanceNormIsPyTorchs() =>
        Check("instance_norm", 5, (_, channels, eps) => new InstanceNorm(channels, eps));

    [Fact]
    public void BatchNormInTrainingIsPyTorchs() =>
        Check("batch_norm_train", 6, (golden, channels, eps) => new BatchNorm(channels, Convention(golden, eps)));

    [Fact]
    public void BatchNormInEvaluationIsPyTorchs() => Check("batch_norm_eval", 6, (golden, channels, eps) =>
    {
        var layer = new BatchNorm(channels, Convention(golden, eps));
        layer.RunningMean.Value = golden.Fill([channels], k: 50);
        layer.RunningVariance.Value = golden.Fill([channels], k: 51, scale: 0.4, offset: 1);
        return layer;
    }, training: false);

    [Theory]
    [InlineData(false, 1e-9)]
    [InlineData(true, 1e-4)]
    public void RunningStatisticsAreThoseOfPyTorch(bool inFloat, double tolerance)
    {
        using var device = Device.Use(inFloat ? Device.Cpu : Device.Reference);
        var cases = GoldenCase.Read("norms.json", "batch_norm_train");
        Assert.Equal(6, cases.Count);
        foreach (var golden in cases)
        {
            var x = golden.Input("x");
            var layer = new BatchNorm(x.Shape[-1], Convention(golden, golden.Arguments.GetProperty("eps").GetDouble()));
            using (var tape = Tape.Training(new RandomSource(1)))
                tape.Gradients(layer.Apply(x).Square().Mean()).CommitStatistics();
            golden.AssertClose("running mean", Expected("running_mean"), layer.RunningMean.Value.ToDoubles(),
                tolerance);
            golden.AssertClose("running variance", Expected("running_variance"),
                layer.RunningVariance.Value.ToDoubles(), tolerance);

            double[] Expected(string name) =>
                [.. golden.Outputs.GetProperty(name).GetProperty("data").EnumerateArray()
                    .Select(value => value.GetDouble())];
        }
    }

    private static void Check(string operation, int count, Func<GoldenCase, int, double, Normalization> create,
        bool training = true)
    {
        var cases = GoldenCase.Read("norms.json", operation);
        Assert.Equal(count, cases.Count);
        foreach (var golden in cases) golden.Check((golden, tape) => Apply(golden, tape, create), training);
    }

    private static (Tensor, (string, Tensor)[]) Apply(GoldenCase golden, Tape tape,
        Func<GoldenCase, int, double, Normalization> create)
    {
        var x = tape.Watch(golden.Input("x"));
        var layer = create(golden, x.Shape[-1], golden.Arguments.GetProperty("eps").GetDouble());
        layer.Weight!.Value = golden.Input("gamma");
        layer.Bias!.Value = golden.Input("beta");
        return (layer.Apply(x), [("x", x), ("gamma", layer.Weight), ("beta", layer.Bias)]);
    }

    private static BatchNormConvention Convention(GoldenCase golden, double eps) => BatchNormConvention.PyTorch with
    {
        Eps = eps,
        NewWeight = golden.Arguments.TryGetProperty("new_weight", out var weight) ? weight.GetDouble() : 1,
    };
}
