using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// Batch normalization by its formula, each part of which can be replaced by a wrong one, on one device or on both.
/// </summary>
internal sealed class Running : Module, IStatistics
{
    private const double Eps = 1e-5;

    private readonly Parameter mean, variance;

    public Running(int channels)
    {
        mean = Parameter("running_mean", Tensor.Zeros(new Shape(channels)), trainable: false);
        variance = Parameter("running_var", Tensor.Ones(new Shape(channels)), trainable: false);
    }

    /// <summary>Where the parts are wrong; everywhere when null.</summary>
    public Device? Device { get; set; }

    /// <summary>The weight of a new batch.</summary>
    public double New { get; init; } = 0.1;

    public Func<Running, Tensor, Tensor>? Evaluate { get; init; }

    public Action<Running, Moments>? InTraining { get; init; }

    public Func<Moments, Moments>? Propose { get; init; }

    public Tensor Mean => mean.Value;

    public Tensor Variance => variance.Value;

    string IStatistics.Name => "running";

    void IStatistics.Commit(IPendingStatistics pending) => Commit((Moments)pending);

    public Tensor Right(Tensor x) => (x - mean) / (variance.Value + Eps).Sqrt();

    public void Commit(Moments moments)
    {
        using var _ = new Scope();
        mean.Value = mean.Value * (1 - New) + moments.Mean * New;
        variance.Value = variance.Value * (1 - New) + moments.Variance * New;
    }

    protected override Tensor Forward(Tensor x)
    {
        if (x.Count == 0) return x;
        var isWrong = Device is null || Device == x.Device;
        if (Tape.Current is not { IsTraining: true } tape)
            return isWrong && Evaluate is not null ? Evaluate(this, x) : Right(x);
        var sharing = new Sharing(Batch: true, Positions: true, Groups: x.Shape[-1]);
        var moments = sharing.Moments(x);
        if (isWrong) InTraining?.Invoke(this, moments);
        tape.Propose(this, isWrong && Propose is not null ? Propose(moments) : moments);
        return sharing.Center(x) / (sharing.Variance(x) + Eps).Sqrt();
    }
}
