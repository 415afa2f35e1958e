using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>A value in a graph: what a node gives, a constant, or the input.</summary>
/// <param name="Name">Joins the node that gives it to those that take it.</param>
/// <param name="Shape">As layers see it, with 0 for the number of samples: [0, H, W, C]. In the file it is
/// [N, C, H, W].</param>
public sealed record OnnxValue(string Name, Shape Shape)
{
    /// <summary>
    /// The shape before a <see cref="Flatten"/> that waits: what is in the graph is not flat yet. Layers that do the
    /// same to every element pass it by, and a linear layer takes it with its columns in the graph's order; so nothing
    /// has to be transposed.
    /// </summary>
    internal Shape? Unflattened { get; init; }
}

/// <summary>
/// The walk over a model's layers: they are applied to values, and each adds its nodes and constants to the graph.
/// Everything in it is in ONNX's order of axes, [N, C, H, W]; only the shapes of values are in the order of this
/// library, where the channels are last.
/// </summary>
public sealed class OnnxGraph
{
    private readonly OnnxExporter exporter;
    private readonly OnnxGraphBuilder builder;

    internal OnnxGraph(OnnxExporter exporter, OnnxGraphBuilder builder) =>
        (this.exporter, this.builder) = (exporter, builder);

    /// <summary>The path of the layer that is being written; it begins the names of nodes and constants.</summary>
    public string Path
    {
        get => builder.Path;
        private set => builder.Path = value;
    }

    /// <summary>
    /// Whether only operators that are in opset 13 may be used; see <see cref="OnnxExporter.Decompose"/>.
    /// </summary>
    public bool Decompose => exporter.Decompose;

    internal bool Fold => exporter.Fold;

    // ---- layers -----------------------------------------------------------------------------------------------------

    /// <summary>Writes a layer.</summary>
    /// <returns>Its output, with the shape that the layer itself gives.</returns>
    /// <exception cref="NotSupportedException">Nobody has said which nodes it is.</exception>
    /// <exception cref="ShapeException">The layer does not take a value of this shape.</exception>
    public OnnxValue Apply(Module layer, OnnxValue x) => Settle(Append(layer, x, layer.Path));

    /// <summary>Like <see cref="Apply"/>, under a path of one's own; a flatten may wait in the result.</summary>
    internal OnnxValue Append(Module layer, OnnxValue x, string path)
    {
        var shape = OutputShape(layer, x.Shape);
        var definition = exporter.DefinitionOf(layer);
        if (!definition.TakesUnflattened) x = Settle(x);
        var outer = Path;
        Path = path;
        var y = definition.Write(this, layer, x) with { Shape = shape };
        if (y.Unflattened is null && y.Name != x.Name) builder.Describe(y);
        Path = outer;
        return y;
    }

    // Without samples a layer computes nothing, but checks and knows its shapes.
    private static Shape OutputShape(Module layer, Shape x)
    {
        using var device = Device.Use(layer.State.FirstOrDefault()?.Device ?? Device.Current);
        return layer.Apply(Tensor.Zeros(x)).Shape;
    }

    /// <summary>Flattens what waits for it, in this library's order: the channel is the fastest index.</summary>
    internal OnnxValue Settle(OnnxValue x)
    {
        if (x.Unflattened is not { } image) return x;
        var channelsLast = x with { Unflattened = null };
        if (x.Shape[1] > image[-1]) channelsLast = ChannelsLast(channelsLast, image.Rank);   // more than one position
        return Add("Flatten", [channelsLast], ("axis", 1));
    }

    internal OnnxValue ChannelsLast(OnnxValue x, int rank) =>
        Add("Transpose", [x], ("perm", (int[])[0, .. Enumerable.Range(2, rank - 2), 1]));

    internal OnnxValue ChannelsSecond(OnnxValue x, int rank) =>
        Add("Transpose", [x], ("perm", (int[])[0, rank - 1, .. Enumerable.Range(1, rank - 2)]));

    // ---- nodes and constants ----------------------------------------------------------------------------------------

    /// <summary>Adds a node of a standard operator.</summary>
    /// <param name="operation">The operator's name, such as <c>Relu</c>.</param>
    /// <param name="inputs">What it takes.</param>
    /// <param name="attributes">Its settings by name: a whole number, several, or a number that is not whole (a
    /// double).</param>
    /// <returns>Its output; the shape is that of the first input. Where the operator gives another one, say so before a
    /// layer is applied to the result: <c>graph.Add(..) with { Shape = .. }</c>.</returns>
    public OnnxValue Add(string operation, OnnxValue[] inputs, params (string Name, object Value)[] attributes) =>
        builder.Add(operation, inputs, attributes);

    /// <summary>Adds a constant; a tensor's numbers are written as float, in the order of its axes.</summary>
    public OnnxValue Constant(string name, Tensor value) => builder.Constant(name, value);

    /// <summary>Adds a constant list of whole numbers.</summary>
    public OnnxValue Constant(string name, params int[] values) => builder.Constant(name, values);
}
