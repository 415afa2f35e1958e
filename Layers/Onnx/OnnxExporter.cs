using Google.Protobuf;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Tapegrad.Onnx.Schema;

namespace Tapegrad.Onnx;

/// <summary>
/// Writes models as ONNX files, which other runtimes compute: ONNX Runtime in an application, a browser or a phone.
/// <code>
/// input    [N, C, H, W] (or [N, C, L], [N, C]), float; N is the caller's choice
/// output   what the model gives, with the channels second
/// inside   the standard operators, with the weights in PyTorch's order; evaluation, not training
/// </code>
/// A model is walked from its outermost layer; each kind of layer has a definition that says which nodes it is
/// (<see cref="Define"/>, <see cref="IOnnxLayer"/>), and its shapes are asked of the layer itself. Equal models give
/// equal bytes. The metadata of a model become <c>metadata_props</c>. Source:
/// https://onnx.ai/onnx/repo-docs/IR.html and https://onnx.ai/onnx/operators.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
public sealed class OnnxExporter
{
    /// <summary>A layer's nodes: from the value it takes to the value it gives.</summary>
    internal sealed record Definition(Func<OnnxGraph, Module, OnnxValue, OnnxValue> Write, bool TakesUnflattened);

    private readonly Dictionary<Type, Definition> definitions = [];

    /// <summary>An exporter that knows this library's layers.</summary>
    public OnnxExporter()
    {
        ContainerNodes.AddTo(this);
        ConvolutionNodes.AddTo(this);
        NormalizationNodes.AddTo(this);
        ElementwiseNodes.AddTo(this);
        PoolingNodes.AddTo(this);
    }

    /// <summary>
    /// Whether GroupNormalization, LayerNormalization and Gelu are written as simpler operators (two passes: the mean,
    /// then the mean square of what differs from it), and the file asks for opset 13 only. Else it asks for opset 21,
    /// where GroupNormalization's scale and bias are per channel.
    /// </summary>
    public bool Decompose { get; init; }

    /// <summary>
    /// Whether a batch normalization becomes part of the convolution or linear layer before it, in a
    /// <see cref="Sequential"/>.
    /// </summary>
    public bool Fold { get; init; }

    /// <summary>
    /// The channels' means and standard deviations, when the file is to take pixels from 0 to 1 and to normalize them
    /// itself; null, as without a word, when it takes what the model takes.
    /// </summary>
    public (IReadOnlyList<double> Mean, IReadOnlyList<double> Std)? Pixels { get; init; }

    /// <summary>
    /// Says how a kind of layer is written, for a layer of one's own, or otherwise than here. Subclasses are other
    /// kinds. A class that knows of ONNX says it itself (<see cref="IOnnxLayer"/>).
    /// </summary>
    /// <param name="write">From the graph, the layer and its input to its output: <c>(graph, swish, x) =&gt;
    /// graph.Add("Mul", [x, graph.Add("Sigmoid", [x])])</c>. Layers inside it are written by
    /// <see cref="OnnxGraph.Apply"/>.</param>
    public void Define<TLayer>(Func<OnnxGraph, TLayer, OnnxValue, OnnxValue> write) where TLayer : Module =>
        Define(write, takesUnflattened: false);

    internal void Define<TLayer>(Func<OnnxGraph, TLayer, OnnxValue, OnnxValue> write, bool takesUnflattened)
        where TLayer : Module =>
        definitions[typeof(TLayer)] = new((graph, layer, x) => write(graph, (TLayer)layer, x), takesUnflattened);

    internal bool Knows(Type layer) => definitions.ContainsKey(layer);

    internal Definition DefinitionOf(Module layer) =>
        definitions.TryGetValue(layer.GetType(), out var definition) ? definition
        : layer is IOnnxLayer own ? new((graph, _, x) => own.Write(graph, x), TakesUnflattened: false)
        : throw new NotSupportedException($"{(layer.Path == "" ? "the model" : $"the layer {layer.Path}")} is a "
            + $"{layer.GetType().Name}, of which it is not known what it is in ONNX. Say so before writing: "
            + $"exporter.Define<{layer.GetType().Name}>((graph, layer, x) => ...), or in the class, as an "
            + $"{nameof(IOnnxLayer)}.");

    /// <summary>Writes a model. The file is replaced in one step, or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="model">The model; it is applied to batches without samples, to learn its shapes.</param>
    /// <param name="sample">The shape of one sample as the model takes it: [H, W, C], [L, C] or [C].</param>
    /// <exception cref="ShapeException">The model does not take such samples.</exception>
    /// <exception cref="NotSupportedException">A layer has no definition; the message names it.</exception>
    /// <exception cref="InvalidOperationException">A batch normalization has no running statistics, or a training tape
    /// is open.</exception>
    /// <exception cref="IOException">The file cannot be written; an old one is as it was.</exception>
    public void Write(string path, Module model, Shape sample)
    {
        var proto = Build(model, sample);
        AtomicFile.Write(path, stream => proto.WriteTo(stream));
    }

    internal ModelProto Build(Module model, Shape sample)
    {
        using var _ = TapePause.ForEvaluation("ONNX");
        if (sample.Rank is < 1 or > 4 || sample.Count == 0)
            throw new ShapeException($"ONNX: a sample of shape {sample}; it must be [H, W, C], [L, C] or [C], and not "
                + "empty.");
        if (model.State.Sum(parameter => sizeof(float) * (long)parameter.Count) is var bytes and > 2_000_000_000)
            throw new NotSupportedException($"ONNX: the model holds {bytes} bytes of numbers; a file can hold 2 GB.");
        using var scope = new Scope();
        var builder = new OnnxGraphBuilder(model.Metadata.TryGetValue("architecture", out var name) ? name
            : model.GetType().Name);
        var graph = new OnnxGraph(this, builder);
        var x = builder.Input(Pixels is null ? "input" : "pixels", new Shape([0, .. sample.Dimensions]));
        builder.Output("output",
            graph.Apply(model, Pixels is null ? x : Normalize(graph, x, Pixels.Value.Mean, Pixels.Value.Std)));
        return new ModelProto
        {
            IrVersion = Decompose ? 7 : 10,
            OpsetImport = { new OperatorSetIdProto { Domain = "", Version = Decompose ? 13 : 21 } },
            ProducerName = "tapegrad",
            ProducerVersion = typeof(OnnxExporter).Assembly.GetName().Version!.ToString(3),
            Graph = builder.Proto,
            MetadataProps =
            {
                model.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                    .Select(pair => new StringStringEntryProto { Key = pair.Key, Value = pair.Value }),
            },
        };
    }

    private static OnnxValue Normalize(OnnxGraph graph, OnnxValue x, IReadOnlyList<double> mean,
        IReadOnlyList<double> std)
    {
        var channels = x.Shape[-1];
        if (mean.Count != channels || std.Count != channels || !std.All(value => value > 0 && double.IsFinite(value))
            || !mean.All(double.IsFinite))
            throw new ArgumentException($"ONNX: pixels of {channels} channels need as many means, and as many standard "
                + $"deviations above 0; given {mean.Count} and {std.Count}.");
        OnnxValue PerChannel(string name, IReadOnlyList<double> values) =>
            graph.Constant(name,
                NormalizationNodes.PerChannel(Tensor.From([.. values], new Shape(channels)), x.Shape.Rank));
        return graph.Add("Div", [graph.Add("Sub", [x, PerChannel("input_mean", mean)]), PerChannel("input_std", std)]);
    }
}
