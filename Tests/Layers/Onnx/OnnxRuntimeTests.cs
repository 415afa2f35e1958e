using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Tapegrad.Layers;
using Tapegrad.Onnx;
using Tapegrad.Peers;
using Tapegrad.Tests.Layers.Normalization.Outside;
using Xunit;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>
/// ONNX Runtime computes what this library does: models with random weights and statistics, each exported in several
/// ways, on five samples and on one, so that their number is seen to be free. Allowed: a difference of 1e-4 of the
/// largest output.
/// </summary>
public sealed class OnnxRuntimeTests : IDisposable
{
    private const int Samples = 5;
    private const double Tolerance = 1e-4;

    private static readonly OnnxExporter Plain = new(), Folded = new() { Fold = true };
    private static readonly OnnxExporter[] All = [Plain, new() { Decompose = true }, Folded,
        new() { Decompose = true, Fold = true }];
    private static readonly Shape Image = new(32, 32, 3);

    private readonly string path = Path.Combine(Path.GetTempPath(), $"tapegrad-{Guid.NewGuid()}.onnx");

    public void Dispose() => File.Delete(path);

    [Theory]
    [InlineData("resnet20", "batch")]
    [InlineData("resnet20", "group:8")]
    [InlineData("resnet20", "layer")]
    [InlineData("resnet20", "instance")]
    [InlineData("resnet20", "layer:position")]
    [InlineData("resnet20", "none")]
    [InlineData("resnet20", "group:8+ws")]
    [InlineData("resnet20", "batch+ws")]
    [InlineData("resnet18", "batch")]
    [InlineData("resnet18", "size:16")]
    [InlineData("wrn10-2", "batch")]
    [InlineData("vgg", "batch")]
    [InlineData("vgg", "group:32")]
    [InlineData("fast", "batch:fast")]
    [InlineData("fast", "group:8")]
    public void Networks(string architecture, string normalization) =>
        Check(new ModelSpec(architecture, normalization, Classes: 10).Build(seed: 1), Image);

    [Fact]
    public void A_normalization_of_another_assembly()
    {
        Normalizations.Register(typeof(EvoNormS0).Assembly);
        Networks("wrn10-1", "evo-s0");
        Check(new Sequential(new EvoNormS0(6, groups: 3)), new Shape(4, 5, 6));
    }

    // Every layer with settings that are not the usual ones.
    [Fact]
    public void Small_models()
    {
        foreach (var (_, layers, sample) in SmallModels.All) Check(new Sequential(layers), sample);
    }

    [Fact]
    public void Random_models()
    {
        for (var seed = 1; seed <= 40; seed++)
        {
            var (model, sample) = RandomModels.Create(seed);
            Check(model, sample);
        }
    }

    // Pixels from 0 to 1, which the file normalizes itself.
    [Fact]
    public void Pixels_that_the_file_normalizes()
    {
        double[] mean = [0.5, 0.25, 0.125], std = [0.25, 0.5, 0.75];
        var model = new Sequential(new Conv2d(3, 4, 3, new RandomSource(5), padding: 1), new Relu());
        var x = Tensor.Uniform(new Shape(Samples, 6, 5, 3), new RandomSource(6));
        var expected = model.Apply((x - Tensor.From(mean, new Shape(3))) / Tensor.From(std, new Shape(3)));
        Compare("pixels", new OnnxExporter { Pixels = (mean, std) }, model, new Shape(6, 5, 3), x, expected);
    }

    // A tolerance that takes any number would do so here.
    [Fact]
    public void Other_weights_are_noticed()
    {
        var model = new Sequential(new Linear(6, 5, new RandomSource(1)));
        var x = Tensor.Normal(new Shape(Samples, 6), new RandomSource(2));
        var expected = model.Apply(x);
        model.Parameters[0].Value = model.Parameters[0].Value * 1.001;
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Compare("other", Plain, model, new Shape(6), x, expected));
    }

    private void Check(Module model, Shape sample)
    {
        var random = new RandomSource(model.Modules.Count());
        Randomness.AsAfterTraining(model, random.Split(0));
        var x = Tensor.Normal(new Shape([Samples, .. sample.Dimensions]), random.Split(1));
        var expected = model.Apply(x);
        foreach (var exporter in model.Modules.Any(layer => layer is BatchNorm) ? All : All[..2])
            Compare($"{model}, decomposed: {exporter.Decompose}, folded: {exporter.Fold}", exporter, model, sample, x,
                expected);
    }

    private void Compare(string name, OnnxExporter exporter, Module model, Shape sample, Tensor x, Tensor expected)
    {
        exporter.Write(path, model, sample);
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        using var session = new InferenceSession(path, options);
        var (inputs, outputs, shape) = (ChannelsSecond(x).ToFloats(), ChannelsSecond(expected).ToFloats(),
            ChannelsSecond(x).Shape);
        var largest = outputs.Max(Math.Abs);
        Assert.True(largest > 0, $"{name}: the expected output is all zeros.");
        foreach (var count in (int[])[Samples, 1])
        {
            var input = new DenseTensor<float>(inputs.AsMemory(0, inputs.Length / Samples * count),
                [count, .. shape.Dimensions[1..]]);
            using var results = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], input)]);
            var found = results.Single().AsTensor<float>().ToArray();
            Assert.True(found.Length == outputs.Length / Samples * count,
                $"{name}: {found.Length} numbers for {count} samples.");
            // NaN too
            var off = found.Zip(outputs, (a, b) => Math.Abs(a - b) / largest)
                .Aggregate(0.0, (worst, next) => next <= worst ? worst : next);
            Assert.True(off <= Tolerance, $"{name}: {off:0.0e0} of the largest output for {count} samples.");
        }
    }

    private static Tensor ChannelsSecond(Tensor x) =>
        x.Shape.Rank == 2 ? x : x.Permute([0, x.Shape.Rank - 1, .. Enumerable.Range(1, x.Shape.Rank - 2)]);
}
