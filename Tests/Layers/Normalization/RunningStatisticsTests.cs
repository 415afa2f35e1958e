using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>What normalizations remember: any tensors, pooled, counted, recomputed.</summary>
public sealed class RunningStatisticsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("statistics").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    internal static Tensor Images(long seed, int samples) =>
        Tensor.Normal(new Shape(samples, 6, 5, 3), new RandomSource(seed)) * 2 + 1;

    internal static void Step(Module model, Tensor x, double rate = 0.1)
    {
        using var tape = Tape.Training(new RandomSource(1));
        new Sgd(model.Parameters).Step(tape.Gradients(model.Apply(x).Square().Mean()), rate);
    }

    // ---- counted ----------------------------------------------------------------------------------------------------

    [Fact]
    public void Weights_of_a_fresh_network_evaluate_once_they_were_loaded()
    {
        // What every network of PyTorch starts with: running mean 0, running variance 1.
        Module Model() => new ModelSpec("resnet8", "batch", Classes: 3).Build(seed: 1);
        StateDict.Save(Model(), FilePath);
        var model = Model();
        Assert.Throws<InvalidOperationException>(() => model.Apply(Images(1, 2)));
        StateDict.Load(model, FilePath);
        var logits = model.Apply(Images(1, 2)).ToDoubles();
        // And again from a file of our own.
        model.Save(FilePath);
        var loaded = Model();
        loaded.Load(FilePath);
        Assert.Equal(logits, loaded.Apply(Images(1, 2)).ToDoubles());
        Assert.Equal(model.Metadata, loaded.Metadata);
    }

    [Fact]
    public void Each_layer_is_counted_by_itself()
    {
        var (seen, unseen) = (new BatchNorm(3), new BatchNorm(3));
        Step(seen, Images(1, 4));
        Assert.Equal((1, 0), (seen.Running!.Count, unseen.Running!.Count));
        new Sequential(seen, unseen).Save(FilePath);
        var (first, second) = (new BatchNorm(3), new BatchNorm(3));
        new Sequential(first, second).Load(FilePath);
        Assert.True(first.Running!.Count > 0);
        Assert.Equal(0, second.Running!.Count);
        Assert.StartsWith("1: BatchNorm cannot evaluate",
            Assert.Throws<InvalidOperationException>(() => second.Apply(Images(1, 2))).Message);
        Step(second, Images(1, 4));
        second.Apply(Images(1, 2));
    }

    // Whatever the layer has seen before, and whatever becomes of it afterwards.
    [Fact]
    public void What_was_never_trained_is_so_again_when_it_is_loaded_and_no_longer_once_it_is_trained()
    {
        new BatchNorm(3).Save(FilePath);
        var norm = new BatchNorm(3);
        for (var i = 0; i < 3; i++) Step(norm, Images(i, 4));
        for (var i = 0; i < 2; i++)
        {
            norm.Load(FilePath);
            Assert.Equal(0, norm.Running!.Count);
            Assert.Empty(norm.Metadata);
        }
        Step(norm, Images(4, 4));
        Assert.Equal(1, norm.Running!.Count);
        norm.Save(FilePath);
        var loaded = new BatchNorm(3);
        loaded.Load(FilePath);
        Assert.Equal(norm.Apply(Images(5, 2)).ToDoubles(), loaded.Apply(Images(5, 2)).ToDoubles());
    }

    [Fact]
    public void A_new_batch_has_a_weight_above_0_and_at_most_1()
    {
        foreach (var weight in (double[])[0, -0.1, 1.1, double.NaN])
            Refuses<ArgumentOutOfRangeException>(() => new PowerNorm(3, weight), "(0, 1]");
        Assert.Equal(1, new PowerNorm(3, 1).Running!.NewWeight);
    }

    // ---- any tensors, pooled ----------------------------------------------------------------------------------------

    // Remembers the mean square and the mean of the fourth powers of each channel: neither a mean nor a variance.
    private sealed class PowerNorm : Norm
    {
        private readonly RunningStatistics running;

        public PowerNorm(int channels, double newWeight = 0.25)
            : base(channels, new Sharing(Batch: true, Positions: true, channels), eps: 0) =>
            running = Remember(newWeight, [("running_square", Tensor.Ones(new Shape(channels))),
                ("running_fourth", Tensor.Ones(new Shape(channels)))]);

        public static Tensor[] Powers(Tensor x) =>
            [.. ((Tensor[])[x.Square(), x.Square().Square()])
                .Select(power => power.Mean([.. Enumerable.Range(0, x.Shape.Rank - 1)]))];

        protected override Tensor Normalize(Tensor x)
        {
            if (!IsLearning) return x / running[0].Sqrt() + running[1] * 0;
            var powers = Powers(x);
            running.Propose(new Means(x.Count / Channels, powers));
            return x / powers[0].Sqrt() + powers[1] * 0;
        }
    }

    [Fact]
    public void Statistics_of_parts_are_those_of_the_whole() =>
        Prop.ForAll(Gen.Choose(1, 4).ListOf(3).ToArbitrary(), ArbMap.Default.ArbFor<int>(), (sizes, seed) =>
        {
            using var device = Device.Use(Device.Reference);
            Tensor[] parts = [.. sizes.Select((size, i) => Images(seed + i, size))];
            var (whole, pooled) = (new PowerNorm(3), new PowerNorm(3));
            Tapegrad.Gradients? sum = null;
            foreach (var part in parts)
            {
                using var tape = Tape.Training(new RandomSource(1));
                var gradients = tape.Gradients(pooled.Apply(part).Mean());
                sum = (sum is null ? gradients : sum + gradients).Keep();
            }
            sum!.CommitStatistics();
            var expected = PowerNorm.Powers(parts[0].Concatenate(0, parts[1..]));
            foreach (var (value, power) in pooled.Running!.Values.Zip(expected))
                Same((0.75 + 0.25 * power).ToDoubles(), value.Value.ToDoubles(), 1e-12);
            using (var tape = Tape.Training(new RandomSource(1)))
                tape.Gradients(whole.Apply(parts[0].Concatenate(0, parts[1..])).Mean()).CommitStatistics();
            foreach (var (a, b) in whole.State.Zip(pooled.State)) Same(a.Value.ToDoubles(), b.Value.ToDoubles(), 1e-12);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(20));

    [Fact]
    public void Statistics_of_ones_own_are_saved_and_seen_where_they_are_not_finite()
    {
        var model = new Sequential(("power", new PowerNorm(3)));
        Assert.Equal(["power.weight", "power.bias", "power.running_square", "power.running_fourth"],
            model.State.Select(parameter => parameter.Name));
        Step(model, Images(1, 3), rate: 0);
        model.Save(FilePath);
        var other = new Sequential(("power", new PowerNorm(3)));
        other.Load(FilePath);
        Assert.Equal(model.Apply(Images(2, 2)).ToDoubles(), other.Apply(Images(2, 2)).ToDoubles());
        var before = model.State.Select(parameter => parameter.Value.ToDoubles()).ToArray();
        // The fourth powers run over, the gradients do not.
        using var tape = Tape.Training(new RandomSource(1));
        var gradients = tape.Gradients(model.Apply(Images(1, 3)).Mean());
        tape.Propose(((PowerNorm)model.Children[0]).Running!,
            new Means(1, Tensor.Ones(new Shape(3)), Tensor.Full(new Shape(3), double.PositiveInfinity)));
        gradients = tape.Gradients(model.Apply(Images(1, 3)).Mean());
        Refuses<NonFiniteException>(() => new Sgd(model.Parameters).Step(gradients, 0.1),
            "the batch statistics of power hold");
        Assert.Equal(before, model.State.Select(parameter => parameter.Value.ToDoubles()));
    }

    [Fact]
    public void The_weight_of_a_new_batch_is_a_share_and_values_are_given_once()
    {
        foreach (var wrong in (double[])[0, -0.1, 1.1, double.NaN])
            Refuses<ArgumentOutOfRangeException>(() => new PowerNorm(3, wrong), "the weight of a new batch");
        var last = new PowerNorm(3, newWeight: 1);   // the last batch alone
        foreach (var seed in (long[])[1, 2]) Step(last, Images(seed, 4), rate: 0);
        Same(PowerNorm.Powers(Images(2, 4))[0].ToDoubles(), last.Running!.Values[0].Value.ToDoubles(), 1e-5);
        Refuses<InvalidOperationException>(() => new Forgetful(3), "Forgetful remembers twice");
        Assert.Equal("PowerNorm", last.Running.Name);   // it stands alone
        Refuses<InvalidOperationException>(() => new BatchNorm(3).Apply(Images(1, 2)), "BatchNorm cannot");
    }

    private sealed class Forgetful : Norm
    {
        public Forgetful(int channels) : base(channels, new Sharing(Batch: true, Positions: true, channels))
        {
            foreach (var name in (string[])["running_mean", "running_var"])
                Remember(0.1, [(name, Tensor.Zeros(new Shape(channels)))]);
        }
    }

    // ---- recomputed -------------------------------------------------------------------------------------------------

    [Fact]
    public void Recomputed_statistics_are_those_of_all_batches_together() => OnBothDevices(() =>
    {
        var random = new RandomSource(1);
        var (convolution, norm) = (new Conv2d(3, 4, 3, random), new BatchNorm(4));
        var model = new Sequential(convolution, norm, new Conv2d(4, 2, 1, random), new BatchNorm(2));
        Step(model, Images(9, 4));
        var parameters = model.Parameters.Select(parameter => parameter.Value.ToDoubles()).ToArray();
        Tensor[] batches = [Images(1, 2), Images(2, 5), Images(3, 1)];
        model.RecomputeStatistics(batches, random);
        var all = convolution.Apply(batches[0].Concatenate(0, batches[1..]));
        var (mean, variance) = (new Sharing(true, true, 4).Mean(all).Reshape(4),
            new Sharing(true, true, 4).Variance(all).Reshape(4));
        var count = all.Count / 4.0;
        Same(mean.ToDoubles(), norm.RunningMean.Value.ToDoubles(), 1e-5);
        Same((variance * (count / (count - 1))).ToDoubles(), norm.RunningVariance.Value.ToDoubles(), 1e-5);
        Assert.Equal(parameters, model.Parameters.Select(parameter => parameter.Value.ToDoubles()));

        // Only those that were asked for, and no frozen ones.
        var last = (BatchNorm)model.Children[3];
        var before = (norm.RunningMean.Value.ToDoubles(), last.RunningMean.Value.ToDoubles());
        model.RecomputeStatistics([Images(7, 3)], random, [last]);
        Assert.Equal(before.Item1, norm.RunningMean.Value.ToDoubles());
        Assert.NotEqual(before.Item2, last.RunningMean.Value.ToDoubles());
        norm.IsFrozen = true;
        model.RecomputeStatistics([Images(8, 3)], random);
        Assert.Equal(before.Item1, norm.RunningMean.Value.ToDoubles());
        Refuses<InvalidOperationException>(() => model.RecomputeStatistics([], random), "no batch");
        Refuses<InvalidOperationException>(() => model.RecomputeStatistics([Images(8, 3)], random, [norm]),
            "no statistics were recomputed");
    });

    [Fact]
    public void A_layer_that_draws_draws_anew_for_each_batch()
    {
        var norm = new BatchNorm(3);
        var model = new Sequential(new Dropout(0.5), norm);
        double[] MeanOf(int batches)
        {
            model.RecomputeStatistics(Enumerable.Repeat(Images(1, 4), batches), new RandomSource(1));
            return norm.RunningMean.Value.ToDoubles();
        }
        Assert.Equal(MeanOf(1), MeanOf(1));
        Assert.All(MeanOf(1).Zip(MeanOf(2)), means => Assert.True(Math.Abs(means.First - means.Second) > 1e-4));
    }
}
