namespace Tapegrad.Layers;

/// <summary>The positions of a sample share, each channel for itself (Ulyanov, Vedaldi and Lempitsky, 2016).</summary>
public sealed class InstanceNorm(int channels, double eps = 1e-5, bool affine = true)
    : Normalization(channels, new Sharing(Batch: false, Positions: true, Groups: channels), eps, affine)
{
    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("instance",
        name => name == "instance" ? channels => new InstanceNorm(channels) : null)
    {
        Examples = ["instance"],
        Formula = "(x - mean) / sqrt(variance + eps) over the positions of a sample, for each channel",
        Paper = "Ulyanov, Vedaldi and Lempitsky, 2016, arXiv:1607.08022",
    };

    /// <inheritdoc/>
    public override string Variant => "instance";
}
