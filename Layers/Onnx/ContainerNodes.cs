using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>Layers that are made of layers, and what joins them.</summary>
internal static class ContainerNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<Sequential>((graph, chain, x) => Chain(graph, chain.Children, x), takesUnflattened: true);
        exporter.Define<NormalizedRelu>((graph, layer, x) =>
            Rectified(graph, layer.Normalization, graph.Apply(layer.Normalization, x)));
        exporter.Define<BasicBlock>((graph, block, x) =>
        {
            var layers = block.Children;   // conv1, bn1, conv2, bn2, and maybe a shortcut
            var y = Rectified(graph, layers[1], Chain(graph, [layers[0], layers[1]], x));
            y = graph.Add("Add",
                [Chain(graph, [layers[2], layers[3]], y), layers.Count > 4 ? graph.Apply(layers[4], x) : x]);
            return Rectified(graph, layers[3], y);
        });
        exporter.Define<PreActivationBlock>((graph, block, x) =>
        {
            var layers = block.Children;   // bn1, conv1, bn2, conv2, and maybe a shortcut
            var h = Rectified(graph, layers[0], graph.Apply(layers[0], x));
            var y = graph.Apply(layers[3], Rectified(graph, layers[2], Chain(graph, [layers[1], layers[2]], h)));
            return graph.Add("Add", [y, layers.Count > 4 ? graph.Apply(layers[4], h) : x]);
        });
        exporter.Define<Affine>((graph, affine, x) => NormalizationNodes.Scale(graph, affine.Scale, affine.Shift, x));
        exporter.Define<PaddedShortcut>((graph, shortcut, x) =>
        {
            var pixels = graph.Add("Slice",
                [x, graph.Constant("starts", 0, 0), graph.Constant("ends", int.MaxValue, int.MaxValue),
                    graph.Constant("axes", 2, 3), graph.Constant("steps", 2, 2)]);
            return graph.Add("Pad",
                [pixels, graph.Constant("pads", 0, shortcut.Before, 0, 0, 0, shortcut.Behind, 0, 0)]);
        });
    }

    // The ReLU behind a normalization, which may contain its activation.
    private static OnnxValue Rectified(OnnxGraph graph, Module norm, OnnxValue x) =>
        norm is Normalization { ContainsActivation: true } ? x : graph.Add("Relu", [x]);

    private static OnnxValue Chain(OnnxGraph graph, IReadOnlyList<Module> layers, OnnxValue x)
    {
        for (var i = 0; i < layers.Count; i++)
        {
            var next = graph.Fold && i + 1 < layers.Count ? layers[i + 1] : null;
            var rectified = next as NormalizedRelu;
            var folded = (rectified?.Normalization ?? next) is BatchNorm norm
                ? BatchNormFolding.Fold(layers[i], norm) : null;
            x = graph.Append(folded ?? layers[i], x, layers[i].Path);
            if (folded is null) continue;
            i++;   // the normalization is in it
            if (rectified is not null) x = Rectified(graph, rectified.Normalization, x);
        }
        return x;
    }
}
