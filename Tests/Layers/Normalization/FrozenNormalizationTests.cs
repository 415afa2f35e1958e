using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Layers.Normalization.RunningStatisticsTests;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>What is frozen stays, and computes as in evaluation; what is half frozen is noticed.</summary>
public sealed class FrozenNormalizationTests
{
    [Fact]
    public void What_is_frozen_stays_and_computes_as_in_evaluation() => OnBothDevices(() =>
    {
        var model = new ModelSpec("resnet8", "batch", Classes: 3, Width: 4).Build(seed: 1);
        Step(model, Images(1, 4));
        var part = model.Modules.First(layer => layer.Path == "layer2");
        var trainable = model.Parameters.Count;
        part.IsFrozen = true;
        Assert.Equal(trainable - part.State.Count(parameter => !parameter.Name.Contains("running")),
            model.Parameters.Count);
        double[][] Of(IEnumerable<Parameter> state) => [.. state.Select(parameter => parameter.Value.ToDoubles())];
        var (frozen, others) = (Of(part.State), Of(model.State.Except(part.State)));
        var x = Tensor.Normal(new Shape(2, 6, 5, 4), new RandomSource(3));
        var evaluated = part.Apply(x).ToDoubles();
        using (Tape.Training(new RandomSource(1))) Assert.Equal(evaluated, part.Apply(x).ToDoubles());
        Step(model, Images(2, 4));
        Assert.Equal(frozen, Of(part.State));
        Assert.All(others.Zip(Of(model.State.Except(part.State))), pair => Assert.NotEqual(pair.First, pair.Second));
        part.IsFrozen = false;
        Assert.Equal(trainable, model.Parameters.Count);   // running statistics are not trained now either
        Step(model, Images(3, 4));
        Assert.All(frozen.Zip(Of(part.State)), pair => Assert.NotEqual(pair.First, pair.Second));
    });

    [Fact]
    public void What_was_frozen_by_itself_stays_so_when_its_module_is_thawed()
    {
        var model = new ModelSpec("resnet8", "group:4", Classes: 3).Build(seed: 1);
        var alone = model.Parameters[3];
        alone.IsTrainable = false;
        var trained = model.Parameters.ToArray();
        for (var times = 0; times < 2; times++)
        {
            model.IsFrozen = true;
            model.IsFrozen = true;   // again changes nothing
            Assert.Empty(model.Parameters);
            model.IsFrozen = false;
            Assert.Equal(trained, model.Parameters);
        }
        model.IsFrozen = false;
        Assert.False(alone.IsTrainable);
    }

    [Fact]
    public void A_half_frozen_layer_that_stands_alone_is_called_by_its_type()
    {
        using var notices = HeardNotices.BeginningWith("LoneNorm: gamma and beta are frozen");
        var norm = new LoneNorm(3);
        norm.Weight!.IsTrainable = norm.Bias!.IsTrainable = false;
        using (Tape.Training(new RandomSource(1))) norm.Apply(Images(1, 4));
        Assert.Single(notices.All);
    }

    private sealed class LoneNorm : Norm
    {
        public LoneNorm(int channels) : base(channels, new Sharing(Batch: true, Positions: true, channels)) =>
            Remember(0.1, [("running_square", Tensor.Ones(new Shape(channels)))]);

        protected override Tensor Normalize(Tensor x)
        {
            Running!.Propose(new Means(x.Count / Channels, S.MeanSquare(x).Reshape(Channels)));
            return x;
        }
    }

    [Fact]
    public void Frozen_gamma_and_beta_alone_are_noticed_once()
    {
        var norm = new BatchNorm(3);
        var model = new Sequential(("conv", new Conv2d(3, 3, 1, new RandomSource(1))), ("bn1", norm));
        var notices = new List<string>();
        void Listen(string notice)
        {
            if (notice.Contains("running statistics go on")) notices.Add(notice);
        }
        Notices.Raised += Listen;
        try
        {
            norm.Weight!.IsTrainable = false;
            Step(model, Images(1, 4));
            Assert.Empty(notices);   // beta is trained
            norm.Bias!.IsTrainable = false;
            norm.IsFrozen = true;
            Step(model, Images(1, 4));
            Assert.Empty(notices);
            norm.IsFrozen = false;
            norm.Weight!.IsTrainable = norm.Bias!.IsTrainable = false;
            for (var i = 0; i < 3; i++) Step(model, Images(1, 4));
        }
        finally
        {
            Notices.Raised -= Listen;
        }
        Assert.StartsWith("bn1: BatchNorm: gamma and beta are frozen", Assert.Single(notices));
    }
}
