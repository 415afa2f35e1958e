using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Layers.Normalization.Outside;
using Xunit;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>The fast network: what it is made of, what it computes, and what of it is learned.</summary>
public sealed class FastTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static readonly Tensor Images = Tensor.Normal(new Shape(3, 32, 32, 3), new RandomSource(5)).Keep();

    private static Module Build(string normalization, int classes = 10, int inputs = 3) =>
        new ModelSpec("fast", normalization, classes, inputs).Build(seed: 1);

    [Fact]
    public void Has_the_papers_names_and_counts_and_learns_all_but_the_first_weight_and_every_gamma()
    {
        string[] bn = ["weight", "bias", "running_mean", "running_var"];
        string[] names = ["whiten.weight", "whiten.bias", .. Enumerable.Range(1, 3).SelectMany(stage =>
            Enumerable.Range(1, 2).SelectMany(i => (string[])[$"layer{stage}.conv{i}.weight",
                .. bn.Select(name => $"layer{stage}.norm{i}.{name}")])), "fc.weight"];
        var model = Build("batch:fast");
        Assert.Equal(names, model.State.Select(parameter => parameter.Name));
        Assert.Equal(names.Where(name => name.EndsWith("bias") || name.Contains("conv") || name == "fc.weight"),
            model.Parameters.Select(parameter => parameter.Name));
        // 24 -> 64 -> 64 -> 256 -> 256 -> 256 -> 256 channels, betas, and the two ends: the paper's 1.97 million.
        Assert.Equal(9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256) + 2 * (64 + 256 + 256) + 24 + 2560,
            model.Parameters.Sum(parameter => parameter.Count));
        foreach (var norm in model.Modules.OfType<BatchNorm>())
            Assert.Equal((1e-5, 0.4, true), (norm.Eps, norm.Convention.NewWeight, norm.Convention.Unbiased));
    }

    [Theory]
    [InlineData(32, 32)]
    [InlineData(25, 28)]
    [InlineData(49, 66)]   // 2x2 windows are left, of which the mean is taken
    public void It_is_its_formula(int height, int width)
    {
        var model = Build("layer", classes: 4, inputs: 2);
        var random = new RandomSource(3);
        foreach (var (i, parameter) in model.State.Index())
            parameter.Value += 0.2 * Tensor.Normal(parameter.Shape, random.Split(i));
        Tensor Of(string name) => model.State.Single(parameter => parameter.Name == name).Value;
        Tensor Activated(Tensor x, string name) =>
            (new LayerNorm(x.Shape[3], affine: false).Apply(x) * Of($"{name}.weight") + Of($"{name}.bias")).Gelu();
        var x = Tensor.Normal(new Shape(2, height, width, 2), new RandomSource(1));
        var y = x.Conv2d(Of("whiten.weight"), Of("whiten.bias")).Gelu();
        for (var stage = 1; stage <= 3; stage++)
        {
            y = y.Conv2d(Of($"layer{stage}.conv1.weight"), padding: 1).MaxPool2d(2);
            y = Activated(y, $"layer{stage}.norm1").Conv2d(Of($"layer{stage}.conv2.weight"), padding: 1);
            y = Activated(y, $"layer{stage}.norm2");
        }
        y = y.MaxPool2d(3).Mean([1, 2]).MatrixProduct(Of("fc.weight")) * (1.0 / 9);
        Assert.Equal(new Shape(2, 4), y.Shape);
        foreach (var (expected, found) in y.ToDoubles().Zip(model.Apply(x).ToDoubles()))
            Assert.Equal(expected, found, 1e-4);
    }

    [Fact]
    public void Its_convolutions_begin_by_passing_on_what_they_are_given()
    {
        var model = Build("none");
        var passed = new Dictionary<string, Tensor>();
        foreach (var layer in model.Modules.Where(layer => layer.Children.Count == 0))
            layer.AfterApply += (layer, y) => passed[layer.Path] = y;
        model.Apply(Images);
        foreach (var (before, conv) in ((string, string)[])[("gelu", "layer1.conv1"), ("layer1.gelu1", "layer1.conv2"),
            ("layer1.gelu2", "layer2.conv1"), ("layer3.gelu1", "layer3.conv2")])
            foreach (var (expected, found) in passed[before].ToFloats()
                .Zip(passed[conv].Slice(-1, 0, passed[before].Shape[-1]).ToFloats()))
                Assert.Equal(expected, found, 1e-5);   // Winograd's rounding
    }

    // Whitened, trained and saved, it is rebuilt without images.
    [Theory]
    [InlineData("batch:fast", 3)]
    [InlineData("batch", 1)]
    [InlineData("group:8", 3)]
    [InlineData("group:8+ws", 2)]
    [InlineData("none", 4)]
    [InlineData("layer1=batch,*=group:8", 3)]
    public void A_file_alone_rebuilds_it_to_the_bit(string normalization, int inputs)
    {
        var model = Build(normalization, classes: 7, inputs);
        var x = Tensor.Normal(new Shape(4, 28, 28, inputs), new RandomSource(2));
        model.Modules.OfType<Whitening>().Single().AdaptTo([x]);
        var before = model.State.Select(parameter => parameter.Value.ToFloats()).ToArray();
        using (var tape = Tape.Training(new RandomSource(1)))
            new Sgd(model.Parameters).Step(tape.Gradients(model.Apply(x).CrossEntropy([0, 1, 2, 3])), 0.1);
        foreach (var (parameter, values) in model.State.Zip(before))
            Assert.Equal(parameter.Name == "whiten.weight"
                || (parameter.Name.Contains("norm") && parameter.Name.EndsWith("weight")),
                parameter.Value.ToFloats().SequenceEqual(values));
        var path = Path.Combine(folder, "model.safetensors");
        model.Save(path);
        var rebuilt = ModelSpec.Rebuild(path);
        Assert.Equal(model.Apply(x).ToFloats(), rebuilt.Apply(x).ToFloats());
        Assert.Equal(model.Metadata, rebuilt.Metadata);
        Assert.Equal(model.Parameters.Select(parameter => parameter.Name),
            rebuilt.Parameters.Select(parameter => parameter.Name));
    }

    [Fact]
    public void A_normalization_that_contains_an_activation_gets_none_behind_it()
    {
        var model = Fast.Cifar(channels => new EvoNormS0(channels, groups: 8), classes: 10, seed: 1);
        Assert.Equal(["gelu"], model.Modules.OfType<Gelu>().Select(layer => layer.Path));
        Assert.Equal(7, Build("batch").Modules.OfType<Gelu>().Count());
    }

    [Fact]
    public void What_it_cannot_be_is_refused()
    {
        foreach (var spec in (ModelSpec[])[new("fast", "batch", ZeroGamma: true), new("fast", "batch", Width: 32)])
            Assert.Contains("fast has one width", Assert.Throws<ArgumentException>(() => spec.Build(seed: 1)).Message);
        Assert.Contains("layer3.pool",
            Assert.Throws<ShapeException>(() => Build("none").Apply(Tensor.Zeros(new Shape(1, 8, 32, 3)))).Message);
        Assert.EndsWith("(in layer layer1.norm1)", Assert.Throws<ShapeException>(() => Build("group:3")).Message);
    }
}
