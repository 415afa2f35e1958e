using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Tapegrad.Onnx;
using Tapegrad.Onnx.Schema;
using Xunit;
using static Tapegrad.Tests.Layers.Onnx.OnnxText;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>Whole models as ONNX files: their weights, shapes, borders and versions, and what is refused.</summary>
public sealed class OnnxExporterTests : IDisposable
{
    private static readonly RandomSource Random = new(2);
    private static readonly Shape Image = new(32, 32, 3);

    // Standard operators of opset 13, as far as they are used here.
    private static readonly string[] Opset13 = ["Add", "BatchNormalization", "Conv", "Div", "Flatten", "Gemm",
        "GlobalAveragePool",
        "InstanceNormalization", "Mul", "Pad", "ReduceMean", "Relu", "Reshape", "Slice", "Sqrt", "Sub"];

    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-onnx").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string PathOf(string name) => Path.Combine(folder, name);

    private static Module Trained(string architecture, string normalization)
    {
        var model = new ModelSpec(architecture, normalization, Classes: 10).Build(seed: 1);
        foreach (var (i, parameter) in model.State.Index())
            if (parameter.Shape.Rank == 1) parameter.Value = Tensor.Uniform(parameter.Shape, Random.Split(i)) + 0.5;
        return model;
    }

    [Theory]
    [InlineData("resnet20", "batch")]
    [InlineData("resnet20", "group:8")]
    [InlineData("resnet20", "layer")]
    [InlineData("resnet20", "instance")]
    [InlineData("resnet20", "layer:position")]
    [InlineData("resnet20", "none")]
    [InlineData("resnet18", "batch")]
    public void A_file_holds_the_weights_under_the_names_and_in_the_order_of_the_saved_ones(string architecture,
        string normalization)
    {
        var model = Trained(architecture, normalization);
        model.Save(PathOf("saved"));
        new OnnxExporter().Write(PathOf("model.onnx"), model, Image);
        using var stream = File.OpenRead(PathOf("model.onnx"));
        var onnx = ModelProto.Parser.ParseFrom(stream);
        AssertWellFormed(onnx);
        using var saved = SafetensorsFile.Open(PathOf("saved"));
        foreach (var entry in saved.Entries)
        {
            var constant = Constant(onnx, entry.Name);
            Assert.Equal(entry.Shape.Dimensions.ToArray().Select(length => (long)length), constant.Dims);
            Assert.True(saved.ReadFloats(entry).AsSpan().SequenceEqual(Floats(constant)), entry.Name);
        }
        Assert.Equal("[N, 3, 32, 32]", OnnxText.Shape(Assert.Single(onnx.Graph.Input)));
        Assert.Equal("[N, 10]", OnnxText.Shape(Assert.Single(onnx.Graph.Output)));
        Assert.Equal(("input", "output"), (onnx.Graph.Input[0].Name, onnx.Graph.Output[0].Name));
        if (normalization != "layer:position") Assert.DoesNotContain("Transpose", Operators(onnx));
    }

    [Fact]
    public void Standardized_weights_are_written_as_they_are_used()
    {
        var model = Trained("resnet8", "group:8+ws");
        var onnx = new OnnxExporter().Build(model, Image);
        foreach (var layer in model.Modules.OfType<Conv2d>())
            Assert.Equal(layer.Weight.Value.Standardize().Permute(3, 2, 0, 1).ToDoubles(),
                Floats(Constant(onnx, $"{layer.Path}.weight")).ToArray().Select(value => (double)value));
    }

    [Fact]
    public void Each_layer_has_the_shape_that_it_gives()
    {
        var model = Trained("resnet20", "group:8");
        var onnx = new OnnxExporter().Build(model, new Shape(20, 13, 3));
        var shapes = new Dictionary<string, string>();
        foreach (var layer in model.Modules.Where(layer => layer is Conv2d or GroupNorm or PaddedShortcut))
            layer.AfterApply += (_, y) => shapes[layer.Path] = $"[N, {y.Shape[3]}, {y.Shape[1]}, {y.Shape[2]}]";
        model.Apply(Tensor.Zeros(new Shape(2, 20, 13, 3)));
        foreach (var (path, shape) in shapes)
            Assert.Contains(onnx.Graph.ValueInfo, value =>
                value.Name.StartsWith($"{path}.") && OnnxText.Shape(value) == shape);
        Assert.Equal(40, shapes.Count);
    }

    [Fact]
    public void Random_networks_are_well_formed_and_give_their_own_shape()
    {
        for (var seed = 1; seed <= 100; seed++)
        {
            var (model, sample) = RandomModels.Create(seed);
            foreach (var norm in model.Modules.OfType<BatchNorm>())
                norm.RunningMean.Value = Tensor.Ones(norm.RunningMean.Shape);
            var y = model.Apply(Tensor.Normal(new Shape([2, .. sample.Dimensions]), Random)).Shape.Dimensions;
            foreach (var options in (bool[][])[[false, false], [false, true], [true, false], [true, true]])
            {
                var onnx = new OnnxExporter { Decompose = options[0], Fold = options[1] }.Build(model, sample);
                AssertWellFormed(onnx);
                Assert.Equal($"[N, {string.Join(", ", (int[])[y[^1], .. y[1..^1]])}]",
                    OnnxText.Shape(onnx.Graph.Output.Single()));
            }
        }
    }

    [Fact]
    public void Says_its_versions_its_producer_and_the_metadata()
    {
        var model = Trained("resnet8", "batch");
        model.Metadata["b"] = "2";
        model.Metadata["a"] = "ä, 1";
        var onnx = new OnnxExporter().Build(model, Image);
        Assert.Equal((10, 21), (onnx.IrVersion, Assert.Single(onnx.OpsetImport).Version));
        Assert.Equal("", onnx.OpsetImport[0].Domain);
        Assert.Equal(("tapegrad", typeof(Tensor).Assembly.GetName().Version!.ToString(3)),
            (onnx.ProducerName, onnx.ProducerVersion));
        Assert.Equal("resnet8", onnx.Graph.Name);
        Assert.Equal(["a = ä, 1", "architecture = resnet8", "b = 2", "classes = 10", "format_version = 1",
            "normalization = batch"], onnx.MetadataProps.Select(pair => $"{pair.Key} = {pair.Value}"));
        onnx = new OnnxExporter { Decompose = true }.Build(model, Image);
        Assert.Equal((7, 13), (onnx.IrVersion, onnx.OpsetImport[0].Version));
    }

    [Theory]
    [InlineData("batch")]
    [InlineData("group:8")]
    [InlineData("layer")]
    [InlineData("instance")]
    [InlineData("layer:position")]
    public void Decomposed_it_needs_no_operator_that_opset_13_lacks(string normalization)
    {
        var onnx = new OnnxExporter { Decompose = true }.Build(Trained("resnet8", normalization), Image);
        AssertWellFormed(onnx);
        Assert.Empty(Operators(onnx).Except(Opset13));
    }

    [Fact]
    public void Folded_a_model_has_no_batch_normalization_and_as_many_convolutions_with_a_bias()
    {
        foreach (var (architecture, convolutions) in ((string, int)[])[("resnet20", 19), ("resnet18", 20)])
        {
            var onnx = new OnnxExporter { Fold = true }.Build(Trained(architecture, "batch"), Image);
            AssertWellFormed(onnx);
            Assert.DoesNotContain("BatchNormalization", Operators(onnx));
            Assert.Equal(convolutions, onnx.Graph.Node.Count(node => node.OpType == "Conv" && node.Input.Count == 3));
            Assert.DoesNotContain(onnx.Graph.Initializer, constant => constant.Name.Contains("running"));
        }
        var first = new BatchNorm(3);   // nothing linear stands before it
        first.RunningMean.Value = Tensor.Ones(new Shape(3));
        var model = new Sequential(first, new Conv2d(3, 4, 1, Random));
        Assert.Equal(["BatchNormalization", "Conv"], Operators(new OnnxExporter { Fold = true }.Build(model, Image)));
    }

    [Fact]
    public void Folding_changes_the_file_and_not_the_model()
    {
        var model = Trained("resnet8", "batch");
        var x = Tensor.Normal(new Shape(2, 32, 32, 3), Random);
        var before = model.Apply(x).ToFloats();
        Assert.DoesNotContain("BatchNormalization", Operators(new OnnxExporter { Fold = true }.Build(model, Image)));
        Assert.Equal(before, model.Apply(x).ToFloats());
    }

    [Fact]
    public void Equal_models_give_equal_bytes()
    {
        foreach (var name in (string[])["a", "b"])
            new OnnxExporter().Write(PathOf(name), Trained("resnet8", "batch"), Image);
        Assert.Equal(File.ReadAllBytes(PathOf("a")), File.ReadAllBytes(PathOf("b")));
    }

    [Fact]
    public void Pixels_are_normalized_in_the_file_on_request()
    {
        var onnx = new OnnxExporter { Pixels = ([0.5, 0.25, 0.125], [1, 2, 4]) }.Build(new Relu(), new Shape(4, 5, 3));
        AssertWellFormed(onnx);
        Assert.Equal(["Sub(pixels, input_mean)", "Div(Sub, input_std)", "Relu(Div)"], Nodes(onnx));
        Assert.Equal([0.5f, 0.25f, 0.125f], Floats(Constant(onnx, "input_mean")));
        Assert.Equal([1f, 2, 4], Floats(Constant(onnx, "input_std")));
        Assert.Equal([3, 1, 1], Constant(onnx, "input_std").Dims);
        Assert.Throws<ArgumentException>(() =>
            new OnnxExporter { Pixels = ([0, 0, 0], [1, 0, 1]) }.Build(new Relu(), new Shape(4, 5, 3)));
        Assert.Throws<ArgumentException>(() =>
            new OnnxExporter { Pixels = ([0], [1]) }.Build(new Relu(), new Shape(4, 5, 3)));
    }

    [Fact]
    public void A_model_may_live_on_another_device_than_the_current_one()
    {
        Module model;
        using (Device.Use(Device.Reference)) model = Trained("resnet8", "batch");
        Assert.Equal(new OnnxExporter().Build(Trained("resnet8", "batch"), Image).Graph.Node,
            new OnnxExporter().Build(model, Image).Graph.Node);
    }

    // ---- what is refused --------------------------------------------------------------------------------------------

    [Fact]
    public void Refuses_samples_that_the_model_does_not_take()
    {
        var model = Trained("resnet8", "batch");
        foreach (var sample in (Shape[])[Shape.Scalar, new(1, 2, 3, 4, 5), new(0, 32, 3)])
            Assert.Contains("[H, W, C]",
                Assert.Throws<ShapeException>(() => new OnnxExporter().Build(model, sample)).Message);
        Assert.Contains("conv1",
            Assert.Throws<ShapeException>(() => new OnnxExporter().Build(model, new Shape(32, 32, 4))).Message);
    }

    [Fact]
    public void Refuses_a_batch_normalization_without_statistics_folded_too()
    {
        foreach (var fold in (bool[])[false, true])
        {
            var model = new ModelSpec("resnet8", "batch", Classes: 10).Build(seed: 1);
            var error = Assert.Throws<InvalidOperationException>(() =>
                new OnnxExporter { Fold = fold }.Build(model, Image));
            Assert.Contains("bn1", error.Message);
            Assert.Contains("no running statistics", error.Message);
        }
    }

    [Fact]
    public void Refuses_to_export_while_a_tape_trains_and_records_nothing_on_another()
    {
        var model = Trained("resnet8", "batch");
        using (Tape.Training(Random))
            Assert.Contains("ONNX: a training tape is open",
                Assert.Throws<InvalidOperationException>(() => new OnnxExporter().Build(model, Image)).Message);
        using var tape = Tape.Evaluating();
        new OnnxExporter { Fold = true }.Build(model, Image);
        Assert.Equal(0, tape.Count);
    }

    [Fact]
    public void A_file_that_cannot_be_written_leaves_the_old_one()
    {
        var model = Trained("resnet8", "group:8");
        Assert.Contains("no folder", Assert.Throws<IOException>(() =>
            new OnnxExporter().Write(PathOf("nowhere/model.onnx"), model, Image)).Message);
        File.WriteAllText(PathOf("old"), "old");
        Assert.Throws<ShapeException>(() => new OnnxExporter().Write(PathOf("old"), model, new Shape(32, 32, 1)));
        Assert.Equal("old", File.ReadAllText(PathOf("old")));
        new OnnxExporter().Write(PathOf("old"), model, Image);
        Assert.True(new FileInfo(PathOf("old")).Length > 300_000);
        Assert.Single(Directory.GetFiles(folder));
    }
}
