using Tapegrad.Layers;
using Tapegrad.Onnx;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// x^ = x sigmoid(v x) / sqrt(variance + eps) over the positions of a sample and a group of channels, v learned, per
/// channel (Liu, Brock, Simonyan and Le, 2020, arXiv:2004.02967): the activation is in it.
/// </summary>
public sealed class EvoNormS0 : Norm, IOnnxLayer
{
    private readonly Parameter v;

    public EvoNormS0(int channels, int groups = 1)
        : base(channels, new Sharing(Batch: false, Positions: true, groups)) =>
        v = Parameter("v", Tensor.Ones(new Shape(channels)));

    public static NormalizationInfo Info { get; } = new("evo-s0", name => name == "evo-s0" ? channels =>
        new EvoNormS0(channels) : null)
    {
        Examples = ["evo-s0"],
        Formula = "x sigmoid(v x) / sqrt(variance + eps)",
        Paper = "Liu, Brock, Simonyan and Le, 2020, arXiv:2004.02967",
        DisobeyedLaws = ["ShiftInvariance", "ScaleInvariance", "ConstantInput"],
    };

    public override bool ContainsActivation => true;

    public override string Variant => "evo-s0";

    protected override Tensor Normalize(Tensor x) => x * (v * x).Sigmoid() / (S.Variance(x) + Eps).Sqrt();

    public OnnxValue Write(OnnxGraph graph, OnnxValue x)
    {
        // [N, C, H, W] in the graph; a set is a row of [N, groups, elements]
        int[] positions = [.. x.Shape.Dimensions[1..^1]];
        OnnxValue PerChannel(string name, Tensor of) =>
            graph.Constant(name, of.Reshape([Channels, .. positions.Select(_ => 1)]));
        OnnxValue Rows(OnnxValue of) => graph.Add("Reshape", [of, graph.Constant("sets", 0, S.Groups, -1)]);
        OnnxValue Mean(OnnxValue of) => graph.Add("GlobalAveragePool", [of]);
        var gated = graph.Add("Mul", [x, graph.Add("Sigmoid", [graph.Add("Mul", [x, PerChannel("v", v)])])]);
        var deviation = graph.Add("Sub", [Rows(x), Mean(Rows(x))]);
        var variance = Mean(graph.Add("Mul", [deviation, deviation]));
        var root = graph.Add("Sqrt",
            [graph.Add("Add", [variance, graph.Constant("eps", Tensor.Full(new Shape(1), Eps))])]);
        var y = graph.Add("Reshape", [graph.Add("Div", [Rows(gated), root]),
            graph.Constant("shape", [0, Channels, .. positions])]);
        return graph.Add("Add",
            [graph.Add("Mul", [y, PerChannel("weight", Weight!)]), PerChannel("bias", Bias!)]);
    }
}
