using Tapegrad.Layers;
using Tapegrad.Onnx;
using Xunit;
using static Tapegrad.Tests.Layers.Onnx.OnnxText;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>Layers of one's own, whose nodes an exporter is told.</summary>
public sealed class OwnLayerNodesTests : IDisposable
{
    private static readonly RandomSource Random = new(2);
    private static readonly Shape Image = new(32, 32, 3);

    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-onnx").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string PathOf(string name) => Path.Combine(folder, name);

    private sealed class Swish(double factor) : Module
    {
        public double Factor { get; } = factor;

        protected override Tensor Forward(Tensor x) => x * (x * Factor).Sigmoid();
    }

    private sealed class Twice : Module
    {
        public Twice(Module inner) => Inner = Child("inner", inner);

        public Module Inner { get; }

        protected override Tensor Forward(Tensor x) => Inner.Apply(Inner.Apply(x));
    }

    [Fact]
    public void A_layer_of_ones_own_is_refused_by_name_until_it_is_defined()
    {
        var model = new Sequential(("body", new Sequential(new Relu(), new Swish(2))),
            ("head", new Twice(new Conv2d(3, 3, 1, Random))));
        var exporter = new OnnxExporter();
        var error = Assert.Throws<NotSupportedException>(() => exporter.Write(PathOf("model.onnx"), model, Image));
        Assert.Contains("body.1", error.Message);
        Assert.Contains("Define<Swish>", error.Message);
        Assert.Empty(Directory.GetFiles(folder));

        exporter.Define<Swish>((graph, swish, x) =>
            graph.Add("Mul",
                [x, graph.Add("Sigmoid",
                    [graph.Add("Mul", [x, graph.Constant("factor", Tensor.Full(new Shape(1), swish.Factor))])])]));
        exporter.Define<Twice>((graph, twice, x) => graph.Apply(twice.Inner, graph.Apply(twice.Inner, x)));
        var onnx = exporter.Build(model, Image);
        AssertWellFormed(onnx);   // the layer that is applied twice has its names twice
        Assert.Equal(["Relu(input)", "Mul(body.0.Relu, body.1.factor)", "Sigmoid(body.1.Mul)",
            "Mul(body.0.Relu, body.1.Sigmoid)"], Nodes(onnx)[..4]);
        Assert.Equal(["Conv", "Conv"], Operators(onnx)[4..]);
        Assert.Equal([2], Floats(Constant(onnx, "body.1.factor")));
    }

    [Fact]
    public void A_definition_may_be_replaced_and_sees_what_a_flatten_made_flat()
    {
        var exporter = new OnnxExporter();
        exporter.Define<Tanh>((graph, _, x) => graph.Add("Sin", [x]));
        var onnx = exporter.Build(new Sequential(new Flatten(), new Tanh()), new Shape(2, 3, 4));
        Assert.Equal(["Transpose", "Flatten", "Sin"], Operators(onnx));
    }

    [Fact]
    public void What_a_definition_gives_may_be_read_by_other_nodes_too()
    {
        var exporter = new OnnxExporter();
        exporter.Define<Tanh>((graph, _, x) =>
        {
            var y = graph.Add("Tanh", [x]);
            graph.Add("Neg", [y]);
            return y;
        });
        var onnx = exporter.Build(new Tanh(), Image);
        AssertWellFormed(onnx);
        Assert.Equal(["Tanh(input)", "Neg(output)"], Nodes(onnx));
    }

    [Fact]
    public void Attributes_are_whole_numbers_lists_of_them_or_doubles()
    {
        var exporter = new OnnxExporter();
        exporter.Define<Tanh>((graph, _, x) => graph.Add("Elu", [x], ("alpha", "text")));
        Assert.Contains("alpha", Assert.Throws<ArgumentException>(() => exporter.Build(new Tanh(), Image)).Message);
    }
}
