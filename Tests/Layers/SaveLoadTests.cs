using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>What a model saves, and what it lets in: PyTorch's names and axes, all or nothing.</summary>
public sealed class SaveLoadTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static Sequential Model(int seed, int outputs = 5) => new(
        ("conv", new Conv2d(4, 6, new Size2d(3, 2), new RandomSource(seed), groups: 2)), ("bn", new BatchNorm(6)),
        ("pool", new GlobalAveragePool()), ("fc", new Linear(6, outputs, new RandomSource(seed + 1))));

    private static double[][] Values(Module model) => [.. model.State.Select(parameter => parameter.Value.ToDoubles())];

    [Fact]
    public void WhatIsSavedIsLoaded()
    {
        var (model, other) = (Model(1), Model(7));
        model.Children.OfType<BatchNorm>()
            .Single().RunningMean.Value = Tensor.Normal(new Shape(6), new RandomSource(3));
        model.Metadata["colour"] = "blue";
        model.Save(FilePath);
        other.Load(FilePath);
        Assert.Equal(Values(model), Values(other));
        Assert.Equal("blue", other.Metadata["colour"]);
        var again = Path.Combine(folder, "again");
        other.Save(again);
        Assert.Equal(File.ReadAllBytes(FilePath), File.ReadAllBytes(again));
    }

    [Fact]
    public void NamesAndAxesInTheFileArePyTorchs()
    {
        var model = Model(1);
        model.Save(FilePath);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(["conv.weight", "conv.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var",
            "fc.weight", "fc.bias"], file.Entries.Select(entry => entry.Name));
        var (convolution, linear) = (model.Children.OfType<Conv2d>().Single().Weight,
            model.Children.OfType<Linear>().Single().Weight);
        var (inFile, axes) = (file.ReadDoubles(file.Entries[0]), file.Entries[0].Shape);
        Assert.Equal(new Shape(6, 2, 3, 2), axes);   // [O, C / groups, KH, KW]
        for (var (o, at) = (0, 0); o < 6; o++)
            for (var c = 0; c < 2; c++)
                for (var i = 0; i < 3; i++)
                    for (var j = 0; j < 2; j++) Assert.Equal(convolution.Value.At(i, j, c, o), inFile[at++]);
        Assert.Equal(new Shape(5, 6), file.Entries[6].Shape);   // [outputs, inputs]
        Assert.Equal(Enumerable.Range(0, 30).Select(at => linear.Value.At(at % 6, at / 6)),
            file.ReadDoubles(file.Entries[6]));
    }

    [Fact]
    public void SequencesAndTransposesHavePyTorchsAxesToo()
    {
        var (sequence, transpose) =
            (new Conv1d(4, 6, 3, new RandomSource(1), groups: 2),
                new ConvTranspose2d(4, 6, new Size2d(3, 2), new RandomSource(2)));
        new Sequential(sequence, transpose).Save(FilePath);
        using var file = SafetensorsFile.Open(FilePath);
        var (first, second) = (file.Entries[0], file.Entries[2]);
        // [O, C / groups, K] and [C, O / groups, KH, KW]
        Assert.Equal((new Shape(6, 2, 3), new Shape(4, 6, 3, 2)), (first.Shape, second.Shape));
        Assert.Equal(sequence.Weight.Value.Permute(2, 1, 0).ToDoubles(), file.ReadDoubles(first));
        Assert.Equal(transpose.Weight.Value.Permute(3, 2, 0, 1).ToDoubles(), file.ReadDoubles(second));
    }

    [Fact]
    public void SavingWritesNothingOnATape()
    {
        var model = Model(1);
        using var tape = Tape.Training(new RandomSource(1));
        model.Apply(Tensor.Ones(new Shape(2, 4, 4, 4)));
        var records = tape.Count;
        model.Save(FilePath);
        model.Load(FilePath);
        Assert.Equal(records, tape.Count);
    }

    [Fact]
    public void ADoubleModelLoadsDoubles()
    {
        using var device = Device.Use(Device.Reference);
        var layer = new Linear(1, 1, new RandomSource(1), bias: false);
        const string header = """{"weight":{"dtype":"F64","shape":[1,1],"data_offsets":[0,8]}}""";
        byte[] length = BitConverter.GetBytes((long)header.Length), number = BitConverter.GetBytes(1.0 / 3);
        File.WriteAllBytes(FilePath, [.. length, .. Encoding.UTF8.GetBytes(header), .. number]);
        using (Device.Use(Device.Cpu)) layer.Load(FilePath);   // the parameter's device counts, not the current one
        Assert.Equal(1.0 / 3, layer.Weight.Value.ToDouble());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]   // it is the element type that counts
    public void ADoubleModelKeepsEveryDigit(bool onAnotherDevice)
    {
        using var device = Device.Use(onAnotherDevice ? new ReferenceDevice() : Device.Reference);
        var (model, other) = (Model(1), Model(2));
        model.Save(FilePath);
        using (var file = SafetensorsFile.Open(FilePath))
            Assert.All(file.Entries, entry => Assert.Equal(SafetensorsType.F64, entry.Type));
        other.Load(FilePath);
        Assert.Equal(Values(model), Values(other));
    }

    [Fact]
    public void AFileOfAnotherModelIsRefusedWithAllDifferencesAndChangesNothing()
    {
        var model = Model(1);
        model.Metadata["normalization"] = "batch";
        var before = Values(model);
        SafetensorsFile.Write(FilePath,
        [
            new("conv.weight", new Shape(6, 2, 2, 3), new float[72]), new("conv.bias", new Shape(6), new float[6]),
            new("bn.weight", new Shape(6), new float[6]), new("bn.bias", new Shape(6), new float[6]),
            new("fc.weight", new Shape(5, 6), new float[30]), new("fc.bias", new Shape(5), new float[5]),
            new("fc.extra", new Shape(1), new float[1]),
        ], new Dictionary<string, string> { ["normalization"] = "group:2", ["other"] = "text" });
        var message = Assert.Throws<InvalidDataException>(() => model.Load(FilePath)).Message;
        Assert.StartsWith($"{FilePath}: the file belongs to another model: it says: normalization = group:2 (here "
            + "batch); missing in the file: 2 (bn.running_mean, bn.running_var); unknown to the model: 1 (fc.extra); "
            + "of another shape: 1 (conv.weight [6, 2, 2, 3] (here [6, 2, 3, 2])). Shapes are in the file's order of "
            + "axes. Nothing was changed.", message);
        Assert.Equal(before, Values(model));
        Assert.False(model.Metadata.ContainsKey("other"));
    }

    // Linear layers by their names and sizes; one of them is everywhere.
    private static readonly Gen<Sequential> Linears =
        from sizes in Gen.Choose(0, 3).ArrayOf(3)
        from bias in Gen.Elements(true, false)
        select new Sequential([("z", new Linear(1, 1, new RandomSource(1), bias: false)),
            .. sizes.Index().Where(layer => layer.Item > 0).Select(layer => ($"{"abc"[layer.Index]}",
                (Module)new Linear(layer.Item, 2, new RandomSource(1), bias)))]);

    [Fact]
    public void ADifferenceIsToldInTheSameWordsWhicheverWayAFileIsLoaded() =>
        Prop.ForAll((from saved in Linears from loading in Linears select (saved, loading)).ToArbitrary(), pair =>
        {
            pair.saved.Save(FilePath);
            var messages = ((Action[])[() => pair.loading.Load(FilePath),
                () => StateDict.Load(pair.loading, FilePath)])
                .Select(load => (Xunit.Record.Exception(load) as InvalidDataException)?.Message ?? "").ToArray();
            Assert.Equal(messages[1], messages[0][..Math.Min(messages[0].Length, messages[1].Length)]);
            Assert.Equal(messages[0] == "", messages[1] == "");
            var names = pair.saved.State.Select(state => (state.Name, state.Shape));
            Assert.Equal(names.SequenceEqual(pair.loading.State.Select(state => (state.Name, state.Shape))),
                messages[0] == "");
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(200));

    [Fact]
    public void EachDifferenceAloneIsEnough()
    {
        void Refused(string what, Module saved, Module loading)
        {
            saved.Save(FilePath);
            Assert.Contains(what, Assert.Throws<InvalidDataException>(() => loading.Load(FilePath)).Message);
        }
        var random = new RandomSource(1);
        Refused("missing in the file: 1 (bias)", new Linear(2, 3, random, bias: false), new Linear(2, 3, random));
        Refused("unknown to the model: 1 (bias)", new Linear(2, 3, random), new Linear(2, 3, random, bias: false));
        Refused("of another shape: 1 (weight [3, 2] (here [2, 3]))", new Linear(2, 3, random, bias: false),
            new Linear(3, 2, random, bias: false));
        var named = new Linear(2, 3, random) { Metadata = { ["k"] = "a" } };
        Refused("it says: k = a (here b)", named, new Linear(2, 3, random) { Metadata = { ["k"] = "b" } });
        var coloured = new Linear(2, 3, random) { Metadata = { ["k"] = "\u001b[31ma\n" } };
        Refused("it says: k = ?[31ma? (here b)", coloured, new Linear(2, 3, random) { Metadata = { ["k"] = "b" } });
        Refused("0.weight, 0.bias, 1.weight, 1.bias, 2.weight and 1 more", new Relu(),
            new Sequential(new Linear(1, 1, random), new Linear(1, 1, random), new Linear(1, 1, random)));
    }

    [Fact]
    public void ABrokenFileChangesNothing()
    {
        var model = Model(1);
        model.Save(FilePath);
        var bytes = File.ReadAllBytes(FilePath);
        File.WriteAllBytes(FilePath, bytes[..^1]);
        var before = Values(model);
        Assert.Throws<InvalidDataException>(() => model.Load(FilePath));
        Assert.Throws<FileNotFoundException>(() => model.Load(FilePath + "x"));
        Assert.Equal(before, Values(model));
    }
}
