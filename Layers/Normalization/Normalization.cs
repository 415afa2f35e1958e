using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// The idea of every normalization: x^ is x made of one scale by statistics that a set of elements shares, and the
/// choice of who shares (<see cref="Sharing"/>) is what tells one from another; an <see cref="Affine"/> follows.
/// <code>
/// y      relu(x^ gamma + beta + residual), of which what is not asked for is left out
/// x      [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C]; the channel axis is last
/// gamma  [C], "weight" in files, starts at 1        beta  [C], "bias", starts at 0
/// </code>
/// One gamma and one beta per channel for all of them (PyTorch's LayerNorm has one per element), so that GroupNorm with
/// one group is LayerNorm and with C groups InstanceNorm, the affine included.
/// </summary>
/// <remarks>
/// A variant that is more than a choice of who shares says, in one of three places, what it is; gradients follow from
/// the operations it uses:
/// <list type="bullet">
/// <item><see cref="Normalize(Tensor)"/>: x^ by a formula of its own;</item>
/// <item><see cref="Normalize(Tensor, Tensor, Tensor, Tensor, bool)"/>: all of y in one operation, such as a device's
/// kernel;</item>
/// <item><see cref="Forward(Tensor, Tensor, bool, Tensor)"/>: whatever does not end with an affine.</item>
/// </list>
/// What it remembers of training is <see cref="Remember"/>ed. A set of one element gives 0, whatever it holds, with
/// gradient 0, or nearly the element's sign, x / sqrt(x^2 + eps), where nothing is subtracted
/// (<see cref="Sharing.IsCentered"/>): that is said once, by a notice. Without samples the output is empty.
/// </remarks>
public abstract class Normalization : Module
{
    private bool noticed, noticedHalfFrozen;

    /// <summary>A normalization of so many channels.</summary>
    /// <param name="channels">C, the length of the last axis.</param>
    /// <param name="sharing">Who shares a mean.</param>
    /// <param name="eps">Added to the variance, inside the root.</param>
    /// <param name="affine">Whether gamma and beta are learned; else the output is x^.</param>
    protected Normalization(int channels, Sharing sharing, double eps = 1e-5, bool affine = true)
        : this(channels, sharing, affine ? new Affine(channels) : null, eps) { }

    /// <summary>A normalization with an affine of one's own.</summary>
    /// <param name="channels">C, the length of the last axis.</param>
    /// <param name="sharing">Who shares a mean.</param>
    /// <param name="affine">What follows x^; null for nothing.</param>
    /// <param name="eps">Added to the variance, inside the root.</param>
    protected Normalization(int channels, Sharing sharing, Affine? affine, double eps = 1e-5)
    {
        if (channels < 1)
            throw new ShapeException($"{GetType().Name}: {channels} channels; there must be at least one.");
        if (!(eps >= 0 && double.IsFinite(eps)))
            throw new ArgumentOutOfRangeException(nameof(eps), eps, "eps is a finite number, 0 or above.");
        if (affine is not null && affine.Channels != channels)
            throw new ShapeException($"{GetType().Name}: {channels} channels, but an affine of {affine.Channels}.");
        (Channels, S, Eps) = (channels, sharing, eps);
        _ = sharing.Geometry(new Shape(1, channels));   // impossible groups are refused now, not at the first input
        Affine = affine is null ? null : Child("", affine);
    }

    /// <summary>C, the number of channels.</summary>
    public int Channels { get; }

    /// <summary>Who shares a mean.</summary>
    public Sharing S { get; }

    /// <summary>Added to the variance, inside the root.</summary>
    public double Eps { get; }

    /// <summary>What follows x^; null for nothing.</summary>
    public Affine? Affine { get; }

    /// <summary>gamma; null without one.</summary>
    public Parameter? Weight => Affine?.Scale;

    /// <summary>beta; null without one.</summary>
    public Parameter? Bias => Affine?.Shift;

    /// <summary>
    /// What is remembered of training, for evaluation; null for a normalization that computes the same in both.
    /// </summary>
    public RunningStatistics? Running { get; private set; }

    /// <summary>
    /// Whether y has been through an activation that belongs to the normalization: then <c>relu: true</c> adds none.
    /// </summary>
    public virtual bool ContainsActivation => false;

    /// <summary>
    /// The name by which <see cref="Normalizations.Parse"/> makes a normalization like this one, such as
    /// <c>group:8</c>; the type's name for one of your own.
    /// </summary>
    public virtual string Variant => GetType().Name;

    /// <inheritdoc/>
    public override string Settings
    {
        get
        {
            var affine = Affine is null ? "no affine" : Affine.Settings;
            return FormattableString.Invariant(
                $"{Variant}, {Channels} channels, eps {Eps:0.#####e-0}{(affine == "" ? "" : ", " + affine)}");
        }
    }

    /// <summary>True while the layer learns from what it sees: a training tape is open, and it is not frozen.</summary>
    protected bool IsLearning => !IsFrozen && Tape.Current is { IsTraining: true };

    // ---- what it computes -------------------------------------------------------------------------------------------

    /// <summary>
    /// relu(y + residual), of y the normalized x; where the device can, in one pass over memory. What is not asked for
    /// is left out. The same as <see cref="Module.Apply(Tensor)"/>, a sum and a ReLU one after the other.
    /// </summary>
    /// <param name="x">[N, .., C].</param>
    /// <param name="residual">Added to y, of x's shape; null for nothing.</param>
    /// <param name="relu">Whether a ReLU ends it; with a normalization that <see cref="ContainsActivation"/>, none is
    /// added.</param>
    /// <param name="condition">What gamma and beta depend on, for a <see cref="ConditionalAffine"/>.</param>
    /// <exception cref="ShapeException">x, the residual or the condition has another shape.</exception>
    public Tensor Apply(Tensor x, Tensor? residual = null, bool relu = false, Tensor? condition = null)
    {
        using var _ = Enter();
        return Show(Compute(x, residual, relu, condition));
    }

    /// <inheritdoc/>
    protected sealed override Tensor Forward(Tensor x) => Compute(x, residual: null, relu: false, condition: null);

    private Tensor Compute(Tensor x, Tensor? residual, bool relu, Tensor? condition)
    {
        if (x.Shape.Rank is < 2 or > 5 || x.Shape[-1] != Channels)
            throw new ShapeException($"{GetType().Name}: made for {Channels} channels: [N, {Channels}], [N, L, "
                + $"{Channels}], [N, H, W, {Channels}] or [N, D, H, W, {Channels}]; given {x.Shape}. The channel axis "
                + "is the last.");
        if (residual is not null && residual.Shape != x.Shape)
            throw new ShapeException($"{GetType().Name}: the residual {residual.Shape} is added to the normalized "
                + $"{x.Shape}; they must be equal.");
        return Forward(x, residual, relu && !ContainsActivation, condition);
    }

    /// <summary>All of y; here x^, the affine, the residual and the ReLU, as one operation where that can be.</summary>
    /// <param name="x">[N, .., C].</param>
    /// <param name="residual">To be added, of x's shape.</param>
    /// <param name="relu">Whether a ReLU is to end it.</param>
    /// <param name="condition">What gamma and beta depend on.</param>
    protected virtual Tensor Forward(Tensor x, Tensor? residual, bool relu, Tensor? condition)
    {
        var (gamma, beta) = Affine?.For(x.Shape, condition) ?? (null, null);
        // One operation takes gamma and beta of the channels alone.
        var fits = gamma is null or { Shape.Rank: 1 } && beta is null or { Shape.Rank: 1 };
        if ((x.Count == 0 ? x : Normalize(x)) is not { } y)
        {
            NoticeSingleElements(x.Shape);
            if (fits) return Normalize(x, gamma, beta, residual, relu);
            y = Normalize(x, null, null, null, false);
        }
        if (gamma is not null) y *= gamma;
        if (beta is not null) y += beta;
        if (residual is not null) y += residual;
        return relu ? y.Relu() : y;
    }

    /// <summary>
    /// x^ of x [N, .., C] with at least one element, of x's shape, by a formula of the variant's own; null, as here,
    /// when <see cref="Normalize(Tensor, Tensor, Tensor, Tensor, bool)"/> says it.
    /// </summary>
    protected virtual Tensor? Normalize(Tensor x) => null;

    /// <summary>
    /// relu(x^ gamma + beta + residual) as one operation; here x^ = (x - mean) / sqrt(variance + eps) over its sets.
    /// </summary>
    /// <param name="x">[N, .., C], with at least one element.</param>
    /// <param name="gamma">[C]; null for 1.</param>
    /// <param name="beta">[C]; null for 0.</param>
    /// <param name="residual">To be added, of x's shape; null for nothing.</param>
    /// <param name="relu">Whether a ReLU is to end it.</param>
    protected virtual Tensor Normalize(Tensor x, Tensor? gamma, Tensor? beta, Tensor? residual, bool relu) =>
        x.Normalize(S, Eps, gamma, beta, residual, relu);

    // ---- what it remembers ------------------------------------------------------------------------------------------

    /// <summary>Makes the memory that evaluation uses. Call it once, in the constructor.</summary>
    /// <param name="newWeight">The weight of a new batch, above 0 and at most 1.</param>
    /// <param name="values">Names in files, and where they start: in the order of the pending statistics'
    /// tensors.</param>
    /// <param name="factor">What a tensor of the pending statistics, by its index, is multiplied with before it is
    /// taken in; null to leave it out. 1 when not given.</param>
    protected RunningStatistics Remember(double newWeight, (string Name, Tensor Initial)[] values,
        Func<int, IPendingStatistics, double?>? factor = null)
    {
        if (Running is not null)
            throw new InvalidOperationException($"{GetType().Name} remembers twice; give all values at once.");
        return Running = new RunningStatistics(this, newWeight,
            [.. values.Select(value => Parameter(value.Name, value.Initial, trainable: false))], factor);
    }

    internal void NoticeHalfFrozen()
    {
        if (Weight is { IsTrainable: true } || Bias is { IsTrainable: true }) return;
        if (noticedHalfFrozen || IsFrozen || Affine is null || Affine.State.Count == 0 || Affine.Parameters.Count > 0)
            return;
        noticedHalfFrozen = true;
        Notices.Raise($"{(Path == "" ? "" : $"{Path}: ")}{GetType().Name}: gamma and beta are frozen, but the running "
            + "statistics go on following the batches, and training normalizes by them. Freeze all of it by IsFrozen = "
            + "true.");
    }

    private void NoticeSingleElements(Shape x)
    {
        // Whoever shares the batch does so in training.
        if (noticed || S.Geometry(x).SetSize > 1 || (S.Batch && !IsLearning)) return;
        noticed = true;
        Notices.Raise($"{(Path == "" ? "" : $"{Path}: ")}{GetType().Name}: with the input {x} each set that shares a "
            + $"mean has one element, so {(S.IsCentered ? "the output is beta, whatever the input"
                : "of each element nearly its sign alone is left")}. Remedies: "
            + $"{(S.Batch ? "a larger batch" : "fewer groups")}, or a normalization "
            + "whose sets are larger (channels of a sample, positions), or none here.");
    }
}
