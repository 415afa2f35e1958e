namespace Tapegrad.Layers;

/// <summary>factor x, with a factor that is not learned: logits that begin small, for instance.</summary>
public sealed class Scaling(double factor) : Module
{
    /// <summary>What x is multiplied with.</summary>
    public double Factor { get; } = factor;

    /// <inheritdoc/>
    public override string Settings => FormattableString.Invariant($"factor {Factor:0.######}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x * Factor;
}
