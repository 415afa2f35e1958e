using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>
/// The normalizations, by who shares a mean. GroupNormalization has been given a scale and a bias per channel by opset
/// 21 (in 18 they were per group); by simpler operators it is
/// <code>
/// s = x as [N, G, elements of a group];   d = s - mean(s)
/// y = d / sqrt(mean(d d) + eps) as x's shape, times scale plus bias
/// </code>
/// ONNX's LayerNormalization normalizes the last axes, so that per position it stands between two transpositions.
/// </summary>
internal static class NormalizationNodes
{
    public static void AddTo(OnnxExporter exporter)
    {
        exporter.Define<NoNormalization>((_, _, x) => x, takesUnflattened: true);
        exporter.Define<GroupNorm>(Groups);
        exporter.Define<InstanceNorm>((graph, norm, x) => x.Shape.Rank > 2
            ? graph.Add("InstanceNormalization", [x, .. Affine(graph, norm)], ("epsilon", norm.Eps))
            : Groups(graph, norm, x));   // the operator wants an axis of positions
        exporter.Define<LayerNorm>((graph, norm, x) => norm.S.Positions ? Groups(graph, norm, x)
            : PerPosition(graph, norm, x));
        exporter.Define<BatchNorm>((graph, norm, x) =>
        {
            CheckStatistics(norm);
            return graph.Add("BatchNormalization",
                [x, .. Affine(graph, norm), graph.Constant("running_mean", norm.RunningMean),
                    graph.Constant("running_var", norm.RunningVariance)], ("epsilon", norm.Eps));
        });
    }

    /// <summary>One sample is enough to be told when there are no statistics.</summary>
    public static void CheckStatistics(BatchNorm norm)
    {
        using var device = Device.Use(norm.RunningMean.Device);
        _ = norm.Apply(Tensor.Zeros(new Shape(1, norm.Channels)));
    }

    /// <summary>[C] as [C, 1, ..], which is broadcast along the positions.</summary>
    public static Tensor PerChannel(Tensor x, int rank) => x.Reshape([x.Count, .. Enumerable.Repeat(1, rank - 2)]);

    private static OnnxValue Groups(OnnxGraph graph, Normalization norm, OnnxValue x)
    {
        if (!graph.Decompose)
            return graph.Add("GroupNormalization", [x, .. Affine(graph, norm)], ("epsilon", norm.Eps),
                ("num_groups", norm.S.Groups));
        var (channels, positions) = (x.Shape[-1], x.Shape.Dimensions[1..^1].ToArray());
        var elements = positions.Aggregate(channels / norm.S.Groups, (product, length) => product * length);
        // 0: as many as there are
        var sets = graph.Add("Reshape", [x, graph.Constant("sets", 0, norm.S.Groups, elements)]);
        var y = Standardize(graph, sets, axis: 2, norm.Eps);
        return Scale(graph, norm, graph.Add("Reshape", [y, graph.Constant("shape", [0, channels, .. positions])]));
    }

    private static OnnxValue PerPosition(OnnxGraph graph, LayerNorm norm, OnnxValue x)
    {
        if (graph.Decompose) return Scale(graph, norm, Standardize(graph, x, axis: 1, norm.Eps));
        OnnxValue Normalized(OnnxValue last) =>
            graph.Add("LayerNormalization", [last, .. Affine(graph, norm)], ("axis", -1), ("epsilon", norm.Eps));
        var rank = x.Shape.Rank;
        return rank == 2 ? Normalized(x) : graph.ChannelsSecond(Normalized(graph.ChannelsLast(x, rank)), rank);
    }

    private static OnnxValue Standardize(OnnxGraph graph, OnnxValue x, int axis, double eps)
    {
        OnnxValue Mean(OnnxValue of) => graph.Add("ReduceMean", [of], ("axes", (int[])[axis]), ("keepdims", 1));
        var deviation = graph.Add("Sub", [x, Mean(x)]);
        var variance = Mean(graph.Add("Mul", [deviation, deviation]));
        var epsilon = graph.Constant("epsilon", Tensor.Full(new Shape(1), eps));
        return graph.Add("Div", [deviation, graph.Add("Sqrt", [graph.Add("Add", [variance, epsilon])])]);
    }

    private static OnnxValue Scale(OnnxGraph graph, Normalization norm, OnnxValue x) =>
        Scale(graph, norm.Weight, norm.Bias, x);

    public static OnnxValue Scale(OnnxGraph graph, Parameter? gamma, Parameter? beta, OnnxValue x)
    {
        OnnxValue Of(string name, Parameter parameter) => graph.Constant(name, PerChannel(parameter, x.Shape.Rank));
        if (gamma is not null) x = graph.Add("Mul", [x, Of("weight", gamma)]);
        return beta is null ? x : graph.Add("Add", [x, Of("bias", beta)]);
    }

    // The operators cannot go without.
    private static OnnxValue[] Affine(OnnxGraph graph, Normalization norm) =>
    [
        graph.Constant("weight", norm.Weight?.Value ?? Tensor.Ones(new Shape(norm.Channels))),
        graph.Constant("bias", norm.Bias?.Value ?? Tensor.Zeros(new Shape(norm.Channels))),
    ];
}
