using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>
/// Adam (Kingma and Ba, 2015): with g' = g + decay p, running means m of g' and v of g'^2, and both divided by what
/// they lack at step t,
/// <code>
/// m = b1 m + (1 - b1) g'        v = b2 v + (1 - b2) g'^2
/// p = p - rate (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)
/// </code>
/// As in PyTorch, eps stands outside the root, and weight decay is part of the gradient; <see cref="AdamW"/> keeps it
/// apart. A float holds the squares of gradients up to 1e19: a step with larger ones is refused as one with infinite
/// ones is. It loses those of gradients below 1e-19, which do no harm beside an eps of 1e-16 or more.
/// </summary>
public class Adam : Optimizer
{
    private readonly double beta1, beta2, eps;
    private readonly bool decaysApart;

    /// <summary>Adapts all parameters alike.</summary>
    public Adam(IEnumerable<Parameter> parameters, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8,
        double weightDecay = 0)
        : this([new ParameterGroup([.. parameters], weightDecay)], beta1, beta2, eps) { }

    /// <summary>Adapts groups of parameters.</summary>
    public Adam(IReadOnlyList<ParameterGroup> groups, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8)
        : this(groups, beta1, beta2, eps, decaysApart: false) { }

    private protected Adam(IReadOnlyList<ParameterGroup> groups, double beta1, double beta2, double eps,
        bool decaysApart) : base(groups)
    {
        if (!(beta1 is >= 0 and < 1) || !(beta2 is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(beta1), $"({beta1}, {beta2})", "both betas lie in [0, 1).");
        if (!(eps is 0 or >= 1e-16 && double.IsFinite(eps)))
            throw new ArgumentOutOfRangeException(nameof(eps), eps,
                "eps is at least 1e-16, or 0: below, squares of gradients that a float "
                + "cannot hold would decide how long a step is.");
        (this.beta1, this.beta2, this.eps, this.decaysApart) = (beta1, beta2, eps, decaysApart);
    }

    /// <inheritdoc/>
    protected override (Parameter? First, Parameter? Second) CreateState(Parameter parameter) =>
        (Zeros(parameter, "mean"), Zeros(parameter, "mean_square"));

    /// <inheritdoc/>
    protected override void Update(UpdateTarget target, ParameterGroup group, double rate, long updates)
    {
        var (corrected, correction) = (rate / (1 - Math.Pow(beta1, updates)), 1 / (1 - Math.Pow(beta2, updates)));
        var (inGradient, apart) = decaysApart ? (0.0, rate * group.WeightDecay) : (group.WeightDecay, 0.0);
        target.Apply(new Adaptation(corrected, correction, beta1, beta2, eps, inGradient, 1 - apart));
    }

    internal readonly struct Adaptation(double rate, double correction, double beta1, double beta2, double eps,
        double decay, double shrinking)
        : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T mean, ref T square) where T : struct, IReal<T>
        {
            var g = T.FusedMultiplyAdd(T.Of(decay), parameter, gradient);
            parameter *= T.Of(shrinking);
            mean = T.FusedMultiplyAdd(T.Of(beta1), mean, T.Of(1 - beta1) * g);
            square = T.FusedMultiplyAdd(T.Of(beta2), square, T.Of(1 - beta2) * g * g);
            var root = T.Sqrt(square * T.Of(correction));
            // root - root is 0, or NaN where the corrected square is beyond all numbers: that step is refused, not
            // silently 0.
            parameter -= T.Of(rate) * mean / (root + (T.Of(eps) + (root - root)));
        }
    }
}
