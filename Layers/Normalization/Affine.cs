namespace Tapegrad.Layers;

/// <summary>
/// What follows x^ in a normalization: y = x^ gamma + beta, one gamma and one beta per channel; either can be left out,
/// and start anywhere.
/// </summary>
public class Affine : Module
{
    /// <summary>A scale and a shift.</summary>
    /// <param name="channels">C, the length of gamma and beta.</param>
    /// <param name="scale">Where gamma starts; null for none.</param>
    /// <param name="shift">Where beta starts; null for none.</param>
    public Affine(int channels, double? scale = 1, double? shift = 0)
    {
        Channels = channels;
        if (scale is { } gamma) Scale = Parameter("weight", Tensor.Full(new Shape(channels), gamma));
        if (shift is { } beta) Shift = Parameter("bias", Tensor.Full(new Shape(channels), beta));
    }

    /// <summary>C.</summary>
    public int Channels { get; }

    /// <summary>gamma, [C], "weight" in files; null for none.</summary>
    public Parameter? Scale { get; }

    /// <summary>beta, [C], "bias" in files; null for none.</summary>
    public Parameter? Shift { get; }

    internal override bool IsPart => true;

    /// <inheritdoc/>
    public override string Settings => (Scale, Shift) switch
    {
        (null, null) => "no affine",
        (null, _) => "shift only",
        (_, null) => "scale only",
        _ => "",
    };

    /// <summary>
    /// gamma and beta for inputs of a shape: [C], or what a sum broadcasts to [N, .., C]; null for none.
    /// </summary>
    /// <param name="x">The shape of x^.</param>
    /// <param name="condition">What they depend on, where they do; null for nothing.</param>
    public virtual (Tensor? Gamma, Tensor? Beta) For(Shape x, Tensor? condition)
    {
        if (condition is not null)
            throw new ArgumentException($"a condition {condition.Shape} was given, but gamma and beta depend on none. "
                + $"A {nameof(ConditionalAffine)} "
                + "takes one.");
        return (Scale?.Value, Shift?.Value);
    }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => Apply(x, condition: null);

    /// <summary>x^ gamma + beta, where they depend on a condition.</summary>
    public Tensor Apply(Tensor x, Tensor? condition)
    {
        var (gamma, beta) = For(x.Shape, condition);
        var y = gamma is null ? x : x * gamma;
        return beta is null ? y : y + beta;
    }
}
