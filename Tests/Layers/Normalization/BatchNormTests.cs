using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>Running statistics: which numbers, when they are taken over, and what evaluation does with them.</summary>
public sealed class BatchNormTests : IDisposable
{
    private readonly IDisposable device = Device.Use(Device.Reference);

    public void Dispose() => device.Dispose();

    // One channel with the elements 0 and 4: mean 2, biased variance 4, unbiased variance 8.
    private static readonly double[] ZeroAndFour = [0, 4];

    private static Tensor Column(params double[] values) => Tensor.From(values, new Shape(values.Length, 1));

    private static void Train(BatchNorm layer, params double[][] batches)
    {
        using var tape = Tape.Training(new RandomSource(1));
        var loss = batches.Select(batch => layer.Apply(Column(batch)).Square().Mean()).Aggregate((a, b) => a + b);
        tape.Gradients(loss).CommitStatistics();
    }

    private static void AssertStatistics(BatchNorm layer, double mean, double variance)
    {
        Assert.Equal(mean, layer.RunningMean.Value.ToDouble(), 1e-14);
        Assert.Equal(variance, layer.RunningVariance.Value.ToDouble(), 1e-14);
    }

    [Fact]
    public void PyTorchsConventionIsTheDefault()
    {
        var layer = new BatchNorm(1);
        Train(layer, ZeroAndFour);
        AssertStatistics(layer, 0.1 * 2, 0.9 + 0.1 * 8);
        Train(layer, ZeroAndFour);
        AssertStatistics(layer, 0.9 * 0.2 + 0.1 * 2, 0.9 * 1.7 + 0.1 * 8);
        Assert.Equal(1e-5, layer.Eps);
    }

    [Fact]
    public void KerasAndFlaxKeepTheBiasedVarianceAndForgetSlowly()
    {
        foreach (var (convention, eps) in new[] { (BatchNormConvention.Keras, 1e-3), (BatchNormConvention.Flax, 1e-5) })
        {
            var layer = new BatchNorm(1, convention);
            Train(layer, ZeroAndFour);
            AssertStatistics(layer, 0.01 * 2, 0.99 + 0.01 * 4);
            Assert.Equal(eps, layer.Eps);
        }
    }

    [Fact]
    public void TrainingUsesTheBatchAndEvaluationTheRunningStatistics()
    {
        var layer = new BatchNorm(1, BatchNormConvention.PyTorch with { Eps = 0.5 });
        layer.Weight!.Value = Tensor.From([3.0], new Shape(1));
        layer.Bias!.Value = Tensor.From([7.0], new Shape(1));
        layer.RunningMean.Value = Tensor.From([10.0], new Shape(1));
        layer.RunningVariance.Value = Tensor.From([8.5], new Shape(1));
        using (Tape.Training(new RandomSource(1)))
        {
            var y = layer.Apply(Column(ZeroAndFour)).ToDoubles();   // deviation sqrt(4 + 0.5): the biased variance
            Assert.Equal(7 - 3 * 2 / Math.Sqrt(4.5), y[0], 1e-14);
            Assert.Equal(7 + 3 * 2 / Math.Sqrt(4.5), y[1], 1e-14);
        }
        double[] evaluated = [7 + 3 * (0 - 10) / 3.0, 7 + 3 * (4 - 10) / 3.0];   // sqrt(8.5 + 0.5) = 3
        Assert.Equal(evaluated, layer.Apply(Column(ZeroAndFour)).ToDoubles());
        using (Tape.Evaluating()) Assert.Equal(evaluated, layer.Apply(Column(ZeroAndFour)).ToDoubles());
        AssertStatistics(layer, 10, 8.5);   // none of this was committed
    }

    [Fact]
    public void ALayerAppliedTwiceInAStepSawOneLargerSet()
    {
        var layer = new BatchNorm(1);
        Train(layer, ZeroAndFour, [6]);
        // {0, 4, 6}: mean 10/3, squares (100 + 4 + 64) / 9, divided by 3 - 1: 28/3.
        AssertStatistics(layer, 0.1 * 10 / 3, 0.9 + 0.1 * 28 / 3);
    }

    [Fact]
    public void MicroBatchesTogetherAreOneBatch()
    {
        var (whole, parts) = (new BatchNorm(1), new BatchNorm(1));
        Train(whole, [1, 5, 2, 9, 9]);
        Gradients? sum = null;
        foreach (var part in (double[][])[[1, 5], [2], [9, 9]])
        {
            using var tape = Tape.Training(new RandomSource(1));
            var gradients = tape.Gradients(parts.Apply(Column(part)).Square().Mean());
            sum = (sum is null ? gradients : sum + gradients).Keep();
        }
        sum!.CommitStatistics();
        AssertStatistics(parts, whole.RunningMean.Value.ToDouble(), whole.RunningVariance.Value.ToDouble());
    }

    [Fact]
    public void EvaluatingBeforeAnythingWasCommittedIsRefusedInWords()
    {
        var layer = new BatchNorm(1);
        var model = new Sequential(("bn1", layer));
        void Refused()
        {
            var error = Assert.Throws<InvalidOperationException>(() => model.Apply(Column(ZeroAndFour)));
            Assert.StartsWith("bn1: BatchNorm cannot evaluate: it has no running statistics yet.", error.Message);
        }
        Refused();
        Gradients gradients;
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            gradients = tape.Gradients(model.Apply(Column(ZeroAndFour)).Square().Mean()).Keep();
        }
        Refused();   // proposed is not committed
        AssertStatistics(layer, 0, 1);
        gradients.CommitStatistics();
        model.Apply(Column(ZeroAndFour));
        Assert.Throws<InvalidOperationException>(gradients.CommitStatistics);   // once
        AssertStatistics(layer, 0.2, 1.7);
    }

    [Fact]
    public void StatisticsThatHappenToBeStandardAreStatistics()
    {
        var layer = new BatchNorm(1);
        Train(layer, [-1, 0, 1]);   // mean 0, unbiased variance 1: what every layer starts with
        AssertStatistics(layer, 0, 1);
        Assert.Equal(2 / Math.Sqrt(1 + 1e-5), layer.Apply(Column(2)).ToDouble(), 1e-14);
    }

    [Fact]
    public void LoadedStatisticsAreEnoughToEvaluateAndUntrainedOnesAreNot()
    {
        var path = Path.GetTempFileName();
        try
        {
            var (trained, loaded, untrained) = (new BatchNorm(1), new BatchNorm(1), new BatchNorm(1));
            untrained.Save(path);
            loaded.Load(path);
            Assert.Throws<InvalidOperationException>(() => loaded.Apply(Column(1)));
            Train(trained, ZeroAndFour);
            trained.Save(path);
            loaded.Load(path);
            Assert.Equal(trained.Apply(Column(1)).ToDouble(), loaded.Apply(Column(1)).ToDouble(), 1e-6);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ABatchWithoutSamplesProposesNothing()
    {
        var layer = new BatchNorm(1);
        Train(layer, ZeroAndFour);
        using (var tape = Tape.Training(new RandomSource(1)))
            tape.Gradients(layer.Apply(Tensor.Zeros(new Shape(0, 3, 1))).Sum()).CommitStatistics();
        AssertStatistics(layer, 0.2, 1.7);
    }

    [Fact]
    public void OneElementHasNoVarianceToLearnFrom()
    {
        foreach (var convention in (BatchNormConvention[])[BatchNormConvention.PyTorch, BatchNormConvention.Flax])
        {
            var layer = new BatchNorm(1, convention);
            Train(layer, [5]);
            AssertStatistics(layer, 5 * convention.NewWeight, 1);
            layer.Apply(Column(5));
        }
    }

    [Fact]
    public void RunningStatisticsAreKeptButNotTrained()
    {
        var layer = new BatchNorm(2);
        Assert.Equal(["weight", "bias"], layer.Parameters.Select(parameter => parameter.Name));
        Assert.Equal(["weight", "bias", "running_mean", "running_var"],
            layer.State.Select(parameter => parameter.Name));
        Assert.Equal("group batch:keras", $"group {new BatchNorm(2, BatchNormConvention.Keras).Variant}");
    }

    [Fact]
    public void StatisticsArePerChannelOverAllPositions()
    {
        var layer = new BatchNorm(2);
        // Channel 0 holds 0, 4, 4, 0: mean 2, unbiased variance 16/3; channel 1 holds 10, 10, 10, 14: mean 11, unbiased
        // (3 + 9) / 3 = 4.
        var x = Tensor.From([0.0, 10, 4, 10, 4, 10, 0, 14], new Shape(2, 1, 2, 2));
        using (var tape = Tape.Training(new RandomSource(1)))
            tape.Gradients(layer.Apply(x).Square().Mean()).CommitStatistics();
        Assert.Equal([0.2, 1.1], layer.RunningMean.Value.ToDoubles(), (a, b) => Math.Abs(a - b) < 1e-14);
        Assert.Equal([0.9 + 1.6 / 3, 1.3], layer.RunningVariance.Value.ToDoubles(), (a, b) => Math.Abs(a - b) < 1e-14);
    }
}
