using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

public sealed class InstanceNormTests
{
    [Fact]
    public void ObeysTheLaws() => Twins.ObeyTheLaws(channels => new InstanceNorm(channels));

    // Two positions of two channels: 0, 4 in one channel, 2, 6 in the other.
    [Fact]
    public void SharesOverThePositionsOfAChannel() => Worked.OnBothDevices(() =>
        Worked.Gives(new InstanceNorm(2, eps: 0).Apply(Worked.Of([1, 2, 2], 0, 2, 4, 6)), new Shape(1, 2, 2), -1,
            -1, 1, 1));

    [Theory]
    [InlineData(1, 5, 7)]
    [InlineData(1, 3, 5, 6)]
    public void OneSampleOfABatchNormIsAnInstance(params int[] shape) =>
        Twins.Agree(channels => new BatchNorm(channels), channels => new InstanceNorm(channels), shape);

    // Sharing the batch, or not, is the same for a batch of one, whoever else shares.
    [Theory]
    [InlineData(true, 1)]
    [InlineData(true, 3)]
    [InlineData(false, 1)]
    [InlineData(false, 2)]
    public void ABatchOfOneSharesWithNobody(bool positions, int groups) => Twins.Agree(
        channels => new Twins.Shared(channels, new Sharing(true, positions, groups)),
        channels => new Twins.Shared(channels, new Sharing(false, positions, groups)), [1, 3, 5, 6]);
}
