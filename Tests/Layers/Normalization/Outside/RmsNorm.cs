using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// x^ = x / sqrt(mean(x^2) + eps) over the positions of a sample and a group of channels (Zhang and Sennrich, 2019,
/// arXiv:1910.07467): nothing is subtracted, which the sharing says, down to the kernel.
/// </summary>
public sealed class RmsNorm(int channels, int groups = 1)
    : Norm(channels, new Sharing(Batch: false, Positions: true, groups, IsCentered: false),
        new Affine(channels, shift: null))
{
    public static NormalizationInfo Info { get; } = new("rms:G", name => name switch
    {
        "rms:1" or "rms" => channels => new RmsNorm(channels),
        "rms:4" => channels => new RmsNorm(channels, 4),
        _ => null,
    })
    {
        Examples = ["rms:1", "rms:4"],
        Formula = "x / sqrt(mean(x^2) + eps)",
        Paper = "Zhang and Sennrich, 2019, arXiv:1910.07467",
        DisobeyedLaws = ["ShiftInvariance", "ConstantInput"],
    };

    public override string Variant => $"rms:{S.Groups}";
}
