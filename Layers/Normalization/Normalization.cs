using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// The idea of every normalization: y = x^ * gamma + beta, where x^ is x made of one scale by statistics that a set of elements
/// shares, and the choice of who shares (<see cref="Sharing"/>) is what tells one from another.
/// <code>
/// x      [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C]; the channel axis is last
/// gamma  [C], "weight" in files, starts at 1        beta  [C], "bias", starts at 0
/// </code>
/// One gamma and one beta per channel for all of them (PyTorch's LayerNorm has one per element), so that GroupNorm with one group
/// is LayerNorm and with C groups InstanceNorm, the affine included. A variant that is more than such a choice says in
/// <see cref="Normalize(Tensor)"/> what x^ is; gradients follow from the operations it uses.
/// </summary>
/// <remarks>
/// A set of one element gives 0, whatever it holds, with gradient 0: that is said once, by a notice. Without samples the output
/// is empty.
/// </remarks>
public abstract class Normalization : Module
{
    private bool noticed;

    /// <summary>A normalization of so many channels.</summary>
    /// <param name="channels">C, the length of the last axis.</param>
    /// <param name="sharing">Who shares a mean.</param>
    /// <param name="eps">Added to the variance, inside the root.</param>
    /// <param name="affine">Whether gamma and beta are learned; else the output is x^.</param>
    protected Normalization(int channels, Sharing sharing, double eps = 1e-5, bool affine = true)
    {
        if (channels < 1) throw new ShapeException($"{GetType().Name}: {channels} channels; there must be at least one.");
        if (!(eps >= 0 && double.IsFinite(eps))) throw new ArgumentOutOfRangeException(nameof(eps), eps, "eps is a finite number, 0 or above.");
        (Channels, S, Eps) = (channels, sharing, eps);
        _ = sharing.Geometry(new Shape(1, channels));   // impossible groups are refused now, not at the first input
        if (!affine) return;
        Weight = Parameter("weight", Tensor.Ones(new Shape(channels)));
        Bias = Parameter("bias", Tensor.Zeros(new Shape(channels)));
    }

    /// <summary>C, the number of channels.</summary>
    public int Channels { get; }

    /// <summary>Who shares a mean.</summary>
    public Sharing S { get; }

    /// <summary>Added to the variance, inside the root.</summary>
    public double Eps { get; }

    /// <summary>gamma; null without the affine.</summary>
    public Parameter? Weight { get; }

    /// <summary>beta; null without the affine.</summary>
    public Parameter? Bias { get; }

    /// <summary>
    /// The name by which <see cref="Normalizations.Parse"/> makes a normalization like this one, such as <c>group:8</c>; the
    /// type's name for one of your own.
    /// </summary>
    public virtual string Variant => GetType().Name;

    /// <inheritdoc/>
    public override string Settings =>
        FormattableString.Invariant($"{Variant}, {Channels} channels, eps {Eps:0.#####e-0}{(Weight is null ? ", no affine" : "")}");

    /// <summary>
    /// x^ of x [N, .., C] with at least one element, of x's shape, by a formula of the variant's own; null, as here, when x^ = (x - mean) /
    /// sqrt(variance + eps) over its sets.
    /// </summary>
    protected virtual Tensor? Normalize(Tensor x) => null;

    // relu(x^ gamma + beta + residual) as one operation, by mean and variance.
    private protected virtual Tensor Normalize(Tensor x, Tensor? gamma, Tensor? beta, Tensor? residual, bool relu) =>
        x.Normalize(S, Eps, gamma, beta, residual, relu);

    /// <summary>
    /// relu(y + residual), of y the normalized x; where the device can, in one pass over memory. What is not asked for is left out. The same as
    /// <see cref="Module.Apply(Tensor)"/>, a sum and a ReLU one after the other.
    /// </summary>
    /// <param name="x">[N, .., C].</param>
    /// <param name="residual">Added to y, of x's shape; null for nothing.</param>
    /// <param name="relu">Whether a ReLU ends it.</param>
    /// <exception cref="ShapeException">x or the residual has another shape.</exception>
    public Tensor Apply(Tensor x, Tensor? residual = null, bool relu = false)
    {
        using var _ = Enter();
        return Show(Forward(x, residual, relu));
    }

    /// <inheritdoc/>
    protected sealed override Tensor Forward(Tensor x) => Forward(x, residual: null, relu: false);

    private Tensor Forward(Tensor x, Tensor? residual, bool relu)
    {
        if (x.Shape.Rank is < 2 or > 5 || x.Shape[-1] != Channels)
            throw new ShapeException($"{GetType().Name}: made for {Channels} channels: [N, {Channels}], [N, L, {Channels}], [N, H, W, {Channels}] or "
                + $"[N, D, H, W, {Channels}]; given {x.Shape}. The channel axis is the last.");
        if (residual is not null && residual.Shape != x.Shape)
            throw new ShapeException($"{GetType().Name}: the residual {residual.Shape} is added to the normalized {x.Shape}; they must be equal.");
        if (x.Count > 0) NoticeSingleElements(S.Geometry(x.Shape), x.Shape);
        if ((x.Count == 0 ? x : Normalize(x)) is not { } y) return Normalize(x, Weight?.Value, Bias?.Value, residual, relu);
        if (Weight is not null && Bias is not null) y = y * Weight + Bias;
        if (residual is not null) y += residual;
        return relu ? y.Relu() : y;
    }

    private void NoticeSingleElements(SharingGeometry geometry, Shape x)
    {
        // Whoever shares the batch does so in training.
        if (noticed || geometry.SetSize > 1 || (S.Batch && Tape.Current is not { IsTraining: true })) return;
        noticed = true;
        Notices.Raise($"{(Path == "" ? "" : $"{Path}: ")}{GetType().Name}: with the input {x} each set that shares a mean has one element, "
            + $"so the output is beta, whatever the input. Remedies: {(S.Batch ? "a larger batch" : "fewer groups")}, or a normalization "
            + "whose sets are larger (channels of a sample, positions), or none here.");
    }
}
