using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>Layers that do the same to every element, whatever their order.</summary>
internal static class ElementwiseNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        Define<Relu>((graph, _, x) => graph.Add("Relu", [x]));
        Define<LeakyRelu>((graph, layer, x) => graph.Add("LeakyRelu", [x], ("alpha", layer.Slope)));
        Define<Sigmoid>((graph, _, x) => graph.Add("Sigmoid", [x]));
        Define<Tanh>((graph, _, x) => graph.Add("Tanh", [x]));
        Define<Softplus>((graph, _, x) => graph.Add("Softplus", [x]));
        Define<Silu>((graph, _, x) => graph.Add("Mul", [x, graph.Add("Sigmoid", [x])]));
        Define<Gelu>((graph, _, x) => graph.Decompose ? DecomposedGelu(graph, x) : graph.Add("Gelu", [x]));
        Define<Scaling>((graph, layer, x) =>
            graph.Add("Mul", [x, graph.Constant("factor", Tensor.Full(new Shape(1), layer.Factor))]));
        Define<Dropout>((_, _, x) => x);   // in evaluation it does nothing

        void Define<TLayer>(Func<OnnxGraph, TLayer, OnnxValue, OnnxValue> write) where TLayer : Module =>
            exporter.Define(write, takesUnflattened: true);
    }

    // x (1 + erf(x / sqrt(2))) / 2; the operator is in opset 20.
    private static OnnxValue DecomposedGelu(OnnxGraph graph, OnnxValue x)
    {
        OnnxValue Number(string name, double value) => graph.Constant(name, Tensor.Full(new Shape(1), value));
        var erf = graph.Add("Erf", [graph.Add("Mul", [x, Number("root_half", Math.Sqrt(0.5))])]);
        return graph.Add("Mul",
            [x, graph.Add("Mul", [graph.Add("Add", [erf, Number("one", 1)]), Number("half", 0.5)])]);
    }
}
