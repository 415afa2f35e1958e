using Tapegrad.Laws;
using Tapegrad.Layers;
using Xunit;
using Base = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// The laws on a normalization with parameters and statistics of its own: the switchable one (Luo et al., 2018), which
/// learns how much of each of three means and variances it takes: of the sample's channel, of the sample, of the
/// batch's channel. In training all seems well with each of these; evaluation tells.
/// </summary>
public sealed class SwitchableNormLawsTests
{
    private sealed class SwitchableNorm : Base, IStatistics
    {
        private const double New = 0.1;   // of a new batch in what runs

        private readonly Parameter ofMeans, ofVariances, mean, variance;

        public SwitchableNorm(int channels)
            : base(channels, new Sharing(Batch: true, Positions: true, Groups: channels))
        {
            ofMeans = Parameter("mean_weight", Tensor.Zeros(new Shape(3)));
            ofVariances = Parameter("var_weight", Tensor.Zeros(new Shape(3)));
            mean = Parameter("running_mean", Tensor.Zeros(new Shape(channels)), trainable: false);
            variance = Parameter("running_var", Tensor.Ones(new Shape(channels)), trainable: false);
        }

        /// <summary>What evaluation makes of the running variance, and which weights it takes for it.</summary>
        public Func<Tensor, Tensor> OfRunningVariance { get; init; } = variance => variance;

        public bool MixesUpWeights { get; init; }

        public bool ForgetsRunningMean { get; init; }

        string IStatistics.Name => "switchable";

        void IStatistics.Commit(IPendingStatistics pending)
        {
            using var _ = new Scope();
            var moments = (Moments)pending;
            mean.Value = mean.Value * (1 - New) + moments.Mean * New;
            variance.Value = variance.Value * (1 - New) + moments.Variance * New;
        }

        protected override Tensor Normalize(Tensor x)
        {
            var (instance, layer) = (new Sharing(false, true, Channels), new Sharing(false, true, 1));
            Tensor centered, spread;
            if (Tape.Current is { IsTraining: true } tape)
            {
                tape.Propose(this, S.Moments(x));
                (centered, spread) = (S.Center(x), S.Variance(x));
            }
            else (centered, spread) = (ForgetsRunningMean ? x : x - mean, OfRunningVariance(variance));
            // The weights of the means add up to 1, so x less their mean is the mean of what x is less each.
            var (p, q) = (Weights(ofMeans),
                Weights(MixesUpWeights && Tape.Current is not { IsTraining: true } ? ofMeans : ofVariances));
            return (p[0] * instance.Center(x) + p[1] * layer.Center(x) + p[2] * centered)
                / (q[0] * instance.Variance(x) + q[1] * layer.Variance(x) + q[2] * spread + Eps).Sqrt();
        }

        private static Tensor[] Weights(Tensor logits)
        {
            var weights = logits.Exp() / logits.Exp().Sum();
            return [weights.Slice(0, 0, 1), weights.Slice(0, 1, 1), weights.Slice(0, 2, 1)];
        }
    }

    [Fact]
    public void It_obeys_all_but_one() =>
        NormalizationLaws.Check(channels => new SwitchableNorm(channels), except: ["BatchIndependence"]);

    [Fact]
    public void A_wrong_branch_of_evaluation_is_found()
    {
        Breaks(channels => new SwitchableNorm(channels) { OfRunningVariance = variance => variance.Sqrt() });
        // as if nothing had been committed
        Breaks(channels => new SwitchableNorm(channels) { OfRunningVariance = variance => variance * 0 + 1 });
        Breaks(channels => new SwitchableNorm(channels) { ForgetsRunningMean = true });
        // Only where the two kinds of weights differ, as they do when every parameter is drawn.
        Breaks(channels => new SwitchableNorm(channels) { MixesUpWeights = true });

        static void Breaks(Func<int, SwitchableNorm> create) =>
            Assert.Equal(Law.EvaluationLimit,
                Assert.Throws<LawException>(() => NormalizationLaws.Check(create, except: ["BatchIndependence"])).Law);
    }
}
