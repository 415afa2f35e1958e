using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>The baseline: what goes in comes out, and nothing is learned.</summary>
public sealed class NoNormalizationTests
{
    [Fact]
    public void Gives_what_it_is_given_and_adds_and_rectifies_what_it_is_asked_to() => OnBothDevices(() =>
    {
        var layer = new NoNormalization(3);
        Assert.Empty(layer.State);
        var (x, residual) = (Random(1, 2, 5, 3), Random(2, 2, 5, 3));
        Assert.Equal(x.ToDoubles(), layer.Apply(x).ToDoubles());
        Assert.Equal((x + residual).Relu().ToDoubles(), layer.Apply(x, residual, relu: true).ToDoubles());
        Assert.Throws<ShapeException>(() => layer.Apply(Random(1, 2, 5, 4)));
    });
}
