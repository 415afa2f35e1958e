using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;
using static Tapegrad.Tests.Layers.StateDictTests;

namespace Tapegrad.Tests.Layers;

/// <summary>Weights from PyTorch and back, behind a flatten, whose order of features is another one there.</summary>
public sealed class StateDictFlattenTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("state").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "torch.safetensors");

    private static Sequential Flattening(int seed) => new(
        ("conv", new Conv2d(3, 2, 1, new RandomSource(seed), bias: false)), ("relu", new Relu()),
        ("flatten", new Flatten()),
        ("fc", new Linear(2 * 6, 5, new RandomSource(seed + 1), bias: false)),
        ("head", new Linear(5, 4, new RandomSource(seed + 2), bias: false)));

    [Theory]
    [InlineData("weights.npz")]
    [InlineData("weights.safetensors")]
    public void WhatIsSavedIsLoaded(string name)
    {
        var (model, other, path) = (Flattening(1), Flattening(2), Path.Combine(folder, name));
        StateDict.Save(model, path);
        Assert.Equal(["fc.weight"], StateDict.Load(other, path).Turned);
        Assert.Equal(Values(model), Values(other));
    }

    [Fact]
    public void TheLinearLayerBehindAFlattenIsTurned()
    {
        // PyTorch's input is channel * 6 + position, ours position * 2 + channel: 6 positions of 2 channels.
        var model = Flattening(1);
        StateDict.Save(model, FilePath);
        using var file = SafetensorsFile.Open(FilePath);
        var (inFile, own) = (file.ReadDoubles(file.Entries.Single(entry => entry.Name == "fc.weight")),
            model.State[1].Value);
        for (var output = 0; output < 5; output++)
            for (var position = 0; position < 6; position++)
                for (var channel = 0; channel < 2; channel++)
                    Assert.Equal(own.At(position * 2 + channel, output), inFile[output * 12 + channel * 6 + position]);
        var head = file.ReadDoubles(file.Entries.Single(entry => entry.Name == "head.weight"));
        Assert.Equal(model.State[2].Value.Permute(1, 0).ToDoubles(), head);
    }

    [Fact]
    public void ANormalizationBehindAFlattenIsTurned()
    {
        var model = new Sequential(("transpose",
            new ConvTranspose2d(4, 6, 1, new RandomSource(1), groups: 2, bias: false)),
            ("flatten", new Flatten()), ("bn", new BatchNorm(24)), ("fc", new Linear(24, 24, new RandomSource(2))));
        SafetensorsFile.Write(FilePath,
        [
            Ones("transpose.weight", 4, 3, 1, 1), Ones("bn.bias", 24), Ones("bn.running_mean", 24),
            Ones("bn.running_var", 24),
            new("bn.weight", new Shape(24), Enumerable.Range(0, 24).ToArray()), Ones("fc.weight", 24, 24),
            Ones("fc.bias", 24),
        ]);
        Assert.Equal(["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "fc.weight"],
            StateDict.Load(model, FilePath).Turned);
        // 6 channels at 4 positions: channel c of position p, number 6 p + c here, is number 4 c + p there.
        Assert.Equal(Enumerable.Range(0, 24).Select(i => (double)(4 * (i % 6) + i / 6)),
            model.State[1].Value.ToDoubles());
    }

    // A convolution of [N, C, positions, 1], PyTorch's flatten, a normalization and a linear layer with the weights in
    // the file, computed in PyTorch's order of axes: the same, or refused because the sets of features would be others.
    [Fact]
    public void WhatStandsBehindAFlattenComputesInPyTorchWhatItDoesHere()
    {
        foreach (var channels in (int[])[1, 2, 3, 4])
            foreach (var positions in (int[])[1, 2, 3, 4])
                foreach (var groups in Enumerable.Range(1, channels * positions)
                    .Where(groups => channels * positions % groups == 0))
                    foreach (var shared in (bool[])[false, true])
                        Check(channels, positions, groups, shared);

        void Check(int channels, int positions, int groups, bool batch)
        {
            var (random, features) = (new RandomSource(1), channels * positions);
            Tensor Any(params int[] shape) => Tensor.Normal(new Shape(shape), random = random.Split(1));
            Tapegrad.Layers.Normalization norm =
                batch && groups == features ? new BatchNorm(features)
                : new GroupNorm(features, GroupSpec.Count(groups));
            foreach (var parameter in norm.State) parameter.Value = Any(features).Square();
            var model = new Sequential(("conv", new Conv2d(2, channels, 1, random)), ("flatten", new Flatten()),
                ("norm", norm), ("relu", new Relu()),
                ("fc", new Linear(features, 3, random)));
            if (groups > 1 && groups < features && positions > 1 && channels > 1)
            {
                Assert.Contains($"norm: its {groups} groups",
                    Assert.Throws<ArgumentException>(() => StateDict.Save(model, FilePath)).Message);
                return;
            }
            StateDict.Save(model, FilePath);
            var read = ArrayFile.Read(FilePath)
                .ToDictionary(array => array.Name, array => Tensor.From(array.ToDoubles(), array.Shape));
            var x = Any(4, positions, 1, 2);
            var flat = model.Children[0].Apply(x).Permute(0, 3, 1, 2).Reshape(4, features);
            // of these features: [N, C] has one order
            foreach (var parameter in norm.State) parameter.Value = read[parameter.Name];
            var there = norm.Apply(flat).Relu().MatrixProduct(read["fc.weight"].Permute(1, 0)) + read["fc.bias"];
            foreach (var parameter in model.State) parameter.Value = parameter.Value * 0;
            StateDict.Load(model, FilePath);
            Assert.All(model.Apply(x).ToDoubles().Zip(there.ToDoubles()), pair =>
                Assert.Equal(pair.Second, pair.First, 1e-4));
        }
    }

    // It keeps its input's shape, whoever wrote it.
    private sealed class OwnNorm(int channels)
        : Tapegrad.Layers.Normalization(channels, new Sharing(Batch: false, Positions: true, Groups: 1));

    [Fact]
    public void BehindAFlattenANormalizationOfSomebodyElsesIsTurnedToo()
    {
        Module model =
            new Sequential(new Conv2d(3, 2, 1, new RandomSource(1)), new Flatten(), new OwnNorm(12),
                new Linear(12, 1, new RandomSource(1)));
        StateDict.Save(model, FilePath);
        Assert.Equal(["2.weight", "2.bias", "3.weight"], StateDict.Load(model, FilePath).Turned);
    }

    [Fact]
    public void AFlattenedInputNeedsItsChannels()
    {
        var model = new Sequential(("flatten", new Flatten()),
            ("fc", new Linear(12, 1, new RandomSource(1), bias: false)));
        SafetensorsFile.Write(FilePath, [new("fc.weight", new Shape(1, 12), Enumerable.Range(0, 12).ToArray())]);
        Assert.Contains("fc: its 12 inputs stand behind a flatten, and nothing before it says how many channels were "
            + "flattened",
            Assert.Throws<ArgumentException>(() => StateDict.Load(model, FilePath)).Message);
        Assert.Contains("5 channels do not divide them",
            Assert.Throws<ArgumentException>(() => StateDict.Load(model, FilePath, inputChannels: 5)).Message);
        StateDict.Load(model, FilePath, inputChannels: 3);
        Assert.Equal([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11], model.State[0].Value.ToDoubles());
        StateDict.Load(model, FilePath, inputChannels: 6);
        Assert.Equal([0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11], model.State[0].Value.ToDoubles());
        StateDict.Load(model, FilePath, inputChannels: 12);
        Assert.Equal(Enumerable.Range(0, 12).Select(i => (double)i), model.State[0].Value.ToDoubles());
    }

    private sealed class Mixing : Module
    {
        protected override Tensor Forward(Tensor x) => x.Concatenate(1, x);
    }

    [Fact]
    public void OfALayerOfSomebodyElsesNothingIsAssumed()
    {
        Module Of(params Module[] between) =>
            new Sequential([new Conv2d(3, 2, 1, new RandomSource(1)), .. between,
                new Linear(12, 1, new RandomSource(1))]);
        Assert.Contains("nothing before it says",
            Assert.Throws<ArgumentException>(() => StateDict.Save(Of(new Mixing(), new Flatten()), FilePath)).Message);
        StateDict.Save(Of(new Mixing(), new GroupNorm(4, GroupSpec.Count(2)), new Flatten()), FilePath);
        StateDict.Save(Of(new Mixing()), FilePath);   // nothing is flattened
    }
}
