namespace Tapegrad.Layers;

/// <summary>
/// relu(normalization(x)) in one pass over memory, for a <see cref="Sequential"/>; in a Forward of one's own,
/// <c>normalization.Apply(x, relu: true)</c> says the same. The normalization's parameters are named as if it stood
/// alone.
/// </summary>
public sealed class NormalizedRelu : Module
{
    /// <summary>A normalization and a ReLU.</summary>
    public NormalizedRelu(Normalization normalization) => Normalization = Child("", normalization);

    /// <summary>What comes before the ReLU.</summary>
    public Normalization Normalization { get; }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => Normalization.Apply(x, relu: true);
}
