using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>The simple layers: each is its operation with the settings it was given.</summary>
public sealed class LayersTests
{
    private static readonly RandomSource Random = new(1);

    private static void AssertEqual(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        Assert.Equal(expected.ToDoubles(), actual.ToDoubles());
    }

    [Fact]
    public void LinearIsAMatrixProduct()
    {
        var layer = new Linear(2, 3, Random);
        layer.Weight.Value = Tensor.From([1.0, 2, 3, 4, 5, 6], new Shape(2, 3));
        layer.Bias!.Value = Tensor.From([10.0, 20, 30], new Shape(3));
        // [1, -1] W = [1-4, 2-5, 3-6] = -3 each; [0, 2] W = [8, 10, 12].
        AssertEqual(Tensor.From([7.0, 17, 27, 18, 30, 42], new Shape(2, 3)),
            layer.Apply(Tensor.From([1.0, -1, 0, 2], new Shape(2, 2))));
        Assert.Equal(new Shape(2, 1, 4, 3), layer.Apply(Tensor.Ones(new Shape(2, 1, 4, 2))).Shape);
        Assert.Equal(new Shape(0, 3), layer.Apply(Tensor.Ones(new Shape(0, 2))).Shape);
        Assert.Null(new Linear(2, 3, Random, bias: false).Bias);
        Assert.Throws<ShapeException>(() => layer.Apply(Tensor.Ones(new Shape(2))));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Linear(0, 1, Random));
    }

    [Fact]
    public void Conv2dHandsOnAllItsSettings()
    {
        var x = Tensor.Normal(new Shape(2, 9, 8, 4), Random);
        var layer = new Conv2d(4, 6, new Size2d(3, 2), Random, stride: new Size2d(2, 1), padding: new Size2d(1, 2),
            dilation: new Size2d(1, 2), groups: 2);
        layer.Bias!.Value = Tensor.Normal(new Shape(6), Random.Split(1));
        Assert.Equal(new Shape(3, 2, 2, 6), layer.Weight.Shape);
        AssertEqual(x.Conv2d(layer.Weight, layer.Bias.Value, new Size2d(2, 1), new Size2d(1, 2), new Size2d(1, 2), 2),
            layer.Apply(x));
        Assert.Equal("4 -> 6, kernel 3x2, stride 2x1, padding 1x2, dilation 1x2, groups 2", layer.Settings);
        AssertEqual(x.Conv2d(layer.Weight, null, groups: 2),
            Same(new Conv2d(4, 6, new Size2d(3, 2), Random, groups: 2, bias: false)).Apply(x));
        Assert.Throws<ShapeException>(() => new Conv2d(4, 6, 3, Random, groups: 4));
        Assert.Throws<ShapeException>(() => new Conv2d(6, 4, 3, Random, groups: 4));
        Assert.Throws<ShapeException>(() => new Conv2d(4, 4, 3, Random, groups: 0));

        Conv2d Same(Conv2d other)
        {
            other.Weight.Value = layer.Weight;
            return other;
        }
    }

    [Fact]
    public void Conv1dHandsOnAllItsSettings()
    {
        var x = Tensor.Normal(new Shape(2, 9, 4), Random);
        var layer = new Conv1d(4, 6, 3, Random, stride: 2, padding: 1, dilation: 2, groups: 2);
        layer.Bias!.Value = Tensor.Normal(new Shape(6), Random.Split(1));
        Assert.Equal(new Shape(3, 2, 6), layer.Weight.Shape);
        AssertEqual(x.Conv1d(layer.Weight, layer.Bias.Value, 2, 1, 2, 2), layer.Apply(x));
        Assert.Equal("4 -> 6, kernel 3, stride 2, padding 1, dilation 2, groups 2", layer.Settings);
        var plain = new Conv1d(4, 6, 3, Random, bias: false);
        AssertEqual(x.Conv1d(plain.Weight), plain.Apply(x));
        Assert.Equal("4 -> 6, kernel 3, no bias", plain.Settings);
        Assert.Throws<ShapeException>(() => new Conv1d(4, 6, 3, Random, groups: 4));
    }

    [Fact]
    public void ConvTranspose2dHandsOnAllItsSettings()
    {
        var x = Tensor.Normal(new Shape(2, 5, 6, 4), Random);
        var layer = new ConvTranspose2d(4, 6, new Size2d(3, 2), Random, stride: new Size2d(2, 3),
            padding: new Size2d(1, 0), outputPadding: new Size2d(0, 2), dilation: new Size2d(1, 2), groups: 2);
        layer.Bias!.Value = Tensor.Normal(new Shape(6), Random.Split(1));
        Assert.Equal(new Shape(3, 2, 3, 4), layer.Weight.Shape);
        AssertEqual(x.ConvTranspose2d(layer.Weight, layer.Bias.Value, new Size2d(2, 3), new Size2d(1, 0),
            new Size2d(0, 2), new Size2d(1, 2), 2), layer.Apply(x));
        Assert.Equal("4 -> 6, kernel 3x2, stride 2x3, padding 1x0, output padding 0x2, dilation 1x2, groups 2",
            layer.Settings);
        var plain = new ConvTranspose2d(4, 6, 2, Random, bias: false);
        AssertEqual(x.ConvTranspose2d(plain.Weight), plain.Apply(x));
        Assert.Equal("4 -> 6, kernel 2, no bias", plain.Settings);
        Assert.Throws<ShapeException>(() => new ConvTranspose2d(4, 6, 3, Random, groups: 4));
    }

    // What Settings would print is computed, or it is refused.
    [Fact]
    public void ConvolutionsRefuseSettingsThatTheyWouldNotUse()
    {
        ConvolutionSettings plain = new(4, 6, 3);
        void Refused(Func<Module> make, params string[] words) => Worked.Refuses<ShapeException>(() => make(), words);
        foreach (var (settings, words) in ((ConvolutionSettings, string)[])[
            (plain with { Kernel = new(3, 5) }, "a kernel of 3x5"),
            (plain with { Stride = new(1, 2) }, "a stride of 1x2"),
            (plain with { Padding = new(0, 1) }, "a padding of 0x1"),
            (plain with { Dilation = new(2, 1) }, "a dilation of 2x1")])
        {
            Refused(() => new Conv1d(settings, Random), "Conv1d: ", words, "one number");
            _ = new Conv2d(settings, Random);
        }
        var padded = plain with { Stride = 2, OutputPadding = new(0, 1) };
        Refused(() => new Conv1d(padded, Random), "Conv1d: ", "an output padding of 0x1", "ConvTranspose2d");
        Refused(() => new Conv2d(padded, Random), "Conv2d: ", "an output padding of 0x1", "ConvTranspose2d");
        _ = new ConvTranspose2d(padded, Random);
        foreach (var (settings, what) in ((ConvolutionSettings, string)[])[(plain with { Inputs = 0 }, "0 input"),
            (plain with { Outputs = 0 }, "0 output"), (plain with { Groups = 0 }, "0 groups"),
            (plain with { Inputs = -2 }, "-2 input")])
            foreach (var make in (Func<Module>[])[() => new Conv1d(settings, Random),
                () => new Conv2d(settings, Random), () => new ConvTranspose2d(settings, Random)])
                Refused(make, what, "at least one");
    }

    [Fact]
    public void PoolingHandsOnAllItsSettings()
    {
        var x = Tensor.Normal(new Shape(2, 7, 8, 3), Random);
        AssertEqual(x.MaxPool2d(3, new Size2d(2, 1), new Size2d(1, 0)),
            new MaxPool2d(3, new Size2d(2, 1), new Size2d(1, 0)).Apply(x));
        AssertEqual(x.MaxPool2d(2), new MaxPool2d(2).Apply(x));
        AssertEqual(x.AveragePool2d(3, new Size2d(2, 1), new Size2d(1, 0)),
            new AveragePool2d(3, new Size2d(2, 1), new Size2d(1, 0)).Apply(x));
        AssertEqual(x.AveragePool2d(2), new AveragePool2d(2).Apply(x));
        AssertEqual(x.GlobalAveragePool(), new GlobalAveragePool().Apply(x));
        Assert.Equal("kernel 2, stride 2", new AveragePool2d(2).Settings);
        Assert.Equal("kernel 3, stride 2x1, padding 1", new MaxPool2d(3, new Size2d(2, 1), 1).Settings);
    }

    [Fact]
    public void ActivationsAreTheirOperations()
    {
        var x = Tensor.From([-2.0, 0, 3], new Shape(3));
        AssertEqual(x.Relu(), new Relu().Apply(x));
        AssertEqual(x.Sigmoid(), new Sigmoid().Apply(x));
        AssertEqual(x.Tanh(), new Tanh().Apply(x));
        AssertEqual(x.LeakyRelu(), new LeakyRelu().Apply(x));
        AssertEqual(x.LeakyRelu(0.3), new LeakyRelu(0.3).Apply(x));
        Assert.Equal("slope 0.3", new LeakyRelu(0.3).Settings);
        AssertEqual(x.Gelu(), new Gelu().Apply(x));
        AssertEqual(x.Silu(), new Silu().Apply(x));
        AssertEqual(x.Softplus(), new Softplus().Apply(x));
        AssertEqual(x * 0.25, new Scaling(0.25).Apply(x));
        Assert.Equal("factor 0.111111", new Scaling(1.0 / 9).Settings);
    }

    [Fact]
    public void FlattenKeepsSamplesApartEvenWhenThereAreNone()
    {
        var x = Tensor.Normal(new Shape(2, 3, 1, 5), Random);
        AssertEqual(x.Reshape(2, 15), new Flatten().Apply(x));
        Assert.Equal(new Shape(0, 15), new Flatten().Apply(Tensor.Zeros(new Shape(0, 3, 5))).Shape);
        Assert.Equal(new Shape(4, 1), new Flatten().Apply(Tensor.Zeros(new Shape(4))).Shape);
        Assert.Throws<ShapeException>(() => new Flatten().Apply(Tensor.Scalar(1)));
    }

    [Fact]
    public void DropoutDropsInTrainingOnly()
    {
        var (x, layer) = (Tensor.Ones(new Shape(1000)), new Dropout(0.25));
        AssertEqual(x, layer.Apply(x));
        using (Tape.Evaluating()) AssertEqual(x, layer.Apply(x));
        using var tape = Tape.Training(Random);
        var values = layer.Apply(x).ToDoubles();
        Assert.All(values, value => Assert.True(value is 0 || Math.Abs(value - 1 / 0.75) < 1e-6));
        Assert.InRange(values.Count(value => value == 0), 200, 300);   // 250 expected, standard deviation 14
        Assert.Equal("rate 0.25", layer.Settings);
    }

    [Fact]
    public void SequentialAppliesInOrder()
    {
        var (first, second) = (new Linear(2, 3, Random.Split(1)), new Linear(3, 4, Random.Split(2)));
        var x = Tensor.Normal(new Shape(5, 2), Random);
        var model = new Sequential(first, new Relu(), second);
        AssertEqual(x.MatrixProduct(first.Weight).Add(first.Bias!).Relu().MatrixProduct(second.Weight)
            .Add(second.Bias!), model.Apply(x));
        Assert.Equal(["0", "1", "2"], model.Children.Select(child => child.Name));
        AssertEqual(x, new Sequential(Array.Empty<Module>()).Apply(x));
    }

    // Each value is drawn from a known distribution; with 4608 values a standard deviation is known within 1 %.
    [Theory]
    [InlineData("he", 144)]
    [InlineData("he fan-out", 288)]
    public void HeNormalHasItsDeviation(string which, int fan)
    {
        var shape = new Shape(3, 3, 16, 32);   // fan-in 3 * 3 * 16, fan-out 3 * 3 * 32
        var values = (which == "he" ? Initializers.HeNormal(shape, Random) : Initializers.HeNormalFanOut(shape, Random))
            .ToDoubles();
        Assert.InRange(Math.Sqrt(values.Average(value => value * value)), 0.96 * Math.Sqrt(2.0 / fan),
            1.04 * Math.Sqrt(2.0 / fan));
        Assert.InRange(values.Average(), -0.05 * Math.Sqrt(2.0 / fan), 0.05 * Math.Sqrt(2.0 / fan));
        Assert.True(values.Max() > 2.5 * Math.Sqrt(2.0 / fan));   // a uniform distribution would end at 1.73 deviations
    }

    // Whatever the window, of an odd side or an even one, and more outputs than inputs or fewer.
    [Theory]
    [InlineData(3, 3, 4, 9)]
    [InlineData(3, 3, 4, 2)]
    [InlineData(1, 5, 3, 3)]
    [InlineData(2, 2, 2, 3)]
    public void DiracPassesOnWhatItIsGiven(int height, int width, int inputs, int outputs)
    {
        var shape = new Shape(height, width, inputs, outputs);
        var (weight, spread) = (Initializers.Dirac(shape, Random), Initializers.UniformFanIn(shape, Random));
        var x = Tensor.Normal(new Shape(2, 6, 7, inputs), Random.Split(1));
        var y = x.Conv2d(weight, padding: new Size2d(height / 2, width / 2));
        var (first, crop) = (Math.Min(inputs, outputs), new Shape(2, 6, 7, Math.Min(inputs, outputs)));
        AssertEqual(x.Slice(-1, 0, first), y.Slice([0, 0, 0, 0], crop.Dimensions.ToArray(), [1, 1, 1, 1]));
        for (var at = 0; at < shape.Count; at++)
            if (at % outputs >= first) Assert.Equal(spread.ToDoubles()[at], weight.ToDoubles()[at]);
        Assert.Throws<ShapeException>(() => Initializers.Dirac(new Shape(3, 4), Random));
    }

    [Fact]
    public void UniformInitializersFillTheirRange()
    {
        var shape = new Shape(3, 3, 16, 32);
        AssertRange(Initializers.XavierUniform(shape, Random), Math.Sqrt(6.0 / (144 + 288)));
        AssertRange(Initializers.UniformFanIn(shape, Random), 1 / Math.Sqrt(144));
        AssertRange(Initializers.Uniform(shape, 3, Random), 3);
        Assert.Throws<ShapeException>(() => Initializers.HeNormal(new Shape(3), Random));

        static void AssertRange(Tensor x, double bound)
        {
            var values = x.ToDoubles();
            Assert.InRange(values.Min(), -1.0000001 * bound, -0.99 * bound);
            Assert.InRange(values.Max(), 0.99 * bound, 1.0000001 * bound);
            Assert.InRange(values.Average(), -0.05 * bound, 0.05 * bound);
        }
    }

    [Fact]
    public void LayersStartAsTheirDocumentationSays()
    {
        var linear = new Linear(100, 400, Random);
        foreach (var values in (double[][])[linear.Weight.Value.ToDoubles(), linear.Bias!.Value.ToDoubles()])
        {
            Assert.InRange(values.Max(), 0.095, 0.1000001);   // 1 / sqrt(100)
            Assert.InRange(values.Min(), -0.1000001, -0.095);
        }
        Assert.NotEqual(linear.Weight.Value.ToDoubles()[..400], linear.Bias.Value.ToDoubles());
        Assert.Equal(linear.Weight.Value.ToDoubles(), new Linear(100, 400, Random).Weight.Value.ToDoubles());
        Assert.NotEqual(linear.Weight.Value.ToDoubles(),
            new Linear(100, 400, Random.Split(1)).Weight.Value.ToDoubles());
        var convolution = new Conv2d(16, 32, 3, Random);
        AssertEqual(Initializers.HeNormalFanOut(new Shape(3, 3, 16, 32), Random), convolution.Weight);
        Assert.All(convolution.Bias!.Value.ToDoubles(), bias => Assert.Equal(0, bias));
        convolution = new Conv2d(16, 32, 3, Random, initializer: Initializers.XavierUniform);
        AssertEqual(Initializers.XavierUniform(new Shape(3, 3, 16, 32), Random), convolution.Weight);
        AssertEqual(Tensor.Ones(new Shape(2, 3)),
            new Linear(2, 3, Random, initializer: (shape, _) => Tensor.Ones(shape)).Weight);
    }
}

file static class Arithmetic
{
    public static Tensor Add(this Tensor a, Tensor b) => a + b;
}
