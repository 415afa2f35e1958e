namespace Tapegrad.Layers;

/// <summary>
/// The positions of all samples share, each channel for itself (Ioffe and Szegedy, 2015). In training x^ is taken over
/// the batch, whose moments are proposed to the tape; the optimizer's step commits them: running = (1 - w) running + w
/// moment. In evaluation x^ = (x - running mean) / sqrt(running variance + eps).
/// </summary>
public sealed class BatchNorm : Normalization
{
    private readonly RunningStatistics running;

    /// <summary>A batch normalization; PyTorch's conventions when none are given.</summary>
    public BatchNorm(int channels, BatchNormConvention? convention = null, bool affine = true)
        : base(channels, new Sharing(Batch: true, Positions: true, Groups: channels),
            (convention ?? BatchNormConvention.PyTorch).Eps, affine)
    {
        Convention = convention ?? BatchNormConvention.PyTorch;
        var shape = new Shape(channels);
        running = Remember(Convention.NewWeight,
            [("running_mean", Tensor.Zeros(shape)), ("running_var", Tensor.Ones(shape))],
            (index, pending) => index == 0 ? 1 : Convention.VarianceFactor(((Moments)pending).Count));
    }

    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("batch, batch:keras, batch:flax or batch:fast",
        name => BatchNormConvention.Named(name) is { } convention ? channels =>
        new BatchNorm(channels, convention) : null)
    {
        Examples = ["batch", "batch:keras", "batch:flax", "batch:fast"],
        Formula = "(x - mean) / sqrt(variance + eps) over all samples and positions, for each channel; in evaluation "
            + "by running statistics",
        Paper = "Ioffe and Szegedy, 2015, arXiv:1502.03167",
        DisobeyedLaws = ["BatchIndependence"],
    };

    /// <summary>eps, the weight of a new batch, and which variance is kept.</summary>
    public BatchNormConvention Convention { get; }

    /// <summary>What evaluation subtracts, [C]; 0 before the first step.</summary>
    public Parameter RunningMean => running.Values[0];

    /// <summary>What evaluation divides by the root of, [C]; 1 before the first step.</summary>
    public Parameter RunningVariance => running.Values[1];

    /// <inheritdoc/>
    public override string Variant => Convention.Name;

    /// <inheritdoc/>
    public override string Settings => $"{base.Settings}, {Convention}";

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x, Tensor? gamma, Tensor? beta, Tensor? residual, bool relu)
    {
        if (!IsLearning) return x.Normalize(running[0], running[1], Eps, gamma, beta, residual, relu);
        var y = x.Normalize(S, Eps, out var moments, gamma, beta, residual, relu);
        if (moments is not null) running.Propose(moments);
        return y;
    }
}
