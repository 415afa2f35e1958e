namespace Tapegrad.Layers;

/// <summary>
/// The positions of a sample and a group of adjacent channels share (Wu and He, 2018): neither the batch size nor the
/// other samples matter.
/// </summary>
public sealed class GroupNorm(int channels, GroupSpec groups, double eps = 1e-5, bool affine = true)
    : Normalization(channels, new Sharing(Batch: false, Positions: true, groups.Groups(channels)), eps, affine)
{
    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("group:G or size:K",
        name => Normalizations.Number(name, "group:") is { } count ? channels =>
        new GroupNorm(channels, GroupSpec.Count(count))
            : Normalizations.Number(name, "size:") is { } size ? channels =>
            new GroupNorm(channels, GroupSpec.Size(size)) : null)
    {
        Examples = ["group:8", "size:8"],
        Formula = "(x - mean) / sqrt(variance + eps) over the positions of a sample and G groups of channels, or "
            + "groups of K channels",
        Paper = "Wu and He, 2018, arXiv:1803.08494",
    };

    /// <inheritdoc/>
    public override string Variant => $"{groups}";
}
