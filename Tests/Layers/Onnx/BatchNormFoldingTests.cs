using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Onnx;
using Xunit;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>
/// A folded layer gives what the layer and the batch normalization behind it give, in double to 1e-12 of the largest
/// value.
/// </summary>
public sealed class BatchNormFoldingTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Is_the_same_function(int seed)
    {
        using var device = Device.Use(Device.Reference);
        var random = new RandomSource(seed);
        foreach (var bias in (bool[])[false, true])
            foreach (var affine in (bool[])[false, true])
            {
                Check(new Conv2d(4, 6, new Size2d(3, 2), random, new Size2d(2, 1), new Size2d(1, 2), new Size2d(1, 2),
                    groups: 2, bias), 6,
                    new(2, 7, 8, 4));
                Check(new Conv2d(3, 5, 1, random, bias: bias), 5, new(2, 4, 3, 3));
                var standardized = new Conv2d(3, 5, 2, random, bias: bias);
                standardized.StandardizeWeights();
                Check(standardized, 5, new(2, 4, 3, 3));
                Check(new Conv1d(4, 6, 3, random, 2, 1, 2, groups: 2, bias), 6, new(2, 9, 4));
                Check(new ConvTranspose2d(6, 9, new Size2d(3, 2), random, new Size2d(2, 3), new Size2d(1, 0),
                    new Size2d(0, 2), new Size2d(1, 2), groups: 3, bias), 9, new(2, 3, 4, 6));
                Check(new ConvTranspose2d(4, 3, 2, random, bias: bias), 3, new(1, 3, 2, 4));
                Check(new Linear(5, 7, random, bias), 7, new(3, 5));
                Check(new Linear(5, 7, random, bias), 7, new(3, 2, 2, 5));

                void Check(Module layer, int channels, Shape shape)
                {
                    var norm = new BatchNorm(channels, BatchNormConvention.PyTorch with { Eps = 0.125 }, affine);
                    foreach (var (i, parameter) in layer.State.Concat(norm.State).Index())
                        parameter.Value = Tensor.Uniform(parameter.Shape, random.Split(100 + i))
                            + (parameter == norm.RunningVariance ? 0.1 : -0.5);
                    var folded = BatchNormFolding.Fold(layer, norm);
                    Assert.Equal(layer.GetType(), folded!.GetType());
                    var x = Tensor.Normal(shape, random.Split(99));
                    var (expected, actual) = (norm.Apply(layer.Apply(x)), folded.Apply(x));
                    Assert.Equal(expected.Shape, actual.Shape);
                    var largest = expected.ToDoubles().Max(Math.Abs);
                    Assert.All(expected.ToDoubles().Zip(actual.ToDoubles()), pair =>
                        Assert.Equal(pair.First, pair.Second, 1e-12 * largest));
                }
            }
    }

    [Fact]
    public void Is_computed_in_double_for_a_layer_in_float()
    {
        var (layer, norm) = (new Linear(2, 1, new RandomSource(1), bias: false), new BatchNorm(1));
        layer.Weight.Value = Tensor.From([1.0, 3], layer.Weight.Shape);
        norm.RunningVariance.Value = Tensor.From([2.0], new Shape(1));
        norm.RunningMean.Value = Tensor.From([0.5], new Shape(1));
        var folded = (Linear)BatchNormFolding.Fold(layer, norm)!;
        var deviation = Math.Sqrt(2 + 1e-5);
        Assert.Equal([1 / deviation, 3 / deviation], folded.Weight.Value.ToDoubles(), (a, b) =>
            Math.Abs(a - b) < 1e-15);
        Assert.Equal(-0.5 / deviation, folded.Bias!.Value.ToDoubles()[0], 1e-15);
    }

    [Fact]
    public void Is_nothing_behind_a_layer_that_is_not_linear() =>
        Assert.Null(BatchNormFolding.Fold(new Relu(), new BatchNorm(3)));
}
