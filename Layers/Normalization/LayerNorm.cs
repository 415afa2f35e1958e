namespace Tapegrad.Layers;

/// <summary>
/// All channels and positions of a sample share (Ba, Kiros and Hinton, 2016). Per position, as in transformers and
/// ConvNeXt, only the channels of one position do. gamma and beta are per channel; PyTorch's LayerNorm([C, H, W]) has
/// them per element.
/// </summary>
public sealed class LayerNorm(int channels, bool perPosition = false, double eps = 1e-5, bool affine = true)
    : Normalization(channels, new Sharing(Batch: false, Positions: !perPosition, Groups: 1), eps, affine)
{
    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("layer or layer:position", name => name switch
    {
        "layer" => channels => new LayerNorm(channels),
        "layer:position" => channels => new LayerNorm(channels, perPosition: true),
        _ => null,
    })
    {
        Examples = ["layer", "layer:position"],
        Formula = "(x - mean) / sqrt(variance + eps) over the positions and channels of a sample, or over the channels "
            + "of each position",
        Paper = "Ba, Kiros and Hinton, 2016, arXiv:1607.06450",
    };

    /// <inheritdoc/>
    public override string Variant => S.Positions ? "layer" : "layer:position";
}
