using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>Models that are rebuilt from their file alone, and files that are refused.</summary>
public sealed class ModelFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static readonly Tensor Images = Tensor.Normal(new Shape(2, 16, 16, 3), new RandomSource(5)).Keep();

    // Changes what the file says, and nothing else in it.
    private void Say(string key, string? text)
    {
        NamedArray[] arrays;
        Dictionary<string, string> texts;
        using (var file = SafetensorsFile.Open(FilePath))
        {
            arrays = [.. file.Entries.Select(entry =>
                NamedArray.Of(entry.Name, Tensor.From(file.ReadDoubles(entry), entry.Shape)))];
            texts = new(file.Metadata);
        }
        if (text is null) texts.Remove(key);
        else texts[key] = text;
        SafetensorsFile.Write(FilePath, arrays, texts);
    }

    [Theory]
    [InlineData("group:8", false, 16)]
    [InlineData("group:8+ws", true, 16)]
    [InlineData("batch+ws", false, 8)]
    [InlineData("size:4", true, 16)]
    [InlineData("batch", true, 16)]
    [InlineData("batch:keras", false, 8)]
    [InlineData("layer", false, 16)]
    [InlineData("layer:position", false, 16)]
    [InlineData("instance", false, 16)]
    [InlineData("none", false, 16)]
    public void AFileAloneRebuildsItsModel(string normalization, bool zeroGamma, int width)
    {
        var model = new ModelSpec("resnet8", normalization, Classes: 7, Width: width, ZeroGamma: zeroGamma)
            .Build(seed: 3);
        using (var tape = Tape.Training(new RandomSource(1)))
            tape.Gradients(model.Apply(Images).Square().Mean()).CommitStatistics();
        model.Metadata["input_mean"] = "0.5,0.25,0.125";
        model.Save(FilePath);
        var rebuilt = ModelSpec.Rebuild(FilePath);
        Assert.Equal(model.Apply(Images).ToDoubles(), rebuilt.Apply(Images).ToDoubles());
        Assert.Equal(model.Metadata, rebuilt.Metadata);
        Assert.Equal(model.State.Select(parameter => parameter.Name),
            rebuilt.State.Select(parameter => parameter.Name));
        Assert.Equal(model.Summary(), rebuilt.Summary());
    }

    [Fact]
    public void TheMetadataSayWhatTheModelIsAndNothingElse()
    {
        var model = new ModelSpec("resnet14", "size:8", Classes: 7).Build(seed: 3);
        Dictionary<string, string> expected = new()
        {
            ["format_version"] = "1",
            ["architecture"] = "resnet14",
            ["normalization"] = "size:8",
            ["classes"] = "7",
        };
        Assert.Equal(expected, model.Metadata);
        model = new ModelSpec("resnet8", "batch", Classes: 7, Width: 8, ZeroGamma: true).Build(seed: 3);
        Assert.Equal("true", model.Metadata["zero_gamma"]);
        Assert.Equal("8", model.Metadata["width"]);
        Assert.Equal("none", ResNet.Cifar(8, null, 7, 1).Metadata["normalization"]);
    }

    [Fact]
    public void EqualModelsHaveEqualFiles()
    {
        new ModelSpec("resnet8", "batch", Classes: 10).Build(seed: 4).Save(FilePath);
        new ModelSpec("resnet8", "batch", Classes: 10).Build(seed: 4).Save(FilePath + "2");
        Assert.Equal(File.ReadAllBytes(FilePath), File.ReadAllBytes(FilePath + "2"));
    }

    [Theory]
    [InlineData("format_version", null, "does not say its format_version")]
    [InlineData("format_version", "2", "format_version is '2', and only 1 is known")]
    [InlineData("architecture", null, "does not say its architecture")]
    [InlineData("architecture", "resnet21", "architecture 'resnet21' is unknown")]
    [InlineData("architecture", "\u001b[31mvgg\n", "architecture '?[31mvgg?' is unknown")]
    [InlineData("format_version", "\u001b[31m", "'?[31m'")]
    [InlineData("normalization", "\u001b[31m", "'?[31m'")]
    [InlineData("classes", "\u001b[31m", "'?[31m'")]
    [InlineData("architecture", "resnet2147483642", "architecture 'resnet2147483642' is unknown")]
    [InlineData("architecture", "resnet1202", "fewer than resnet1202")]
    [InlineData("architecture", "vgg", "fewer than vgg")]
    [InlineData("architecture", "resnet18", "fewer than resnet18")]
    [InlineData("architecture", "resnet14", "fewer than resnet14")]
    [InlineData("normalization", null, "does not say its normalization")]
    [InlineData("normalization", "OwnNorm(own)", "normalization 'OwnNorm(own)' has no name here")]
    [InlineData("normalization", "group:5", "do not form 5 groups")]
    [InlineData("normalization", "none", "missing in the file: 7 (conv1.bias")]
    [InlineData("normalization", "layer9=batch,*=group:8", "no layer is left for 'layer9'")]
    [InlineData("zero_gamma", "yes", "zero_gamma is 'yes'")]
    [InlineData("width", "999999999", "16777216")]
    [InlineData("classes", null, "does not say its classes")]
    [InlineData("classes", "ten", "classes 'ten' is not a positive whole number")]
    [InlineData("classes", "0", "classes '0' is not a positive whole number")]
    [InlineData("classes", "-1", "classes '-1' is not a positive whole number")]
    [InlineData("classes", "2147483647", "fewer than resnet8 of width 16 with 2147483647 classes")]
    [InlineData("classes", "11", "fc.weight [10, 64] (here [11, 64])")]
    [InlineData("width", "100000", "fewer than resnet8 of width 100000")]
    [InlineData("width", "8", "of another shape")]
    public void AFileThatSaysSomethingElseIsRefused(string key, string? text, string what)
    {
        var model = new ModelSpec("resnet8", "group:8", Classes: 10).Build(seed: 1);
        model.Save(FilePath);
        Say(key, text);
        var message = Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message;
        Assert.Contains(what, message);
        Assert.StartsWith(FilePath, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void ANormalizationOfOnesOwnIsSavedButNotRebuilt()
    {
        var model = ResNet.Cifar(8, channels => new GroupNorm(channels, GroupSpec.Count(8), eps: 1e-3), 10, 1);
        model.Save(FilePath);
        Assert.Contains("call Load", Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message);
        var other = ResNet.Cifar(8, channels => new GroupNorm(channels, GroupSpec.Count(8), eps: 1e-3), 10, 2);
        other.Load(FilePath);
        Assert.Equal(model.Apply(Images).ToDoubles(), other.Apply(Images).ToDoubles());
        // The shapes would fit, the numbers would be wrong.
        var error = Assert.Throws<InvalidDataException>(() =>
            new ModelSpec("resnet8", "group:8", Classes: 10).Build(seed: 1).Load(FilePath));
        Assert.Contains("(here group:8)", error.Message);
    }
}
