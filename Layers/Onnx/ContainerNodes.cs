using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>Layers that are made of layers, and what joins them.</summary>
internal static class ContainerNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<Sequential>(Chain, takesUnflattened: true);
        exporter.Define<Residual>((graph, block, x) =>
        {
            var sum = graph.Add("Add", [graph.Apply(block.Branch, x), block.Shortcut is null ? x : graph.Apply(block.Shortcut, x)]);
            return block.EndsWithRelu ? graph.Add("Relu", [sum]) : sum;
        });
        exporter.Define<PaddedShortcut>((graph, shortcut, x) =>
        {
            var pixels = graph.Add("Slice", [x, graph.Constant("starts", 0, 0), graph.Constant("ends", int.MaxValue, int.MaxValue),
                graph.Constant("axes", 2, 3), graph.Constant("steps", 2, 2)]);
            return graph.Add("Pad", [pixels, graph.Constant("pads", 0, shortcut.Before, 0, 0, 0, shortcut.Behind, 0, 0)]);
        });
    }

    private static OnnxValue Chain(OnnxGraph graph, Sequential chain, OnnxValue x)
    {
        var layers = chain.Children;
        for (var i = 0; i < layers.Count; i++)
        {
            var folded = graph.Fold && i + 1 < layers.Count && layers[i + 1] is BatchNorm norm ? BatchNormFolding.Fold(layers[i], norm) : null;
            x = graph.Append(folded ?? layers[i], x, layers[i].Path);
            if (folded is not null) i++;   // the normalization is in it
        }
        return x;
    }
}
