using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>
/// Convolutions and linear layers. Their weights are written in ONNX's order, which is PyTorch's: Conv
/// [O, C / groups, KH, KW], ConvTranspose [C, O / groups, KH, KW], Gemm [O, C].
/// </summary>
internal static class ConvolutionNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<Conv2d>((graph, conv, x) =>
            graph.Add("Conv", [x, .. Weights(graph, conv.UsedWeight.Permute(3, 2, 0, 1), conv.Bias)],
            [.. Windows(conv.Configuration.Stride, conv.Configuration.Padding),
                ("dilations", Pair(conv.Configuration.Dilation)),
                ("group", conv.Configuration.Groups)]));
        exporter.Define<Whitening>((graph, conv, x) =>
            graph.Add("Conv", [x, .. Weights(graph, conv.Weight.Value.Permute(3, 2, 0, 1), conv.Bias)]));
        exporter.Define<Conv1d>((graph, conv, x) =>
        {
            var (stride, padding, dilation) = (conv.Configuration.Stride, conv.Configuration.Padding,
                conv.Configuration.Dilation);
            return graph.Add("Conv", [x, .. Weights(graph, conv.Weight.Value.Permute(2, 1, 0), conv.Bias)],
                ("strides", (int[])[stride.Height]),
                ("pads", (int[])[padding.Height, padding.Height]), ("dilations", (int[])[dilation.Height]),
                ("group", conv.Configuration.Groups));
        });
        exporter.Define<ConvTranspose2d>((graph, conv, x) => graph.Add("ConvTranspose",
            [x, .. Weights(graph, conv.Weight.Value.Permute(3, 2, 0, 1), conv.Bias)],
            [.. Windows(conv.Configuration.Stride, conv.Configuration.Padding),
                ("output_padding", Pair(conv.Configuration.OutputPadding)),
                ("dilations", Pair(conv.Configuration.Dilation)), ("group", conv.Configuration.Groups)]));
        exporter.Define<Linear>(Product, takesUnflattened: true);
    }

    /// <summary>How windows move, as attributes.</summary>
    public static (string, object)[] Windows(Size2d stride, Size2d padding) =>
        [("strides", Pair(stride)), ("pads", (int[])[padding.Height, padding.Width, padding.Height, padding.Width])];

    public static int[] Pair(Size2d size) => [size.Height, size.Width];

    private static OnnxValue[] Weights(OnnxGraph graph, Tensor weight, Parameter? bias) =>
        [graph.Constant("weight", weight), .. bias is null ? (OnnxValue[])[] : [graph.Constant("bias", bias)]];

    private static OnnxValue Product(OnnxGraph graph, Linear linear, OnnxValue x)
    {
        var (inputs, outputs) = (linear.Weight.Shape[0], linear.Weight.Shape[1]);
        var weight = linear.Weight.Value.Permute(1, 0);
        if (x.Unflattened is { } image)   // the columns of [H, W, C] in the order of [C, H, W]
        {
            weight = weight.Reshape(outputs, inputs / image[-1], image[-1]).Permute(0, 2, 1).Reshape(outputs, inputs);
            x = graph.Add("Flatten", [x with { Unflattened = null }], ("axis", 1));
        }
        else if (x.Shape.Rank > 2)   // at every position: a convolution by windows of one
        {
            weight = weight.Reshape([outputs, inputs, .. Enumerable.Repeat(1, x.Shape.Rank - 2)]);
            return graph.Add("Conv", [x, .. Weights(graph, weight, linear.Bias)]);
        }
        return graph.Add("Gemm", [x, .. Weights(graph, weight, linear.Bias)], ("transB", 1));
    }
}
