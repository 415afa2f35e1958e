using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// W^ = (W - mean) / sqrt(variance + eps) of each output channel, and what follows for a convolution and a model.
/// </summary>
public sealed class WeightStandardizationTests
{
    private static readonly RandomSource Random = new(3);

    private static Conv2d Standardized(Conv2d convolution)
    {
        convolution.StandardizeWeights();
        return convolution;
    }

    [Fact]
    public void ObeysTheLawsOfAnOperation() => OperationLaws.Check(weight => weight.Standardize(), Input.Of("h w c O"));

    [Theory]
    [InlineData(1, 1, 2, 1)]
    [InlineData(3, 3, 1, 1)]
    [InlineData(3, 2, 5, 7)]
    [InlineData(3, 3, 16, 16)]
    public void IsThePapersFormulaForEachOutputChannel(int height, int width, int inputs, int outputs)
    {
        using var _ = Device.Use(Device.Reference);
        var weight = Tensor.Normal(new Shape(height, width, inputs, outputs), Random);
        var (values, actual) = (weight.ToDoubles(), weight.Standardize().ToDoubles());
        for (var output = 0; output < outputs; output++)
        {
            var own = Enumerable.Range(0, height * width * inputs).Select(i => values[i * outputs + output]).ToArray();
            var mean = own.Average();
            var deviation = Math.Sqrt(own.Average(w => (w - mean) * (w - mean)) + 1e-5);
            for (var i = 0; i < own.Length; i++)
                Assert.Equal((own[i] - mean) / deviation, actual[i * outputs + output], 1e-12);
        }
    }

    [Fact]
    public void AConvolutionUsesTheStandardizedWeightWithAllItsSettings()
    {
        var layer = new Conv2d(4, 6, new Size2d(3, 2), Random, stride: new Size2d(2, 1), padding: 1,
            dilation: new Size2d(1, 2), groups: 2);
        layer.Bias!.Value = Tensor.Normal(new Shape(6), Random.Split(1));
        var x = Tensor.Normal(new Shape(2, 9, 8, 4), Random.Split(2));
        var (plain, weight) = (layer.Apply(x).ToDoubles(), layer.Weight.Value.ToDoubles());
        layer.StandardizeWeights();
        Assert.EndsWith("groups 2, standardized", layer.Settings);
        Assert.NotEqual(plain, layer.Apply(x).ToDoubles());
        Assert.Equal(x.Conv2d(layer.Weight.Value.Standardize(), layer.Bias.Value, layer.Configuration.Stride,
            layer.Configuration.Padding, layer.Configuration.Dilation, 2).ToDoubles(),
            layer.Apply(x).ToDoubles());
        Assert.Equal(weight, layer.Weight.Value.ToDoubles());   // what is learned and saved is W
    }

    // What it is for: a mean that all inputs share does not pass.
    [Fact]
    public void AConstantAddedToTheInputsDoesNotReachTheOutput()
    {
        using var _ = Device.Use(Device.Reference);
        var layer = Standardized(new Conv2d(3, 5, 3, Random, bias: false));
        var x = Tensor.Normal(new Shape(2, 6, 7, 3), Random.Split(4));
        var (before, after) = (layer.Apply(x).ToDoubles(), layer.Apply(x + 100).ToDoubles());
        Assert.All(before.Zip(after), pair => Assert.Equal(pair.First, pair.Second, 1e-9));
    }

    [Fact]
    public void TheGradientReachesTheWeightThroughIt()
    {
        using var _ = Device.Use(Device.Reference);
        var layer = Standardized(new Conv2d(2, 3, 2, Random));
        var x = Tensor.Normal(new Shape(2, 4, 3, 2), Random.Split(5));
        var coefficients = Tensor.Normal(layer.Apply(x).Shape, Random.Split(6));
        using var tape = Tape.Training(Random);
        var gradient = tape.Gradients((layer.Apply(x) * coefficients).Sum())[layer.Weight].ToDoubles();
        var weight = layer.Weight.Value.ToDoubles();
        for (var i = 0; i < weight.Length; i++)
        {
            double Loss(double change)
            {
                var moved = weight.ToArray();
                moved[i] += change;
                layer.Weight.Value = Tensor.From(moved, layer.Weight.Shape);
                return (layer.Apply(x) * coefficients).Sum().ToDoubles()[0];
            }
            Assert.Equal((Loss(1e-5) - Loss(-1e-5)) / 2e-5, gradient[i], 1e-6);
        }
    }

    [Fact]
    public void AnOutputOfOneWeightIsRefused()
    {
        var depthwise = new Sequential(new Relu(), new Conv2d(3, 3, 1, Random, groups: 3));
        var error = Assert.Throws<ArgumentException>(depthwise.StandardizeWeights);
        Assert.Equal("1: its weight [1, 1, 1, 3] has one number for each output; standardized, all would be 0.",
            error.Message);
        Standardized(new Conv2d(2, 1, 1, Random));
    }

    // ---- models -----------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData("resnet8", "group:4+ws")]
    [InlineData("resnet18", "batch+ws")]
    [InlineData("wrn10-1", "layer+ws")]
    [InlineData("vgg", "size:8+ws")]
    public void AModelByItsNameHasOnlySuchConvolutions(string architecture, string normalization)
    {
        var model = new ModelSpec(architecture, normalization, Classes: 3).Build(seed: 1);
        var plain = new ModelSpec(architecture, normalization[..^3], Classes: 3).Build(seed: 1);
        Assert.All(model.Modules.OfType<Conv2d>(), convolution =>
            Assert.IsType<StandardizedWeight>(convolution.WeightTransform));
        Assert.Equal(plain.State.Select(parameter => (parameter.Name, parameter.Shape)),
            model.State.Select(parameter => (parameter.Name, parameter.Shape)));
        Assert.Equal(normalization, model.Metadata["normalization"]);
        model.StandardizeWeights();   // again
        Assert.Equal(normalization, model.Metadata["normalization"]);
        plain.StandardizeWeights();
        Assert.Equal(model.Metadata, plain.Metadata);
        Assert.Equal(model.Summary(), plain.Summary());
        Assert.DoesNotContain(nameof(StandardizedWeight), model.Summary());   // it stands in its convolution's line
    }

    [Fact]
    public void AModelWithoutMetadataStaysWithout()
    {
        var model = new Sequential(new Conv2d(3, 4, 3, Random), new GroupNorm(4, GroupSpec.Count(2)));
        model.StandardizeWeights();
        Assert.Empty(model.Metadata);
        // A file that is called none+ws could not be read again.
        Assert.Contains("not for none", Assert.Throws<ArgumentException>(() =>
            new ModelSpec("resnet8", "none", Classes: 2).Build(seed: 1).StandardizeWeights()).Message);
    }

    [Theory]
    [InlineData("group:8+ws", true)]
    [InlineData("batch:keras+ws", true)]
    [InlineData("group:8", true)]
    [InlineData("none", true)]
    [InlineData("none+ws", false)]
    [InlineData("+ws", false)]
    [InlineData("group:8+ws+ws", false)]
    [InlineData("group:8+WS", false)]
    [InlineData("group:8ws", false)]
    [InlineData("group:8 +ws", false)]
    public void NamesAreKnownOrRefused(string name, bool known)
    {
        Assert.Equal(known, ModelSpec.IsNormalization(name));
        if (known) new ModelSpec("resnet8", name, Classes: 2).Build(seed: 1);
        else Assert.Throws<ArgumentException>(() => new ModelSpec("resnet8", name, Classes: 2).Build(seed: 1));
    }
}
