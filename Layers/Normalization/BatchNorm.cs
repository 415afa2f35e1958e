namespace Tapegrad.Layers;

/// <summary>
/// The positions of all samples share, each channel for itself (Ioffe and Szegedy, 2015). In training x^ is taken over the batch, whose
/// moments are proposed to the tape; the optimizer's step commits them: running = (1 - w) running + w moment. In evaluation x^ = (x -
/// running mean) / sqrt(running variance + eps).
/// </summary>
public sealed class BatchNorm : Normalization, IStatistics
{
    private bool hasStatistics;

    /// <summary>A batch normalization; PyTorch's conventions when none are given.</summary>
    public BatchNorm(int channels, BatchNormConvention? convention = null, bool affine = true)
        : base(channels, new Sharing(Batch: true, Positions: true, Groups: channels), (convention ?? BatchNormConvention.PyTorch).Eps, affine)
    {
        Convention = convention ?? BatchNormConvention.PyTorch;
        RunningMean = Parameter("running_mean", Tensor.Zeros(new Shape(channels)), trainable: false);
        RunningVariance = Parameter("running_var", Tensor.Ones(new Shape(channels)), trainable: false);
    }

    /// <summary>How <see cref="Normalizations"/> finds it.</summary>
    public static NormalizationInfo Info { get; } = new("batch, batch:keras or batch:flax", "x^ over the positions of a batch's channel",
        "arXiv:1502.03167", name => BatchNormConvention.Named(name) is { } convention ? channels => new BatchNorm(channels, convention) : null);

    /// <summary>eps, the weight of a new batch, and which variance is kept.</summary>
    public BatchNormConvention Convention { get; }

    /// <summary>What evaluation subtracts, [C]; 0 before the first step.</summary>
    public Parameter RunningMean { get; }

    /// <summary>What evaluation divides by, [C]; 1 before the first step.</summary>
    public Parameter RunningVariance { get; }

    /// <inheritdoc/>
    public override string Variant => Convention.Name;

    /// <inheritdoc/>
    public override string Settings => $"{base.Settings}, {Convention}";

    string IStatistics.Name => Path == "" ? nameof(BatchNorm) : Path;

    /// <inheritdoc/>
    protected override Tensor Normalize(Tensor x)
    {
        if (Tape.Current is not { IsTraining: true } tape) return (x - Statistics(RunningMean)) / (Statistics(RunningVariance) + Eps).Sqrt();
        var normalized = x.Normalize(S, Eps, out var moments);
        if (moments is not null) tape.Propose(this, moments);
        return normalized;
    }

    void IStatistics.Commit(Moments moments)
    {
        var (count, mean, variance) = moments;
        Blend(RunningMean, mean);
        if (count > 1)   // one element has no variance
            Blend(RunningVariance, Convention.Unbiased ? variance * ((double)count / (count - 1)) : variance);
        hasStatistics = true;

        void Blend(Parameter running, Tensor moment) => running.Value = running.Value * (1 - Convention.NewWeight) + moment * Convention.NewWeight;
    }

    // Statistics that were loaded or set by hand differ from those that every layer starts with.
    private Tensor Statistics(Parameter running)
    {
        hasStatistics = hasStatistics || RunningMean.Value.ToDoubles().Any(mean => mean != 0)
            || RunningVariance.Value.ToDoubles().Any(variance => variance != 1);
        return hasStatistics ? running.Value : throw new InvalidOperationException($"{LayerContext.Current}: BatchNorm cannot evaluate: it has "
            + "no running statistics yet. They are committed by an optimizer's step (a hand-written update calls gradients.CommitStatistics()), "
            + "or loaded from a file.");
    }
}
