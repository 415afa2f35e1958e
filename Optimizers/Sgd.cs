using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>
/// Stochastic gradient descent with momentum, as PyTorch defines it: with g' = g + decay p and velocity v, starting at
/// 0,
/// <code>
/// v = momentum v + g'
/// p = p - rate v                     or with Nesterov's look-ahead     p = p - rate (g' + momentum v)
/// </code>
/// The rate multiplies the velocity, not the gradient that enters it. (Sutskever, Martens, Dahl and Hinton, 2013.)
/// </summary>
public sealed class Sgd : Optimizer
{
    private readonly double momentum;
    private readonly bool nesterov;

    /// <summary>Descends on all parameters alike.</summary>
    public Sgd(IEnumerable<Parameter> parameters, double momentum = 0, double weightDecay = 0, bool nesterov = false)
        : this([new ParameterGroup([.. parameters], weightDecay)], momentum, nesterov) { }

    /// <summary>Descends on groups of parameters.</summary>
    public Sgd(IReadOnlyList<ParameterGroup> groups, double momentum = 0, bool nesterov = false) : base(groups)
    {
        if (!(momentum is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(momentum), momentum, "the momentum lies in [0, 1).");
        if (nesterov && momentum == 0)
            throw new ArgumentException("Nesterov's look-ahead needs a momentum above 0.", nameof(nesterov));
        (this.momentum, this.nesterov) = (momentum, nesterov);
    }

    /// <inheritdoc/>
    protected override (Parameter? First, Parameter? Second) CreateState(Parameter parameter) =>
        (momentum > 0 ? Zeros(parameter, "velocity") : null, null);

    /// <inheritdoc/>
    protected override void Update(UpdateTarget target, ParameterGroup group, double rate, long updates) =>
        target.Apply(new Descent(rate, momentum, group.WeightDecay, nesterov ? 1 : 0));

    internal readonly struct Descent(double rate, double momentum, double decay, int nesterov) : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T velocity, ref T unused) where T : struct, IReal<T>
        {
            var g = T.FusedMultiplyAdd(T.Of(decay), parameter, gradient);
            velocity = momentum == 0 ? g : T.FusedMultiplyAdd(T.Of(momentum), velocity, g);
            var step = nesterov != 0 ? T.FusedMultiplyAdd(T.Of(momentum), velocity, g) : velocity;
            parameter = T.FusedMultiplyAdd(T.Of(-rate), step, parameter);
        }
    }
}
