using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>What is taken for the prefix of a file's names where several could be, or none is.</summary>
public sealed class StateDictPrefixTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("prefix").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "torch.safetensors");

    private static Sequential Model() => new(("fc", new Linear(2, 3, new RandomSource(1))));

    private StateDictReport Load(Module model, bool partial, params string[] names)
    {
        SafetensorsFile.Write(FilePath, [.. names.Select((name, i) =>
        {
            var shape = name.EndsWith("weight", StringComparison.Ordinal) ? new Shape(3, 2) : new Shape(3);
            return new NamedArray(name, shape, Enumerable.Repeat(i + 1f, shape.Count).ToArray());
        })]);
        return StateDict.Load(model, FilePath, partial);
    }

    // The table of StateDictPrefix, for a model with fc.weight and fc.bias; "refused" where the file has it twice.
    [Theory]
    [InlineData("", "fc.weight", "fc.bias")]
    [InlineData("module.", "module.fc.weight", "module.fc.bias", "n_averaged")]
    [InlineData("module._orig_mod.", "module._orig_mod.fc.weight", "module._orig_mod.fc.bias")]
    [InlineData("student.", "student.fc.weight", "student.fc.bias", "teacher.fc.bias")]
    [InlineData("", "fc.weight", "fc.bias", "ema.fc.weight", "ema.fc.bias")]
    [InlineData("refused", "student.fc.weight", "student.fc.bias", "teacher.fc.weight", "teacher.fc.bias")]
    [InlineData("b.", "b.fc.weight", "teacher.fc.bias")]
    [InlineData("zz.", "zz.fc.weight", "teacher.fc.bias")]
    [InlineData("a.", "b.fc.weight", "a.fc.bias")]
    [InlineData("B.", "a.fc.weight", "B.fc.bias")]   // by the letters' numbers, in every language
    [InlineData("", "fc.fc.weight", "fc.bias")]
    [InlineData("net.", "net.fc.weight", "net.fc.fc.weight", "net.fc.fc.bias", "net.fc.bias")]
    public void The_prefix_is_that_of_the_table(string prefix, params string[] names)
    {
        if (prefix == "refused") Assert.Throws<InvalidDataException>(() => Load(Model(), partial: true, names));
        else Assert.Equal(prefix, Load(Model(), partial: true, names).Prefix);
    }

    [Fact]
    public void None_is_better_than_one_that_fits_as_well()
    {
        var model = Model();
        var report = Load(model, partial: true, "ema.fc.weight", "ema.fc.bias", "fc.weight", "fc.bias");
        Assert.Equal("", report.Prefix);
        Assert.Equal(["ema.fc.weight", "ema.fc.bias"], report.Unknown);
        Assert.All(model.Parameters.Zip([3.0, 4.0]), pair =>
            Assert.All(pair.First.Value.ToDoubles(), value => Assert.Equal(pair.Second, value)));
    }

    [Fact]
    public void Of_several_that_fit_a_part_as_well_the_shortest_is_taken()
    {
        Assert.Equal("b.", Load(Model(), partial: true, "teacher.fc.weight", "b.fc.bias").Prefix);
        Assert.Equal("b.", Load(Model(), partial: true, "b.fc.bias", "teacher.fc.weight").Prefix);
    }

    [Fact]
    public void Whole_models_behind_several_are_refused() =>
        Assert.Contains("it holds the model 2 times, behind 'student.', 'teacher.'",
        Assert.Throws<InvalidDataException>(() =>
            Load(Model(), partial: true, "student.fc.weight", "student.fc.bias", "teacher.fc.weight",
            "teacher.fc.bias")).Message);

    // Without all that they share in front.
    [Fact]
    public void Where_nothing_fits_the_names_are_told_without_what_they_share()
    {
        var message = Assert.Throws<InvalidDataException>(() =>
            Load(Model(), partial: true, "net.deep.one.kernel", "net.deep.two.kernel")).Message;
        Assert.Contains("unknown to the model: 2 (one.kernel, two.kernel)", message);
    }

    [Fact]
    public void A_model_without_numbers_needs_none() =>
        Assert.Empty(Load(new Relu(), partial: true, "fc.weight").Loaded);

    [Fact]
    public void A_counter_is_called_so_behind_a_dot() =>
        Assert.Contains("unknown to the model: 1 (my_num_batches_tracked)", Assert.Throws<InvalidDataException>(() =>
            Load(Model(), partial: false, "fc.weight", "fc.bias", "my_num_batches_tracked")).Message);
}
