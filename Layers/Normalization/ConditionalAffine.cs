namespace Tapegrad.Layers;

/// <summary>
/// gamma and beta from a condition, for each sample or for each position: y = x^ (offset + s) + b, where (s, b) =
/// map(condition).
/// <code>
/// condition      map gives          for
/// [N, D]         [N, 2C]            a vector for each sample: conditional and adaptive normalization
///                                   (arXiv:1707.00683, 1703.06868, 2105.05233)
/// [N, H, W, D]   [N, H, W, 2C]      a map with x's positions: SPADE (arXiv:1903.07291)
/// </code>
/// Given to a normalization, the condition comes with its input: <c>norm.Apply(x, condition: style)</c>.
/// </summary>
public sealed class ConditionalAffine : Affine
{
    internal const string WithoutOnnx = "a condition comes beside its input, and a file here has one input";

    private readonly Module? map;
    private readonly double offset;

    /// <summary>gamma and beta from a condition.</summary>
    /// <param name="channels">C.</param>
    /// <param name="map">"condition": makes [.., 2C], the scales and behind them the shifts; null where the condition
    /// is these numbers already.</param>
    /// <param name="offset">Added to the scales: 1, so that scales of 0 change nothing, or 0, as in AdaIN.</param>
    public ConditionalAffine(int channels, Module? map = null, double offset = 1)
        : base(channels, scale: null, shift: null)
    {
        this.map = map is null ? null : Child("condition", map);
        this.offset = offset;
    }

    /// <inheritdoc/>
    public override string Settings => FormattableString.Invariant($"conditional, {offset} + scale");

    /// <inheritdoc/>
    public override (Tensor? Gamma, Tensor? Beta) For(Shape x, Tensor? condition)
    {
        if (condition is null)
            throw new ArgumentException("gamma and beta depend on a condition, and none was given: norm.Apply(x, "
                + "condition: ...).");
        var numbers = map is null ? condition : map.Apply(condition);
        if (numbers.Shape.Rank == 2 && x.Rank > 2)
            numbers = numbers.Reshape([numbers.Shape[0], .. Enumerable.Repeat(1, x.Rank - 2), numbers.Shape[1]]);
        var fits = numbers.Shape.Rank == x.Rank && numbers.Shape[-1] == 2 * Channels;
        for (var axis = 0; fits && axis < x.Rank - 1; axis++)
            fits = numbers.Shape[axis] == x[axis] || numbers.Shape[axis] == 1;
        if (!fits)
            throw new ShapeException($"the condition gives {numbers.Shape} for an input {x}: it should give [N, "
                + $"{2 * Channels}], or as many numbers at "
                + "every position.");
        return (numbers.Slice(-1, 0, Channels) + offset, numbers.Slice(-1, Channels, Channels));
    }
}
