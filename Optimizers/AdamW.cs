namespace Tapegrad.Optimizers;

/// <summary>
/// Adam with weight decay apart from the gradient (Loshchilov and Hutter, 2019): every step first shrinks the
/// parameter,
/// <code>p = (1 - rate decay) p</code>
/// then adapts it by the gradient alone, as <see cref="Adam"/> without decay does. So a parameter with large gradients
/// decays no slower than another one.
/// </summary>
public sealed class AdamW : Adam
{
    /// <summary>Adapts all parameters alike.</summary>
    public AdamW(IEnumerable<Parameter> parameters, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
        double weightDecay = 0.01)
        : this([new ParameterGroup([.. parameters], weightDecay)], beta1, beta2, eps) { }

    /// <summary>Adapts groups of parameters.</summary>
    public AdamW(IReadOnlyList<ParameterGroup> groups, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8)
        : base(groups, beta1, beta2, eps, decaysApart: true) { }
}
