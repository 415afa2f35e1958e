namespace Tapegrad.Layers;

/// <summary>
/// Weight standardization (Qiao, Wang, Liu, Shen and Yuille, 2019, arXiv:1903.10520): a convolution uses, in place of
/// its weight,
/// <code>
/// W^ = (W - mean) / sqrt(variance + eps)     over KH, KW and C / groups: each output channel for itself, eps = 1e-5
/// </code>
/// which is what <see cref="BatchNorm"/> does to x, done to [KH, KW, C / groups, O]; the derivative is the same too.
/// Behind a ReLU the inputs are positive, so the mean of an output channel follows the mean of its weights; group
/// normalization, whose groups span channels, leaves these means standing, and with W^ they do not arise. A
/// normalization must follow, as the scale of W^ is not that of W.
/// </summary>
public static class WeightStandardization
{
    /// <summary>
    /// What the name of a model's normalization ends with where the convolutions are standardized: <c>group:8+ws</c>.
    /// </summary>
    public const string Suffix = "+ws";

    private const double Eps = 1e-5;

    /// <summary>W^ of a convolution's weight [KH, KW, C / groups, O], of the same shape.</summary>
    public static Tensor Standardize(this Tensor weight) =>
        weight.Normalize(new Sharing(Batch: true, Positions: true, Groups: weight.Shape[-1]), Eps);

    /// <summary>
    /// Standardizes the weights of all two-dimensional convolutions in a model, whose metadata say so from then on.
    /// </summary>
    /// <exception cref="ArgumentException">An output of a convolution has one weight alone, and W^ would be 0; or the
    /// metadata say that the model has no normalization.</exception>
    public static void StandardizeWeights(this Module model) => model.TransformWeights("ws");
}

/// <summary><see cref="WeightStandardization"/> as a convolution has it.</summary>
public sealed class StandardizedWeight : WeightTransform
{
    /// <summary>For one convolution.</summary>
    /// <exception cref="ArgumentException">Each output has one weight alone, which minus its mean is 0.</exception>
    public StandardizedWeight(Conv2d layer)
    {
        if (layer.Weight.Count == layer.Weight.Shape[-1])
            throw new ArgumentException($"{layer.Path}: its weight {layer.Weight.Shape} has one number for each "
                + "output; standardized, all would be 0.");
    }

    /// <summary>How <see cref="WeightTransforms"/> finds it.</summary>
    public static WeightTransformInfo Info { get; } = new("ws", name => name == "ws" ? layer =>
        new StandardizedWeight(layer) : null)
    {
        Examples = ["ws"],
        Formula = "(W - mean) / sqrt(variance + eps) for each output channel",
        Paper = "Qiao, Wang, Liu, Shen and Yuille, 2019, arXiv:1903.10520",
    };

    /// <inheritdoc/>
    public override string Variant => "ws";

    /// <inheritdoc/>
    public override string Settings => "standardized";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor weight) => weight.Standardize();
}
