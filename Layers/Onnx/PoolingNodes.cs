using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>Layers that leave positions out.</summary>
internal static class PoolingNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<MaxPool2d>((graph, pool, x) => graph.Add("MaxPool", [x],
            [("kernel_shape", ConvolutionNodes.Pair(pool.Kernel)),
                .. ConvolutionNodes.Windows(pool.Stride, pool.Padding)]));
        exporter.Define<AveragePool2d>((graph, pool, x) =>
        {
            var (kernel, windows) = (pool.Kernel, ConvolutionNodes.Windows(pool.Stride, pool.Padding));
            if (pool.Padding.Height < kernel.Height && pool.Padding.Width < kernel.Width)
                return graph.Add("AveragePool", [x],
                    [("kernel_shape", ConvolutionNodes.Pair(kernel)), .. windows, ("count_include_pad", 1)]);
            // Windows of nothing but padding, which runtimes refuse in a pool: each channel's convolution with equal
            // weights.
            var weight = Tensor.Full(new Shape(x.Shape[3], 1, kernel.Height, kernel.Width),
                1.0 / (kernel.Height * kernel.Width));
            return graph.Add("Conv", [x, graph.Constant("weight", weight)], [.. windows, ("group", x.Shape[3])]);
        });
        exporter.Define<GlobalAveragePool>((graph, _, x) =>
            graph.Add("Flatten", [graph.Add("GlobalAveragePool", [x])], ("axis", 1)));
        exporter.Define<Flatten>((_, _, x) => x.Shape.Rank == 2 ? x : x with { Unflattened = x.Shape },
            takesUnflattened: true);
    }
}
