namespace Tapegrad.Layers;

/// <summary>
/// The baseline: x^ = x, without gamma and beta. A model whose normalizations are these has none, and its convolutions
/// a bias.
/// </summary>
public sealed class NoNormalization(int channels)
    : Normalization(channels, new Sharing(Batch: false, Positions: true, Groups: 1), affine: false)
{
    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("none", name => name == "none" ? channels =>
        new NoNormalization(channels) : null)
    {
        Examples = ["none"],
        Formula = "x",
        Paper = "the baseline",
        DisobeyedLaws = ["ShiftInvariance", "ScaleInvariance", "ConstantInput"],
    };

    /// <inheritdoc/>
    public override string Variant => "none";

    /// <inheritdoc/>
    public override string Settings => "";

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x) => x;
}
