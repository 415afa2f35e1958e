using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

public sealed class LayerNormTests
{
    [Fact]
    public void ObeysTheLaws() => Twins.ObeyTheLaws(channels => new LayerNorm(channels));

    [Fact]
    public void ObeysTheLawsPerPosition() => Twins.ObeyTheLaws(channels => new LayerNorm(channels, perPosition: true));

    [Fact]
    public void PerPositionSeesEachPositionAsASample() =>
        Twins.Agree(channels => new LayerNorm(channels, perPosition: true), channels => new LayerNorm(channels),
            [2, 3, 5, 6], secondShape: [30, 6]);

    // A sample of two positions and two channels: mean 3, variance (9 + 1 + 1 + 9) / 4 = 5. Per position: means 1 and
    // 5, variance 1.
    [Fact]
    public void SharesOverTheSampleOrOverAPosition() => Worked.OnBothDevices(() =>
    {
        var x = Worked.Of([1, 2, 2], 0, 2, 4, 6);
        var root = Math.Sqrt(5);
        Worked.Gives(new LayerNorm(2, eps: 0).Apply(x), x.Shape, -3 / root, -1 / root, 1 / root, 3 / root);
        Worked.Gives(new LayerNorm(2, perPosition: true, eps: 0).Apply(x), x.Shape, -1, 1, -1, 1);
    });
}
