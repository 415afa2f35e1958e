using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>Layers that leave positions out.</summary>
internal static class PoolingNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<MaxPool2d>((graph, pool, x) =>
            graph.Add("MaxPool", [x], [("kernel_shape", ConvolutionNodes.Pair(pool.Kernel)), .. ConvolutionNodes.Windows(pool.Stride, pool.Padding)]));
        exporter.Define<AveragePool2d>((graph, pool, x) => graph.Add("AveragePool", [x],
            [("kernel_shape", ConvolutionNodes.Pair(pool.Kernel)), .. ConvolutionNodes.Windows(pool.Stride, pool.Padding), ("count_include_pad", 1)]));
        exporter.Define<GlobalAveragePool>((graph, _, x) => graph.Add("Flatten", [graph.Add("GlobalAveragePool", [x])], ("axis", 1)));
        exporter.Define<Flatten>((_, _, x) => x.Shape.Rank == 2 ? x : x with { Unflattened = x.Shape }, takesUnflattened: true);
    }
}
