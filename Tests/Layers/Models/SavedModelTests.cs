using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>Models that are rebuilt from their file alone, and files that are refused.</summary>
public sealed class SavedModelTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static readonly Tensor Images = Tensor.Normal(new Shape(2, 16, 16, 3), new RandomSource(5)).Keep();

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
        var model = SavedModel.Create("resnet8", normalization, classes: 7, seed: 3, zeroGamma, width);
        using (var tape = Tape.Training(new RandomSource(1))) tape.Gradients(model.Apply(Images).Square().Mean()).CommitStatistics();
        model.Metadata["input_mean"] = "0.5,0.25,0.125";
        model.Save(FilePath);
        var rebuilt = SavedModel.Rebuild(FilePath);
        Assert.Equal(model.Apply(Images).ToDoubles(), rebuilt.Apply(Images).ToDoubles());
        Assert.Equal(model.Metadata, rebuilt.Metadata);
        Assert.Equal(model.State.Select(parameter => parameter.Name), rebuilt.State.Select(parameter => parameter.Name));
        Assert.Equal(model.Summary(), rebuilt.Summary());
    }

    [Fact]
    public void TheMetadataSayWhatTheModelIsAndNothingElse()
    {
        var model = SavedModel.Create("resnet14", "size:8", classes: 7, seed: 3);
        Dictionary<string, string> expected = new()
        {
            ["format_version"] = "1",
            ["architecture"] = "resnet14",
            ["normalization"] = "size:8",
            ["classes"] = "7",
        };
        Assert.Equal(expected, model.Metadata);
        model = SavedModel.Create("resnet8", "batch", classes: 7, seed: 3, zeroGamma: true, width: 8);
        Assert.Equal("true", model.Metadata["zero_gamma"]);
        Assert.Equal("8", model.Metadata["width"]);
        Assert.Equal("none", ResNet.Cifar(8, null, 7, 1).Metadata["normalization"]);
    }

    [Fact]
    public void EqualModelsHaveEqualFiles()
    {
        SavedModel.Create("resnet8", "batch", 10, seed: 4).Save(FilePath);
        SavedModel.Create("resnet8", "batch", 10, seed: 4).Save(FilePath + "2");
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
    [InlineData("normalization", "none", "missing in the file: conv1.bias")]
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
        var model = SavedModel.Create("resnet8", "group:8", classes: 10, seed: 1);
        if (text is null) model.Metadata.Remove(key);
        else model.Metadata[key] = text;
        model.Save(FilePath);
        var message = Assert.Throws<InvalidDataException>(() => SavedModel.Rebuild(FilePath)).Message;
        Assert.Contains(what, message);
        Assert.StartsWith(FilePath, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void ANormalizationOfOnesOwnIsSavedButNotRebuilt()
    {
        var model = ResNet.Cifar(8, channels => new GroupNorm(channels, GroupSpec.Count(8), eps: 1e-3), 10, 1);
        model.Save(FilePath);
        Assert.Contains("call Load", Assert.Throws<InvalidDataException>(() => SavedModel.Rebuild(FilePath)).Message);
        var other = ResNet.Cifar(8, channels => new GroupNorm(channels, GroupSpec.Count(8), eps: 1e-3), 10, 2);
        other.Load(FilePath);
        Assert.Equal(model.Apply(Images).ToDoubles(), other.Apply(Images).ToDoubles());
        // The shapes would fit, the numbers would be wrong.
        var error = Assert.Throws<InvalidDataException>(() => SavedModel.Create("resnet8", "group:8", 10, 1).Load(FilePath));
        Assert.Contains("(here group:8)", error.Message);
    }

    [Fact]
    public void ArchitecturesAreKnownByName()
    {
        string[] known = ["vgg", "resnet8", "resnet18", "resnet20", "resnet32", "resnet110", "resnet1202"];
        Assert.All(known, name => Assert.True(SavedModel.IsKnown(name)));
        string[] unknown = ["", "VGG", "resnet", "resnet2", "resnet21", "resnet-20", "resnet 20", "resnet20 ", "resnet1208", "alexnet"];
        Assert.All(unknown, name => Assert.False(SavedModel.IsKnown(name)));
        Assert.Contains("no architecture 'alexnet'", Assert.Throws<ArgumentException>(() => SavedModel.Create("alexnet", "none", 10, 1)).Message);
        Assert.Contains("vgg has neither", Assert.Throws<ArgumentException>(() => SavedModel.Create("vgg", "none", 10, 1, zeroGamma: true)).Message);
        Assert.Contains("vgg has neither", Assert.Throws<ArgumentException>(() => SavedModel.Create("vgg", "none", 10, 1, width: 8)).Message);
    }
}
