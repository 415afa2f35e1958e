using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// x^ = x sigmoid(v x) / sqrt(variance + eps) over the positions of a sample and a group of channels, v learned, per
/// channel (Liu, Brock, Simonyan and Le, 2020, arXiv:2004.02967): the activation is in it.
/// </summary>
public sealed class EvoNormS0 : Norm
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
}
