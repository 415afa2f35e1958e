using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>Weights from PyTorch and back: names, prefixes, and what is ignored.</summary>
public sealed class StateDictTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("state").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "torch.safetensors");

    private static Sequential Model(int seed) => new(
        ("conv", new Conv2d(3, 4, 3, new RandomSource(seed))), ("bn", new BatchNorm(4)),
        ("pool", new GlobalAveragePool()),
        ("fc", new Linear(4, 2, new RandomSource(seed + 1))));

    internal static double[][] Values(Module model) =>
        [.. model.State.Select(parameter => parameter.Value.ToDoubles())];

    internal static NamedArray Ones(string name, params int[] shape) =>
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
}
