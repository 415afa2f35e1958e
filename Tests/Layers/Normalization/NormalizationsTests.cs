using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>Normalizations by name.</summary>
public sealed class NormalizationsTests
{
    [Theory]
    [InlineData("batch", typeof(BatchNorm))]
    [InlineData("batch:keras", typeof(BatchNorm))]
    [InlineData("batch:flax", typeof(BatchNorm))]
    [InlineData("batch:fast", typeof(BatchNorm))]
    [InlineData("layer", typeof(LayerNorm))]
    [InlineData("layer:position", typeof(LayerNorm))]
    [InlineData("instance", typeof(InstanceNorm))]
    [InlineData("group:8", typeof(GroupNorm))]
    [InlineData("group:16", typeof(GroupNorm))]
    [InlineData("size:8", typeof(GroupNorm))]
    public void ANameMakesALayerThatHasThatName(string name, Type type)
    {
        var layer = Assert.IsAssignableFrom<Tapegrad.Layers.Normalization>(Normalizations.Parse(name)(32));
        Assert.IsType(type, layer);
        Assert.Equal(name, layer.Variant);
        Assert.Equal(32, layer.Channels);
        Assert.Equal(name, Normalizations.NameOf(layer));
        Assert.True(Normalizations.IsKnown(name));
        Assert.StartsWith($"{name}, 32 channels", layer.Settings);
    }

    [Fact]
    public void None_makes_a_layer_that_does_nothing()
    {
        var none = Assert.IsType<NoNormalization>(Normalizations.Parse("none")(32));
        Assert.Equal("none", Normalizations.NameOf(none));
        Assert.Empty(none.State);
        var x = Tensor.Normal(new Shape(2, 3, 32), new RandomSource(1));
        Assert.Same(x, none.Apply(x));
    }

    [Theory]
    [InlineData("")]
    [InlineData("Batch")]
    [InlineData("group")]
    [InlineData("group:")]
    [InlineData("group:0")]
    [InlineData("group:-8")]
    [InlineData("group: 8")]
    [InlineData("group:08")]
    [InlineData("size:01")]
    [InlineData("group:8.0")]
    [InlineData("group:99999999999")]
    [InlineData("layer:8")]
    [InlineData("none ")]
    public void OtherNamesAreRefusedWithTheKnownOnes(string name)
    {
        Assert.False(Normalizations.IsKnown(name));
        var error = Assert.Throws<ArgumentException>(() => Normalizations.Parse(name));
        Assert.StartsWith($"there is no normalization '{name}'. Known are: ", error.Message);
        Assert.All(Normalizations.All, info => Assert.Contains(info.Usage, error.Message));
    }

    [Fact]
    public void WhatNoNameMakesHasNone()
    {
        Tapegrad.Layers.Normalization[] layers =
        [
            new GroupNorm(8, GroupSpec.Count(2), eps: 1e-3), new GroupNorm(8, GroupSpec.Count(2), affine: false),
            new BatchNorm(8, BatchNormConvention.PyTorch with { NewWeight = 0.2 }),
            new BatchNorm(8, BatchNormConvention.PyTorch with { Unbiased = false }),
        ];
        foreach (var layer in layers)
            Assert.False(Normalizations.IsKnown(Normalizations.NameOf(layer)));
        Assert.Equal("GroupNorm(group:2, 8 channels, eps 1e-3)",
            Normalizations.NameOf(new GroupNorm(8, GroupSpec.Count(2), eps: 1e-3)));
    }

    [Fact]
    public void EveryNormalizationSaysWhatItIs()
    {
        var types = typeof(Normalizations).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Tapegrad.Layers.Normalization))).ToArray();
        foreach (var type in types)
        {
            var info = Assert.Single(Normalizations.All, info => info.Parse(info.Examples[0])!(32).GetType() == type);
            Assert.All((string[])[info.Usage, info.Formula, info.Paper], text => Assert.NotEqual("", text));
            Assert.All(info.Examples, example =>
                Assert.Equal(example, Normalizations.NameOf(Normalizations.Parse(example)(32))));
        }
        var own = Normalizations.All.Where(info => types.Contains(info.Parse(info.Examples[0])!(32).GetType()))
            .ToArray();
        Assert.Equal(["batch"], own.Where(info => info.NeedsBatch).Select(info => info.Examples[0]));
        Assert.Equal(["batch"], own.Where(info => info.KeepsState).Select(info => info.Examples[0]));
    }
}
