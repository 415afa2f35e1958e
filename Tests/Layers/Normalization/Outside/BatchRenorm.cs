using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Batch renormalization (Ioffe, 2017, arXiv:1702.03275): training sees what evaluation will see, as far as the bounds
/// allow.
/// <code>
/// x^ = (x - mean)/s r + d,   r = clip(s / running s, 1 / rmax, rmax),  d = clip((mean - running mean) / running s, -dmax, dmax)
/// </code>
/// with s = sqrt(variance + eps); r and d pass no gradient. Before the first step they are 1 and 0.
/// </summary>
public sealed class BatchRenorm : Norm
{
    private readonly RunningStatistics running;

    public BatchRenorm(int channels, double rmax = 3, double dmax = 5)
        : base(channels, new Sharing(Batch: true, Positions: true, channels))
    {
        (RMax, DMax) = (rmax, dmax);
        var shape = new Shape(channels);
        running = Remember(0.1, [("running_mean", Tensor.Zeros(shape)), ("running_var", Tensor.Ones(shape))]);
    }

    public static NormalizationInfo Info { get; } = new("renorm", name => name == "renorm" ? channels =>
        new BatchRenorm(channels) : null)
    {
        Examples = ["renorm"],
        Formula = "(x - mean)/s r + d, r = clip(s / running s), d = clip((mean - running mean) / running s)",
        Paper = "Ioffe, 2017, arXiv:1702.03275",
        DisobeyedLaws = ["BatchIndependence"],
    };

    public double RMax { get; }

    public double DMax { get; }

    public override string Variant => "renorm";

    public override string Settings => FormattableString.Invariant($"{base.Settings}, rmax {RMax}, dmax {DMax}");

    protected override Tensor Normalize(Tensor x)
    {
        if (!IsLearning) return x.Normalize(running[0], running[1], Eps);
        var y = x.Normalize(S, Eps, out var moments);
        if (moments is null) return y;
        if (running.Count > 0)
        {
            var (s, known) = ((moments.Variance + Eps).Sqrt(), (running[1] + Eps).Sqrt());
            y = y * (s / known).Clamp(1 / RMax, RMax).StopGradient() + ((moments.Mean - running[0]) / known)
                .Clamp(-DMax, DMax).StopGradient();
        }
        running.Propose(moments);
        return y;
    }
}
