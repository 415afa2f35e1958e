using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Adaptive instance normalization (Huang and Belongie, 2017, arXiv:1703.06868): y = deviation(style) x^ + mean(style),
/// x^ of each sample and channel. The style is an image of features, given as the condition.
/// </summary>
public sealed class AdaIn(int channels) : Norm(channels, new Sharing(Batch: false, Positions: true, channels),
    new ConditionalAffine(channels, new MeanAndDeviation(channels), offset: 0))
{
    /// <summary>[N, H, W, C] -> [N, 2C]: the deviation of each channel, and behind it the mean.</summary>
    public sealed class MeanAndDeviation(int channels) : Module
    {
        private readonly Sharing perChannel = new(Batch: false, Positions: true, channels);

        protected override Tensor Forward(Tensor x) => (perChannel.Variance(x) + 1e-5).Sqrt().Reshape(-1, channels)
            .Concatenate(1, perChannel.Mean(x).Reshape(-1, channels));
    }
}
