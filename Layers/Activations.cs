namespace Tapegrad.Layers;

// Activations as layers, for Sequential. In a Forward of one's own, x.Relu() says the same.

/// <summary>max(x, 0), with derivative 0 at 0.</summary>
public sealed class Relu : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Relu();
}

/// <summary>1 / (1 + e^-x).</summary>
public sealed class Sigmoid : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Sigmoid();
}

/// <summary>The hyperbolic tangent.</summary>
public sealed class Tanh : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Tanh();
}
