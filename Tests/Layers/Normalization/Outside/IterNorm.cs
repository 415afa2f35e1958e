using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Iterative whitening over the batch and its positions (Huang, Zhou, Zhu, Liu and Shao, 2019, arXiv:1904.03441): all
/// channels are made uncorrelated.
/// <code>
/// x^ = (x - mean) S^(-1/2)        S = covariance of the channels + eps I, [C, C]
/// P_0 = I,  P_k = (3 P - P^3 S / tr S) / 2,  S^(-1/2) = P_T / sqrt(tr S),  T = 5
/// </code>
/// In evaluation by running mean and covariance.
/// </summary>
public sealed class IterNorm : Norm
{
    private readonly RunningStatistics running;

    public IterNorm(int channels) : base(channels, new Sharing(Batch: true, Positions: true, channels)) =>
        running = Remember(0.1,
        [("running_mean", Tensor.Zeros(new Shape(channels))), ("running_cov", Identity(channels))]);

    public static NormalizationInfo Info { get; } = new("iter", name => name == "iter" ? channels =>
        new IterNorm(channels) : null)
    {
        Examples = ["iter"],
        Formula = "(x - mean) S^(-1/2) by five steps of Newton",
        Paper = "Huang, Zhou, Zhu, Liu and Shao, 2019, arXiv:1904.03441",
        DisobeyedLaws = ["BatchIndependence"],
    };

    public override string Variant => "iter";

    protected override Tensor Normalize(Tensor x)
    {
        var rows = S.Center(x).Reshape(-1, Channels);
        if (!IsLearning)
            return ((x - running[0]).Reshape(-1, Channels).MatrixProduct(Root(running[1]))).Reshape(x.Shape);
        var covariance = rows.MatrixProduct(rows, transposeA: true) * (1.0 / rows.Shape[0]);
        running.Propose(new Covariances(rows.Shape[0], S.Mean(x).Reshape(Channels), covariance));
        return rows.MatrixProduct(Root(covariance)).Reshape(x.Shape);
    }

    // S^(-1/2) of a covariance.
    private Tensor Root(Tensor covariance)
    {
        var identity = Identity(Channels);
        var s = covariance + Eps * identity;
        var trace = (s * identity).Sum();
        var p = identity;
        for (var step = 0; step < 5; step++)
            p = 1.5 * p - 0.5 * p.MatrixProduct(p).MatrixProduct(p).MatrixProduct(s / trace);
        return p / trace.Sqrt();
    }

    private static Tensor Identity(int n) =>
        Tensor.From([.. Enumerable.Range(0, n * n).Select(i => i % (n + 1) == 0 ? 1.0 : 0)], new Shape(n, n));

    /// <summary>A mean and a covariance, pooled exactly as a mean and a variance are.</summary>
    public sealed record Covariances(long Count, Tensor Mean, Tensor Covariance) : IPendingStatistics
    {
        public IReadOnlyList<Tensor> Tensors => [Mean, Covariance];

        public IPendingStatistics With(IReadOnlyList<Tensor> tensors) => new Covariances(Count, tensors[0], tensors[1]);

        public IPendingStatistics Pool(IPendingStatistics other)
        {
            var (a, b) = (this, (Covariances)other);
            var (p, q) = ((double)a.Count / (a.Count + b.Count), (double)b.Count / (a.Count + b.Count));
            var difference = b.Mean - a.Mean;
            var between = difference.Reshape(-1, 1).MatrixProduct(difference.Reshape(1, -1));
            return new Covariances(a.Count + b.Count, a.Mean + difference * q, a.Covariance * p + b.Covariance * q
                + between * (p * q));
        }
    }
}
