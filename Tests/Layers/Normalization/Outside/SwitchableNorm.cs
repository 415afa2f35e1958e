using Tapegrad.Layers;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Statistics of three kinds, mixed by learned weights (Luo, Ren, Peng, Zhang and Li, 2018, arXiv:1806.10779):
/// <code>
/// x^ = (sum of w_k (x - mean_k)) / sqrt(sum of v_k variance_k + eps),    k of instance, layer, batch;   w, v = softmax of logits that are learned
/// </code>
/// In evaluation the batch's are running ones.
/// </summary>
public sealed class SwitchableNorm : Norm
{
    private readonly Sharing[] kinds;
    private readonly Parameter ofMeans, ofVariances;
    private readonly RunningStatistics running;

    public SwitchableNorm(int channels) : base(channels, new Sharing(Batch: true, Positions: true, channels))
    {
        kinds = [new(false, true, channels), new(false, true, 1), S];
        ofMeans = Parameter("mean_weight", Tensor.Zeros(new Shape(3)));
        ofVariances = Parameter("var_weight", Tensor.Zeros(new Shape(3)));
        var shape = new Shape(channels);
        running = Remember(0.1, [("running_mean", Tensor.Zeros(shape)), ("running_var", Tensor.Ones(shape))]);
    }

    public static NormalizationInfo Info { get; } = new("switchable", name => name == "switchable" ? channels =>
        new SwitchableNorm(channels) : null)
    {
        Examples = ["switchable"],
        Formula = "(x - sum w_k mean_k) / sqrt(sum v_k variance_k + eps)",
        Paper = "Luo, Ren, Peng, Zhang and Li, 2018, arXiv:1806.10779",
        DisobeyedLaws = ["BatchIndependence"],
    };

    public override string Variant => "switchable";

    protected override Tensor Normalize(Tensor x)
    {
        if (IsLearning) running.Propose(S.Moments(x));
        Tensor Centered(Sharing kind) => kind == S && !IsLearning ? x - running[0] : kind.Center(x);
        Tensor Variance(Sharing kind) => kind == S && !IsLearning ? running[1] : kind.Variance(x);
        return Mixed(ofMeans, Centered) / (Mixed(ofVariances, Variance) + Eps).Sqrt();
    }

    private Tensor Mixed(Tensor logits, Func<Sharing, Tensor> of)
    {
        var weights = logits.Reshape(1, 3).Softmax().Reshape(3);
        Tensor Term(int k) => weights.Slice(0, k, 1) * of(kinds[k]);
        return Term(0) + Term(1) + Term(2);
    }
}
