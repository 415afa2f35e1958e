namespace Tapegrad.Layers;

/// <summary>What frameworks do not agree on in batch normalization, named.</summary>
/// <param name="Name">The name in files and options.</param>
/// <param name="Eps">Added to the variance, inside the root.</param>
/// <param name="NewWeight">The weight of a new batch in the running statistics: PyTorch's "momentum", 1 minus everybody
/// else's.</param>
/// <param name="Unbiased">Whether the running variance takes the batch's unbiased variance (1 / (m - 1)) or its biased
/// one. x^ itself always takes the biased one.</param>
public sealed record BatchNormConvention(string Name, double Eps, double NewWeight, bool Unbiased)
{
    /// <summary>PyTorch's: eps 1e-5, weight 0.1, unbiased as in the paper.</summary>
    public static BatchNormConvention PyTorch { get; } = new("batch", 1e-5, 0.1, Unbiased: true);

    /// <summary>Keras's: eps 1e-3, weight 0.01 (momentum 0.99), biased.</summary>
    public static BatchNormConvention Keras { get; } = new("batch:keras", 1e-3, 0.01, Unbiased: false);

    /// <summary>Flax's: eps 1e-5, weight 0.01 (momentum 0.99), biased.</summary>
    public static BatchNormConvention Flax { get; } = new("batch:flax", 1e-5, 0.01, Unbiased: false);

    /// <summary>
    /// For runs of a few hundred large batches: eps 1e-5, weight 0.4, unbiased (Jordan, 2024, arXiv:2404.00498, whose
    /// eps of 1e-12 is too small for the gradients of floats).
    /// </summary>
    public static BatchNormConvention Fast { get; } = new("batch:fast", 1e-5, 0.4, Unbiased: true);

    /// <summary>The convention of a name; null when there is none.</summary>
    public static BatchNormConvention? Named(string name) =>
        new[] { PyTorch, Keras, Flax, Fast }.FirstOrDefault(convention => convention.Name == name);

    /// <summary>
    /// What the biased variance of so many elements is multiplied with before it is kept; null for one, which has no
    /// variance.
    /// </summary>
    internal double? VarianceFactor(long elements) =>
        elements <= 1 ? null : Unbiased ? (double)elements / (elements - 1) : 1;

    /// <summary>The settings that a summary does not show elsewhere.</summary>
    public override string ToString() =>
        FormattableString.Invariant($"new weight {NewWeight}, {(Unbiased ? "unbiased" : "biased")}");
}
