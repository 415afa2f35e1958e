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

/// <summary>x where x is above 0, else slope x.</summary>
public sealed class LeakyRelu(double slope = 0.01) : Module
{
    /// <summary>The derivative below 0.</summary>
    public double Slope { get; } = slope;

    /// <inheritdoc/>
    public override string Settings => FormattableString.Invariant($"slope {Slope}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.LeakyRelu(Slope);
}

/// <summary>x times the share of the normal distribution below x.</summary>
public sealed class Gelu : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Gelu();
}

/// <summary>x / (1 + e^-x).</summary>
public sealed class Silu : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Silu();
}

/// <summary>log(1 + e^x).</summary>
public sealed class Softplus : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Softplus();
}
