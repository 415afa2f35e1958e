namespace Tapegrad.Layers;

/// <summary>
/// Weight standardization (Qiao, Wang, Liu, Shen and Yuille, 2019, arXiv:1903.10520): a convolution uses, in place of its weight,
/// <code>
/// W^ = (W - mean) / sqrt(variance + eps)     over KH, KW and C / groups: each output channel for itself, eps = 1e-5
/// </code>
/// which is what <see cref="BatchNorm"/> does to x, done to [KH, KW, C / groups, O]; the derivative is the same too. Behind a ReLU the inputs
/// are positive, so the mean of an output channel follows the mean of its weights; group normalization, whose groups span channels,
/// leaves these means standing, and with W^ they do not arise. A normalization must follow, as the scale of W^ is not that of W.
/// </summary>
public static class WeightStandardization
{
    /// <summary>What the name of a model's normalization ends with where the convolutions are standardized: <c>group:8+ws</c>.</summary>
    public const string Suffix = "+ws";

    private const double Eps = 1e-5;

    /// <summary>W^ of a convolution's weight [KH, KW, C / groups, O], of the same shape.</summary>
    public static Tensor Standardize(this Tensor weight) =>
        weight.Normalize(new Sharing(Batch: true, Positions: true, Groups: weight.Shape[-1]), Eps);

    /// <summary>Standardizes the weights of all two-dimensional convolutions in a model, whose metadata say so from then on.</summary>
    /// <exception cref="ArgumentException">An output of a convolution has one weight alone, and W^ would be 0; or the metadata say that the model has no
    /// normalization.</exception>
    public static void StandardizeWeights(this Module model)
    {
        if (model.Metadata.TryGetValue("normalization", out var name) && name == "none")
            throw new ArgumentException("weights are standardized for a normalization behind them, not for none.");
        foreach (var convolution in model.Modules.OfType<Conv2d>()) convolution.IsStandardized = true;
        ModelSpec.NoteStandardized(model);
    }

    /// <summary>Of <c>group:8+ws</c>, <c>group:8</c> and true.</summary>
    internal static (string Normalization, bool IsStandardized) Split(string name) =>
        name.EndsWith(Suffix, StringComparison.Ordinal) ? (name[..^Suffix.Length], true) : (name, false);
}
