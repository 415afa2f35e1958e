using Tapegrad.Layers;
using Tapegrad.Onnx.Schema;
using Tapegrad.Tests.Layers.Onnx;
using Xunit;

namespace Tapegrad.Tests.Program;

public sealed class ExportCommandTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    [Fact]
    public void Writes_what_was_trained()
    {
        Assert.Equal(0, program.Run($"{Cifar10Program.Short} --norm batch --out run").ExitCode);
        var (plain, outcome) = Export("--weights run/model.safetensors --out model.onnx");
        Assert.StartsWith("model.onnx: takes images normalized by input_mean and input_std, float [N, 3, 32, 32]",
            outcome.Output);
        Assert.Equal("[N, 3, 32, 32]", OnnxText.Shape(plain.Graph.Input.Single()));
        Assert.Contains("BatchNormalization", OnnxText.Operators(plain));
        Assert.Contains(plain.MetadataProps, pair => pair is { Key: "input_mean", Value: "0.5,0.5,0.5" });
        Assert.Equal(21, plain.OpsetImport.Single().Version);

        (var other, outcome) =
            Export("--weights run/model.safetensors --out model.onnx --fold --decompose --pixels --size 40x24");
        Assert.StartsWith("model.onnx: takes pixels from 0 to 1, float [N, 3, 40, 24]", outcome.Output);
        Assert.Equal("[N, 3, 40, 24]", OnnxText.Shape(other.Graph.Input.Single()));
        Assert.DoesNotContain("BatchNormalization", OnnxText.Operators(other));
        Assert.Equal(["Sub", "Div", "Conv"], OnnxText.Operators(other)[..3]);
        Assert.Equal([0.5f, 0.5f, 0.5f], OnnxText.Floats(OnnxText.Constant(other, "input_mean")));
        Assert.Equal(13, other.OpsetImport.Single().Version);
        Assert.Contains(other.MetadataProps, pair => pair is { Key: "input_size", Value: "40x24" });
        Assert.Contains(plain.MetadataProps, pair => pair is { Key: "input_size", Value: "32x32" });

        (ModelProto, Outcome) Export(string options)
        {
            var outcome = program.Run($"export {options}");
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            return (ModelProto.Parser.ParseFrom(File.ReadAllBytes(program.PathOf("model.onnx"))), outcome);
        }
    }

    [Fact]
    public void Weights_that_do_not_say_how_images_are_normalized_are_exported_with_a_word_about_it()
    {
        new ModelSpec("resnet8", "group:8", Classes: 10).Build(seed: 1).Save(program.PathOf("bare.safetensors"));
        var outcome = program.Run("export --weights bare.safetensors --out a.ONNX --size 24");
        Assert.Equal(0, outcome.ExitCode);
        Assert.Contains("the file does not say how, as the weights do not, float [N, 3, 24, 24]", outcome.Output);
    }

    [Fact]
    public void Refuses_in_one_line()
    {
        var model = new ModelSpec("resnet8", "group:8", Classes: 10).Build(seed: 1);
        model.Save(program.PathOf("bare.safetensors"));
        AssertRefused("--weights bare.safetensors", "--out");
        AssertRefused("--weights nothing.safetensors --out a.onnx", "nothing.safetensors");
        AssertRefused("--weights bare.safetensors --out a.onnx", "size", "--size 32x32");
        AssertRefused("--weights bare.safetensors --out a.onnx --size 32x32 --pixels", "input_mean");
        AssertRefused("--weights bare.safetensors --out nowhere/a.onnx --size 32x32", "nowhere", "folder");
        Directory.CreateDirectory(program.PathOf("folder.onnx"));
        AssertRefused("--weights bare.safetensors --out folder.onnx --size 32x32", "folder.onnx", "a folder");
        var weights = File.ReadAllBytes(program.PathOf("bare.safetensors"));
        AssertRefused("--weights bare.safetensors --out bare.safetensors --size 32x32", "bare.safetensors", ".onnx");
        model.Save(program.PathOf("bare.onnx"));   // safetensors under another name
        File.CreateSymbolicLink(program.PathOf("link.onnx"), program.PathOf("bare.onnx"));
        File.CreateSymbolicLink(program.PathOf("here"), program.PathOf("."));
        foreach (var same in (string[])["bare.onnx", "./bare.onnx", "link.onnx", "here/bare.onnx"])
        {
            AssertRefused($"--weights bare.onnx --out {same} --size 32x32", same, "read");
            AssertRefused($"--weights {same} --out bare.onnx --size 32x32", "bare.onnx", "read");
        }
        Assert.Equal(weights, File.ReadAllBytes(program.PathOf("bare.onnx")));
        foreach (var size in (string[])["0x32", "32x", "x", "32x32x3", "-1", "3.5", "99999999", "ten"])
            AssertRefused($"--weights bare.safetensors --out a.onnx --size {size}", size, "height x width");
        model.Metadata["input_mean"] = "0.5,half,0.5";
        model.Metadata["input_std"] = "1,1,1";
        model.Metadata["input_size"] = "huge";
        model.Save(program.PathOf("odd.safetensors"));
        AssertRefused("--weights odd.safetensors --out a.onnx", "--size");
        AssertRefused("--weights odd.safetensors --out a.onnx --size 32 --pixels", "input_mean");
        model.Metadata["input_mean"] = "0.5";
        model.Save(program.PathOf("odd.safetensors"));
        AssertRefused("--weights odd.safetensors --out a.onnx --size 32 --pixels", "odd.safetensors", "3 channels");
        new ModelSpec("resnet8", "batch", Classes: 10).Build(seed: 1).Save(program.PathOf("new.safetensors"));
        AssertRefused("--weights new.safetensors --out a.onnx --size 32", "bn1", "no running statistics");
        new ModelSpec("vgg", "none", Classes: 10).Build(seed: 1).Save(program.PathOf("vgg.safetensors"));
        AssertRefused("--weights vgg.safetensors --out a.onnx --size 16x32", "vgg.safetensors", "features");
        Assert.False(File.Exists(program.PathOf("a.onnx")));
    }

    private void AssertRefused(string arguments, params string[] words) =>
        program.AssertRefused($"export {arguments}", words);
}
