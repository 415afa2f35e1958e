using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>
/// Wide ResNets: PyTorch's names and counts, what a block computes; and models for images that are not of three
/// channels.
/// </summary>
public sealed class WideResNetTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static Module Small(string normalization = "batch", int inputs = 3) =>
        new ModelSpec("wrn10-1", normalization, Classes: 4, Inputs: inputs).Build(seed: 1);

    [Theory]
    // The counts that PyTorch's implementations print, https://github.com/xternalz/WideResNet-pytorch among them: 2.2
    // and 36.5 million.
    [InlineData(40, 2, 2_243_546)]
    [InlineData(28, 10, 36_479_194)]
    public void Counts_are_those_of_others(int depth, int times, int count)
    {
        // Gamma and beta: of the first 16 channels, and twice in each block, and once at the end instead of at the
        // beginning, of its stage's channels.
        var affine = 2 * (16 + 2 * ((depth - 4) / 6) * (16 + 32 + 64) * times);
        Assert.Equal(count, new ModelSpec($"wrn{depth}-{times}", "batch").CountWeights() + affine + 10);
    }

    [Fact]
    public void Has_PyTorchs_names_in_PyTorchs_order()
    {
        string[] bn = ["weight", "bias", "running_mean", "running_var"];
        string[] Block(int stage, int block, bool changes) =>
        [
            .. bn.Select(name => $"block{stage}.layer.{block}.bn1.{name}"), $"block{stage}.layer.{block}.conv1.weight",
            .. bn.Select(name => $"block{stage}.layer.{block}.bn2.{name}"), $"block{stage}.layer.{block}.conv2.weight",
            .. changes ? (string[])[$"block{stage}.layer.{block}.convShortcut.weight"] : [],
        ];
        foreach (var times in (int[])[1, 2])
        {
            var model = new ModelSpec($"wrn16-{times}", "batch", Classes: 10).Build(seed: 1);
            string[] names = ["conv1.weight",
                .. Enumerable.Range(0, 6).SelectMany(i => Block(1 + i / 2, i % 2, changes: i % 2 == 0 && (i > 0
                || times > 1))),
                .. bn.Select(name => $"bn1.{name}"), "fc.weight", "fc.bias"];
            Assert.Equal(names, model.State.Select(parameter => parameter.Name));
        }
        Assert.Equal(["conv1.weight", "conv1.bias", "block1.layer.0.conv1.weight", "block1.layer.0.conv1.bias",
            "block1.layer.0.conv2.weight"], Small("none").State.Take(5).Select(parameter => parameter.Name));
        Assert.Contains("block2.layer.0.convShortcut.bias", Small("none").State.Select(parameter => parameter.Name));
    }

    [Fact]
    public void A_block_is_its_formula()
    {
        var model = Small("layer");
        var random = new RandomSource(3);
        foreach (var (i, parameter) in model.State.Index())
            parameter.Value += 0.3 * Tensor.Normal(parameter.Shape, random.Split(i));
        Tensor Of(string name) => model.State.Single(parameter => parameter.Name == name).Value;
        Tensor Normalized(Tensor x, string name) =>
            new LayerNorm(x.Shape[3], affine: false).Apply(x) * Of($"{name}.weight") + Of($"{name}.bias");
        Tensor Inner(Tensor h, string block, int stride) =>
            Normalized(h.Conv2d(Of($"{block}.conv1.weight"), stride: stride, padding: 1), $"{block}.bn2").Relu()
            .Conv2d(Of($"{block}.conv2.weight"), padding: 1);
        var x = Tensor.Normal(new Shape(2, 5, 6, 3), new RandomSource(1));
        var y = x.Conv2d(Of("conv1.weight"), padding: 1);
        y = Inner(Normalized(y, "block1.layer.0.bn1").Relu(), "block1.layer.0", 1) + y;
        foreach (var block in (string[])["block2.layer.0", "block3.layer.0"])
        {
            var h = Normalized(y, $"{block}.bn1").Relu();
            y = Inner(h, block, 2) + h.Conv2d(Of($"{block}.convShortcut.weight"), stride: 2);
        }
        Assert.Equal(new Shape(2, 2, 2, 64), y.Shape);
        y = Normalized(y, "bn1").Relu().Mean([1, 2]).MatrixProduct(Of("fc.weight")) + Of("fc.bias");
        foreach (var (expected, found) in y.ToDoubles().Zip(model.Apply(x).ToDoubles()))
            Assert.Equal(expected, found, 1e-4);
    }

    [Fact]
    public void A_step_against_the_gradient_lowers_the_loss()
    {
        var model = Small();
        var x = Tensor.Normal(new Shape(4, 8, 8, 3), new RandomSource(1));
        double Loss(bool learn)
        {
            using var tape = Tape.Training(new RandomSource(1));
            var loss = model.Apply(x).CrossEntropy([0, 1, 2, 0]);
            if (learn) new Tapegrad.Optimizers.Sgd(model.Parameters).Step(tape.Gradients(loss), 0.02);
            return loss.ToDouble();
        }
        var before = Loss(learn: true);
        Assert.InRange(Loss(learn: false), 0, 0.95 * before);
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        foreach (var depth in (int[])[4, 12, 20, 28 + 3])
            Assert.Throws<ArgumentOutOfRangeException>(() => WideResNet.Cifar(depth, 1, null, 10, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => WideResNet.Cifar(16, 0, null, 10, 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => WideResNet.Cifar(16, 1, null, 0, 1));
        foreach (var spec in (ModelSpec[])[new("wrn16-1", "batch", ZeroGamma: true), new("wrn16-1", "batch", Width: 8)])
            Assert.Contains("in its name", Assert.Throws<ArgumentException>(() => spec.Build(seed: 1)).Message);
        var error = Assert.Throws<ShapeException>(() =>
            WideResNet.Cifar(10, 1, channels => new GroupNorm(channels, GroupSpec.Count(channels == 32
            ? 5 : 4)), 10, 1));
        Assert.EndsWith("(in layer block2.layer.0.bn2)", error.Message);
        Assert.All((string[])["wrn10-1", "wrn16-4", "wrn28-10", "wrn40-2", "wrn1000-1"], name =>
            Assert.True(ModelSpec.IsArchitecture(name)));
        Assert.All((string[])["wrn", "wrn16", "wrn16-", "wrn17-4", "wrn16-0", "wrn16-4-1", "WRN16-4", "wrn16--4",
            "wrn4-4", "wrn16-33554432"], name => Assert.False(ModelSpec.IsArchitecture(name)));
    }

    [Theory]
    [InlineData("resnet8", "of another shape")]
    [InlineData("resnet18", "of another shape")]
    [InlineData("vgg", "of another shape")]
    [InlineData("fast", "fewer than fast")]   // eight channels more behind the patches
    [InlineData("wrn10-1", "of another shape")]
    public void A_file_says_how_many_channels_its_images_have(string architecture, string withTwo)
    {
        var model = new ModelSpec(architecture, "layer", Classes: 3, Inputs: 1).Build(seed: 1);
        Assert.Equal("1", model.Metadata["inputs"]);
        Assert.False(new ModelSpec(architecture, "layer", Classes: 3).Build(seed: 1).Metadata.ContainsKey("inputs"));
        var x = Tensor.Normal(new Shape(1, 32, 32, 1), new RandomSource(1));
        model.Save(FilePath);
        var rebuilt = ModelSpec.Rebuild(FilePath);
        Assert.Equal(model.Metadata, rebuilt.Metadata);
        Assert.Equal(model.Apply(x).ToDoubles(), rebuilt.Apply(x).ToDoubles());
        Assert.Throws<ArgumentOutOfRangeException>(() => new ModelSpec(architecture, "layer", Classes: 3, Inputs: 0)
            .Build(seed: 1));
        model.Metadata["inputs"] = "1000000";
        model.Save(FilePath);
        Assert.Contains($"fewer than {architecture}",
            Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message);
        model.Metadata["inputs"] = "2";
        model.Save(FilePath);
        Assert.Contains(withTwo,
            Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message);
        model.Metadata["inputs"] = "none";
        model.Save(FilePath);
        Assert.Contains("inputs 'none'",
            Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message);
    }
}
