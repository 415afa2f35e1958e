using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>ResNet and VGG: PyTorch's names and counts.</summary>
public sealed class ModelsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static readonly Tensor Images = Tensor.Normal(new Shape(2, 16, 16, 3), new RandomSource(5)).Keep();

    private static long Count(Module model) => model.Parameters.Sum(parameter => (long)parameter.Count);

    // ---- ResNet -----------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData("batch", new[] { "weight", "bias", "running_mean", "running_var" })]
    [InlineData("group:8", new[] { "weight", "bias" })]
    public void ResNet20HasPyTorchsNamesInPyTorchsOrder(string normalization, string[] ofNormalization)
    {
        var names = new List<string>();
        void AddPair(string path, int number)
        {
            names.Add($"{path}conv{number}.weight");
            names.AddRange(ofNormalization.Select(name => $"{path}bn{number}.{name}"));
        }
        AddPair("", 1);
        for (var stage = 1; stage <= 3; stage++)
            for (var block = 0; block < 3; block++)
            {
                AddPair($"layer{stage}.{block}.", 1);
                AddPair($"layer{stage}.{block}.", 2);
            }
        names.AddRange(["fc.weight", "fc.bias"]);
        var model = ResNet.Cifar(20, Normalizations.Parse(normalization), classes: 10, seed: 1);
        Assert.Equal(names, model.State.Select(parameter => parameter.Name));
        Assert.Equal(269_722, Count(model));   // the paper's 0.27M; https://github.com/akamaster/pytorch_resnet_cifar10
    }

    [Theory]
    // 267,696 weights of convolutions and a bias for each of their 688 channels; 650 of the linear layer
    [InlineData(20, "none", 16, 10, 269_034)]
    [InlineData(32, "batch", 16, 10, 464_154)]   // https://github.com/akamaster/pytorch_resnet_cifar10
    [InlineData(56, "batch", 16, 10, 853_018)]
    // 9 (3*4 + 2*16 + 32 + 64 + 128 + 256) + 2 (4*3 + 8*2 + 16*2) + 16*7 + 7
    [InlineData(8, "layer", 4, 7, 4_955)]
    public void OtherDepthsWidthsAndClassesCountRight(int depth, string normalization, int width, int classes,
        int count)
    {
        var model = ResNet.Cifar(depth, Normalizations.Parse(normalization), classes, seed: 1, width: width);
        Assert.Equal(count, Count(model));
    }

    [Fact]
    public void ResNetHalvesTheImageTwice()
    {
        var model = ResNet.Cifar(8, channels => new GroupNorm(channels, GroupSpec.Size(4)), classes: 7, seed: 1);
        var shapes = new Dictionary<string, Shape>();
        foreach (var module in model.Modules.Where(module => module.Path.StartsWith("layer", StringComparison.Ordinal)
            && module.Path.Length == 6))
            module.AfterApply += (layer, output) => shapes[layer.Path] = output.Shape;
        Assert.Equal(new Shape(2, 7), model.Apply(Tensor.Zeros(new Shape(2, 15, 17, 3))).Shape);
        Assert.Equal(new Shape(2, 15, 17, 16), shapes["layer1"]);
        Assert.Equal(new Shape(2, 8, 9, 32), shapes["layer2"]);
        Assert.Equal(new Shape(2, 4, 5, 64), shapes["layer3"]);
        Assert.Equal(new Shape(0, 7), model.Apply(Tensor.Zeros(new Shape(0, 16, 16, 3))).Shape);
    }

    [Fact]
    public void TheShortcutTakesEverySecondPixelAndPadsChannelsOnBothSides()
    {
        // With gamma 0 the branch is 0, so the block is the ReLU of its shortcut.
        var model = ResNet.Cifar(8, channels => new LayerNorm(channels), classes: 2, seed: 1, zeroGamma: true,
            width: 4);
        var block = model.Modules.Single(module => module.Path == "layer2.0" && module is BasicBlock);
        var x = Tensor.Uniform(new Shape(2, 5, 4, 4), new RandomSource(1)) + 1;
        var y = block.Apply(x);
        Assert.Equal(new Shape(2, 3, 2, 8), y.Shape);
        for (var n = 0; n < 2; n++)
            for (var i = 0; i < 3; i++)
                for (var j = 0; j < 2; j++)
                    for (var c = 0; c < 8; c++)
                        Assert.Equal(c is >= 2 and < 6 ? x.At(n, 2 * i, 2 * j, c - 2) : 0, y.At(n, i, j, c));
    }

    [Fact]
    public void ZeroGammaIsTheLastOfEachBlock()
    {
        var model = ResNet.Cifar(14, Normalizations.Parse("group:4"), classes: 10, seed: 1, zeroGamma: true);
        foreach (var parameter in model.State.Where(parameter =>
            parameter.Name.Contains("bn", StringComparison.Ordinal)))
        {
            var isGamma = parameter.Name.EndsWith("weight", StringComparison.Ordinal);
            var expected = isGamma && !parameter.Name.EndsWith(".bn2.weight", StringComparison.Ordinal) ? 1 : 0;
            Assert.All(parameter.Value.ToDoubles(), value => Assert.Equal(expected, value));
        }
        foreach (var normalization in (Func<int, Tapegrad.Layers.Normalization?>?[])[null, channels =>
            new LayerNorm(channels, affine: false)])
        {
            var error = Assert.Throws<ArgumentException>(() => ResNet.Cifar(14, normalization, 10, 1, zeroGamma: true));
            Assert.Contains("zeroGamma: there is no gamma", error.Message);
        }
    }

    [Fact]
    public void TheSeedDecidesTheWeights()
    {
        static double[][] Weights(int seed) =>
            [.. ResNet.Cifar(8, null, 10, seed).State.Where(parameter => parameter.Shape.Rank > 1)
                .Select(parameter => parameter.Value.ToDoubles())];
        var weights = Weights(1);
        Assert.Equal(weights, Weights(1));
        foreach (var (first, second) in weights.Zip(Weights(2))) Assert.NotEqual(first, second);
        // Layers of one shape (layer1.0.conv1 and conv2 are the second and third) start apart, and each by its fan-out:
        // 3 * 3 * 16.
        Assert.NotEqual(weights[1], weights[2]);
        Assert.InRange(weights[1].Average(weight => weight * weight), 0.9 * 2 / 144, 1.1 * 2 / 144);
        Assert.InRange(weights[4].Average(weight => weight * weight), 0.9 * 2 / 288, 1.1 * 2 / 288);   // layer2.0.conv2
        // layer2.0.conv1: 16 -> 32
        Assert.InRange(weights[3].Average(weight => weight * weight), 0.9 * 2 / 288, 1.1 * 2 / 288);
    }

    [Fact]
    public void AnImpossibleDepthOrNormalizationIsRefusedWithItsLayer()
    {
        foreach (var depth in (int[])[2, 18, 19, 21, -4])
            Assert.Throws<ArgumentOutOfRangeException>(() => ResNet.Cifar(depth, null, 10, 1));
        var error = Assert.Throws<ShapeException>(() =>
            ResNet.Cifar(20, channels => new GroupNorm(channels, GroupSpec.Size(32)), 10, 1));
        Assert.EndsWith("(in layer bn1)", error.Message);
        error = Assert.Throws<ShapeException>(() =>
            ResNet.Cifar(20, channels => new GroupNorm(channels, GroupSpec.Count(channels == 32 ? 5 : 4)), 10, 1));
        Assert.EndsWith("(in layer layer2.0.bn1)", error.Message);
        Assert.Null(LayerContext.Current);
    }

    // ---- ResNet-18 --------------------------------------------------------------------------------------------------

    [Fact]
    public void ResNet18HasPyTorchsNamesInPyTorchsOrder()
    {
        var names = new List<string>();
        void AddPair(string convolution, string normalization)
        {
            names.Add($"{convolution}.weight");
            names.AddRange(((string[])["weight", "bias", "running_mean", "running_var"])
                .Select(name => $"{normalization}.{name}"));
        }
        AddPair("conv1", "bn1");
        for (var stage = 1; stage <= 4; stage++)
            for (var block = 0; block < 2; block++)
            {
                AddPair($"layer{stage}.{block}.conv1", $"layer{stage}.{block}.bn1");
                AddPair($"layer{stage}.{block}.conv2", $"layer{stage}.{block}.bn2");
                if (stage > 1 && block == 0)
                    AddPair($"layer{stage}.{block}.downsample.0", $"layer{stage}.{block}.downsample.1");
            }
        names.AddRange(["fc.weight", "fc.bias"]);
        var model = ResNet.Cifar18(Normalizations.Parse("batch"), classes: 10, seed: 1);
        Assert.Equal(names, model.State.Select(parameter => parameter.Name));
        Assert.Equal(11_173_962, Count(model));   // https://github.com/kuangliu/pytorch-cifar
        var shapes = model.State.ToDictionary(parameter => parameter.Name, parameter => parameter.Shape);
        Assert.Equal(new Shape(3, 3, 3, 64), shapes["conv1.weight"]);
        Assert.Equal(new Shape(3, 3, 128, 256), shapes["layer3.0.conv1.weight"]);
        Assert.Equal(new Shape(1, 1, 256, 512), shapes["layer4.0.downsample.0.weight"]);
    }

    [Fact]
    public void ResNet18HalvesTheImageThreeTimesAndIsRebuilt()
    {
        var model = new ModelSpec("resnet18", "group:8", Classes: 7, ZeroGamma: true).Build(seed: 1);
        var stages = new List<Shape>();
        foreach (var module in model.Modules.Where(module => module.Path.StartsWith("layer", StringComparison.Ordinal)
            && module.Path.Length == 6))
            module.AfterApply += (_, output) => stages.Add(output.Shape);
        var x = Tensor.Normal(new Shape(2, 9, 8, 3), new RandomSource(1));
        var logits = model.Apply(x);
        Assert.Equal([new(2, 9, 8, 64), new(2, 5, 4, 128), new(2, 3, 2, 256), new(2, 2, 1, 512)], stages);
        Assert.Equal(new Shape(2, 7), logits.Shape);
        model.Save(FilePath);
        var rebuilt = ModelSpec.Rebuild(FilePath);
        Assert.Equal(logits.ToDoubles(), rebuilt.Apply(x).ToDoubles());
        Assert.Equal(model.Metadata, rebuilt.Metadata);
        Assert.Equal("resnet18", model.Metadata["architecture"]);
    }

    [Fact]
    public void ABlockOfResNet18ThatBeginsAStageAddsANormalizedProjection()
    {
        // With gamma 0 the branch is 0, so the block is the ReLU of its shortcut: a 1x1 convolution of every second
        // pixel.
        var model = ResNet.Cifar18(Normalizations.Parse("layer"), classes: 2, seed: 1, zeroGamma: true);
        var block = model.Modules.First(module => module.Path == "layer2.0");
        var weight = model.State.Single(parameter => parameter.Name == "layer2.0.downsample.0.weight");
        var x = Tensor.Normal(new Shape(2, 5, 4, 64), new RandomSource(1));
        var pixels = x.Slice([0, 0, 0, 0], [2, 3, 2, 64], [1, 2, 2, 1]).Reshape(12, 64);
        var expected = new LayerNorm(128)
            .Apply(pixels.MatrixProduct(weight.Value.Reshape(64, 128)).Reshape(2, 3, 2, 128)).Relu().ToDoubles();
        foreach (var (wanted, found) in expected.Zip(block.Apply(x).ToDoubles())) Assert.Equal(wanted, found, 1e-4);
    }

    [Fact]
    public void AStepAgainstTheGradientLowersTheLossOfResNet18()
    {
        var model = ResNet.Cifar18(Normalizations.Parse("batch"), classes: 3, seed: 1);
        var x = Tensor.Normal(new Shape(4, 8, 8, 3), new RandomSource(1));
        double Loss(bool learn)
        {
            using var tape = Tape.Training(new RandomSource(1));
            var loss = model.Apply(x).CrossEntropy([0, 1, 2, 0]);
            if (learn) new Tapegrad.Optimizers.Sgd(model.Parameters).Step(tape.Gradients(loss), 0.01);
            return loss.ToDouble();
        }
        var before = Loss(learn: true);
        Assert.InRange(Loss(learn: false), 0, 0.9 * before);
    }

    [Fact]
    public void ResNet18RefusesWhatItCannotBe()
    {
        Assert.Contains("one width", Assert.Throws<ArgumentException>(() =>
            new ModelSpec("resnet18", "batch", Width: 8).Build(seed: 1)).Message);
        var error = Assert.Throws<ShapeException>(() =>
            ResNet.Cifar18(channels => new GroupNorm(channels, GroupSpec.Count(channels == 128 ? 3 : 4)), 10, 1));
        Assert.EndsWith("(in layer layer2.0.bn1)", error.Message);
        var refused = 0;   // the third normalization of 128 channels is that of the first projection
        error = Assert.Throws<ShapeException>(() =>
            ResNet.Cifar18(channels =>
                new GroupNorm(channels, GroupSpec.Count(channels == 128 && ++refused == 3 ? 3 : 4)), 10, 1));
        Assert.EndsWith("(in layer layer2.0.downsample.1)", error.Message);
        Assert.DoesNotContain("downsample.1.weight",
            ResNet.Cifar18(null, 10, 1).State.Select(parameter => parameter.Name));
    }

    // ---- VGG --------------------------------------------------------------------------------------------------------

    [Fact]
    public void VggIsThatOfTheExperimentAndIsRebuilt()
    {
        var model = Vgg.Cifar(Normalizations.Parse("group:16"), classes: 10, seed: 1);
        // The 13 convolutions of VGG-16 have 14,710,464 weights and 4,224 channels; gamma and beta for each; 512 * 10 +
        // 10.
        Assert.Equal(14_710_464 + 2 * 4224 + 5130, Count(model));
        // 2 and 5 are ReLUs, 6 is pooling.
        string[] first = ["0.weight", "1.weight", "1.bias", "3.weight", "4.weight", "4.bias", "7.weight"];
        Assert.Equal(first.Select(name => $"features.{name}"), model.State.Take(7).Select(parameter => parameter.Name));
        Assert.Equal(["features.41.bias", "classifier.weight", "classifier.bias"],
            model.State.TakeLast(3).Select(parameter => parameter.Name));
        var x = Tensor.Normal(new Shape(1, 32, 32, 3), new RandomSource(1));
        var pooled = new List<Shape>();
        foreach (var pool in model.Modules.OfType<MaxPool2d>())
            pool.AfterApply += (_, output) => pooled.Add(output.Shape);
        var logits = model.Apply(x).ToDoubles();
        Assert.Equal([new(1, 16, 16, 64), new(1, 8, 8, 128), new(1, 4, 4, 256), new(1, 2, 2, 512), new(1, 1, 1, 512)],
            pooled);
        model.Save(FilePath);
        Assert.Equal(logits, ModelSpec.Rebuild(FilePath).Apply(x).ToDoubles());
    }

    [Fact]
    public void VggWithoutNormalizationHasBiases()
    {
        var model = Vgg.Cifar(null, classes: 10, seed: 1);
        Assert.Equal(14_714_688 + 5130, Count(model));   // VGG-16's convolutions with their biases
        Assert.Equal(["features.0.weight", "features.0.bias", "features.2.weight"],
            model.State.Take(3).Select(parameter => parameter.Name));
    }
}
