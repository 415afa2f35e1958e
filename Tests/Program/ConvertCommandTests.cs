using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Program;

public sealed class ConvertCommandTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private static Module Trained()
    {
        var model = new ModelSpec("resnet8", "batch", Classes: 7, Inputs: 1).Build(seed: 1);
        foreach (var layer in model.Modules.OfType<BatchNorm>()) layer.RunningMean.Value = layer.RunningMean.Value + 1;
        return model;
    }

    [Fact]
    public void Makes_weights_from_PyTorch_a_model_that_can_be_rebuilt()
    {
        // As torch saves a data-parallel model: another beginning of the names, counters, no metadata.
        var model = Trained();
        StateDict.Save(model, program.PathOf("own.npz"));
        var arrays = ArrayFile.Read(program.PathOf("own.npz"))
            .Select(array => array with { Name = $"module.{array.Name}" });
        SafetensorsFile.Write(program.PathOf("torch.safetensors"),
            [.. arrays, new("module.bn1.num_batches_tracked", Shape.Scalar, new long[] { 3 })]);
        var outcome =
            program.Run("convert --from torch.safetensors --to model.safetensors --model resnet8 --norm batch "
                + "--classes 7 --channels 1");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("torch.safetensors, where the model's names stand behind 'module.'", outcome.Output);
        Assert.Contains("ignored: 1 (module.bn1.num_batches_tracked)", outcome.Output);
        var rebuilt = ModelSpec.Rebuild(program.PathOf("model.safetensors"));
        Assert.Equal(model.State.Select(parameter => parameter.Value.ToFloats()),
            rebuilt.State.Select(parameter => parameter.Value.ToFloats()));
    }

    [Fact]
    public void Copies_arrays_between_formats()
    {
        NamedArray[] arrays = [new("a.b", new Shape(2, 1), new[] { 1.5, -2 }), new("c", Shape.Scalar, new[] { true })];
        SafetensorsFile.Write(program.PathOf("a.safetensors"), arrays);
        Assert.Contains("a.npz: 2 arrays, 3 numbers", program.Run("convert --from a.safetensors --to a.npz").Output);
        Assert.Equal(0, program.Run("convert --from a.npz --to b.safetensors").ExitCode);
        Assert.Equal(File.ReadAllBytes(program.PathOf("a.safetensors")),
            File.ReadAllBytes(program.PathOf("b.safetensors")));
    }

    [Fact]
    public void Refuses_in_one_line()
    {
        Trained().Save(program.PathOf("model.safetensors"));
        File.WriteAllBytes(program.PathOf("model.pth"), [0x80, 2]);
        program.AssertRefused("convert --from nothing.npz --to a.npz", "--from", "nothing.npz");
        program.AssertRefused("convert --from model.pth --to a.npz", "a pickle is a program");
        program.AssertRefused("convert --from model.safetensors --to a.npy", "one array, and there are");
        program.AssertRefused("convert --from model.safetensors --to a.txt", "a.txt", ".safetensors or .npz or .npy");
        program.AssertRefused("convert --from model.safetensors --to model.safetensors --model resnet8",
            "model.safetensors", "read");
        program.AssertRefused("convert --from model.safetensors --to a.SAFETENSORS", "format already", "--model");
        program.AssertRefused("convert --from model.safetensors --to a.npz --norm batch", "--norm", "--model");
        foreach (var large in (string[])["wrn1000-33554431", "resnet20 --classes 2147483647",
            "vgg --norm none --channels 2147483647"])
            program.AssertRefused($"convert --from model.safetensors --to a.npz --model {large}",
                "more than fit into the");
        program.AssertRefused("convert --from model.safetensors --to a.npz --model resnet9",
            "no architecture 'resnet9'");
        program.AssertRefused("convert --from model.safetensors --to a.npz --model resnet8 --norm batch --channels 1",
            "of another shape: 2 (fc.weight [7, 64] (here [10, 64])", "--model resnet8 --norm batch",
            "Nothing was written");
        StateDict.Save(Trained(), program.PathOf("own.npz"));
        program.AssertRefused("convert --from own.npz --to a.NPY --model resnet8 --norm batch --classes 7 --channels 1",
            "--to a.NPY", "one array");
        program.AssertRefused("convert --from own.npz --to a.npz --model resnet8 --norm batch --data x", "--data",
            "keeps nothing of the images");
        program.BlackCifar10();
        program.AssertRefused("convert --from own.npz --to a.safetensors --model resnet8 --norm batch --data black "
            + "--size 64", "--size", "have a size already");
        Assert.False(File.Exists(program.PathOf("a.npz")) || File.Exists(program.PathOf("a.NPY")));
    }

    // The shapes would fit, the numbers would be wrong.
    [Fact]
    public void Weights_that_say_what_they_are_of_are_not_made_another_network()
    {
        new ModelSpec("resnet8", "group:8", Classes: 2).Build(seed: 1).Save(program.PathOf("own.safetensors"));
        const string convert = "convert --from own.safetensors --to new.safetensors --classes 2";
        program.AssertRefused($"{convert} --model resnet8 --norm group:4", "own.safetensors", "'group:8'", "'group:4'");
        program.AssertRefused($"{convert} --model resnet14 --norm group:8", "'resnet8'", "'resnet14'");
        Assert.False(File.Exists(program.PathOf("new.safetensors")));
        Assert.Equal(0, program.Run($"{convert} --model resnet8 --norm group:8").ExitCode);
    }
}
