using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>Weights from PyTorch and back: names, prefixes, what is ignored, and the order behind a flatten.</summary>
public sealed class StateDictTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("state").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "torch.safetensors");

    private static Sequential Model(int seed) => new(
        ("conv", new Conv2d(3, 4, 3, new RandomSource(seed))), ("bn", new BatchNorm(4)),
        ("pool", new GlobalAveragePool()),
        ("fc", new Linear(4, 2, new RandomSource(seed + 1))));

    private static double[][] Values(Module model) => [.. model.State.Select(parameter => parameter.Value.ToDoubles())];

    private static NamedArray Ones(string name, params int[] shape) =>
        new(name, new Shape(shape), Enumerable.Repeat(1f, new Shape(shape).Count).ToArray());

    // ---- names ------------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData("")]
    [InlineData("module.")]
    [InlineData("module._orig_mod.")]
    public void APrefixIsDroppedAndCountersAreIgnored(string prefix)
    {
        var (model, other) = (Model(1), Model(2));
        model.Save(FilePath);
        var arrays = ArrayFile.Read(FilePath).Select(array => array with { Name = prefix + array.Name });
        SafetensorsFile.Write(FilePath,
            [.. arrays, new($"{prefix}bn.num_batches_tracked", Shape.Scalar, new long[] { 7 })]);
        var report = StateDict.Load(other, FilePath);
        Assert.Equal(Values(model), Values(other));
        Assert.Equal((prefix, true), (report.Prefix, report.IsComplete));
        Assert.Equal(model.State.Select(parameter => parameter.Name), report.Loaded);
        Assert.Equal([$"{prefix}bn.num_batches_tracked"], report.Ignored);
        Assert.Empty(report.Turned);
        Assert.Contains("loaded: 8 (conv.weight, conv.bias, bn.weight, bn.bias, bn.running_mean and 3 more)",
            report.ToString());
        Assert.Contains($"ignored: 1 ({prefix}bn.num_batches_tracked)", report.ToString());
    }

    [Fact]
    public void AModelsOwnFirstWordIsNoPrefix()
    {
        // All names begin with "fc." on both sides, and one of the model's own is that short.
        var model = new Sequential(("fc", new Linear(2, 3, new RandomSource(1))));
        SafetensorsFile.Write(FilePath, [Ones("fc.weight", 3, 2), Ones("fc.bias", 3)]);
        Assert.Equal("", StateDict.Load(model, FilePath).Prefix);
        SafetensorsFile.Write(FilePath, [Ones("fc.fc.weight", 3, 2), Ones("fc.fc.bias", 3)]);
        Assert.Contains("unknown to the model: 2 (fc.fc.weight, fc.fc.bias)",
            Assert.Throws<InvalidDataException>(() => StateDict.Load(model, FilePath)).Message);
    }

    /// <summary>What belongs to the training and not to the model stands beside it in the file.</summary>
    [Theory]
    [InlineData("module.", "n_averaged")]
    [InlineData("model.", "criterion.weight")]
    [InlineData("model.net.", "model.criterion.weight")]
    [InlineData("student.", "teacher.fc.weight")]
    [InlineData("", "bn.num_batches_tracked")]
    public void What_stands_beside_the_model_is_ignored_and_named(string prefix, string beside)
    {
        var (model, other) = (Model(1), Model(2));
        model.Save(FilePath);
        var arrays = ArrayFile.Read(FilePath).Select(array => array with { Name = prefix + array.Name });
        SafetensorsFile.Write(FilePath, [Ones(beside, 2), .. arrays]);
        var report = StateDict.Load(other, FilePath);
        Assert.Equal(Values(model), Values(other));
        Assert.Equal((prefix, true), (report.Prefix, report.IsComplete));
        Assert.Equal([beside], report.Ignored);
        Assert.StartsWith(prefix == "" ? $"{FilePath}{Environment.NewLine}"
            : $"{FilePath}, where the model's names stand behind '{prefix}'{Environment.NewLine}", report.ToString());
        // Inside the model it is not ignored.
        SafetensorsFile.Write(FilePath, [Ones(prefix + "other.weight", 2), .. arrays]);
        Assert.Contains("unknown to the model: 1 (other.weight)",
            Assert.Throws<InvalidDataException>(() => StateDict.Load(other, FilePath)).Message);
    }

    [Fact]
    public void A_model_that_is_there_twice_is_refused()
    {
        Model(1).Save(FilePath);
        var arrays = ArrayFile.Read(FilePath);
        SafetensorsFile.Write(FilePath, [.. ((string[])["student.", "teacher."]).SelectMany(prefix =>
            arrays.Select(array => array with { Name = prefix + array.Name }))]);
        foreach (var partial in (bool[])[false, true])
            Assert.Contains("2 times, behind 'student.', 'teacher.'",
                Assert.Throws<InvalidDataException>(() => StateDict.Load(Model(2), FilePath, partial)).Message);
    }

    [Fact]
    public void Nothing_that_fits_is_an_error_even_where_a_part_would_do()
    {
        var model = Model(1);
        var before = Values(model);
        SafetensorsFile.Write(FilePath, [Ones("encoder.weight", 3, 2), Ones("conv.weight", 1, 1, 1, 1)]);
        Assert.Contains("Nothing was changed",
            Assert.Throws<InvalidDataException>(() => StateDict.Load(model, FilePath, partial: true)).Message);
        Assert.Equal(before, Values(model));
    }

    [Fact]
    public void Weights_that_are_no_numbers_are_named()
    {
        var model = Model(1);
        var notices = new List<string>();
        void Listen(string notice)
        {
            if (notice.StartsWith(FilePath)) notices.Add(notice);
        }
        Notices.Raised += Listen;
        try
        {
            model.Save(FilePath);
            StateDict.Load(model, FilePath);
            Assert.Empty(notices);
            model.State[1].Value = Tensor.Full(new Shape(4), double.NaN);
            model.State[6].Value = Tensor.Full(model.State[6].Shape, double.NegativeInfinity);
            model.Save(FilePath);
            StateDict.Load(Model(2), FilePath);
        }
        finally
        {
            Notices.Raised -= Listen;
        }
        Assert.Contains("2 of its arrays hold numbers that are infinite or NaN: conv.bias, fc.weight",
            Assert.Single(notices));
    }

    [Fact]
    public void DifferencesAreNamedAndChangeNothingUnlessAPartIsWanted()
    {
        var model = Model(1);
        var before = Values(model);
        SafetensorsFile.Write(FilePath,
            [Ones("conv.weight", 4, 3, 3, 3), Ones("conv.bias", 4), Ones("fc.weight", 5, 4), Ones("head.bias", 1)]);
        var message = Assert.Throws<InvalidDataException>(() => StateDict.Load(model, FilePath)).Message;
        Assert.Equal($"{FilePath}: the file belongs to another model: "
            + "missing in the file: 5 (bn.weight, bn.bias, bn.running_mean, bn.running_var, fc.bias); "
            + "unknown to the model: 1 (head.bias); of another shape: 1 (fc.weight [5, 4] (here [2, 4])). Shapes are "
            + "in the file's order of axes. Nothing was changed.", message);
        Assert.Equal(before, Values(model));

        var report = StateDict.Load(model, FilePath, partial: true);
        Assert.Equal(["conv.weight", "conv.bias"], report.Loaded);
        Assert.False(report.IsComplete);
        Assert.All(Values(model)[..2], values => Assert.All(values, value => Assert.Equal(1, value)));
        Assert.Equal(before[2..], Values(model)[2..]);
    }

    [Fact]
    public void PicklesAreRefused()
    {
        File.WriteAllBytes(FilePath + ".pt", [0x80, 2]);
        Assert.Contains("a pickle is a program",
            Assert.Throws<InvalidDataException>(() => StateDict.Load(Model(1), FilePath + ".pt")).Message);
    }

    // ---- formats ----------------------------------------------------------------------------------------------------

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
    public void OneArrayFitsANpyFile()
    {
        var path = Path.Combine(folder, "weight.npy");
        ArrayFile.Write(path, [Ones("any", 2, 3)]);
        var array = Assert.Single(ArrayFile.Read(path));
        Assert.Equal(("weight", new Shape(2, 3)), (array.Name, array.Shape));
        Assert.Contains("one array, and there are 0",
            Assert.Throws<ArgumentException>(() => ArrayFile.Write(path, [])).Message);
    }

    // ---- behind a flatten -------------------------------------------------------------------------------------------

    private static Sequential Flattening(int seed) => new(
        ("conv", new Conv2d(3, 2, 1, new RandomSource(seed), bias: false)), ("relu", new Relu()),
        ("flatten", new Flatten()),
        ("fc", new Linear(2 * 6, 5, new RandomSource(seed + 1), bias: false)),
        ("head", new Linear(5, 4, new RandomSource(seed + 2), bias: false)));

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
