namespace Tapegrad.Optimizers;

/// <summary>
/// Slow weights behind those that an optimizer moves (Zhang, Lucas, Hinton and Ba, "Lookahead optimizer", 2019), which
/// move ever more slowly: after every fifth of T steps, t of them being done,
/// <code>
/// slow = slow + (1 - d) (fast - slow),   fast = slow,   d = 0.95^5 (t / T)^3
/// </code>
/// and after the last step the slow weights are the model's. So the first steps are hardly held back, and the last ones
/// are averaged (Jordan, 2024, arXiv:2404.00498). Running statistics go along. In fewer than five steps no slow weight
/// moves, and the model keeps its own.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
public sealed class Lookahead
{
    private const int Every = 5;
    private const double LastDecay = 0.95;   // what of the slow weights stays in one step, near the end

    private readonly (Parameter Fast, Parameter Slow)[] pairs;
    private readonly int steps;

    /// <summary>Begins with the values as they are.</summary>
    /// <param name="values">Give it a module's <c>State</c>: its parameters and running statistics.</param>
    /// <param name="steps">T, all steps of the run.</param>
    public Lookahead(IEnumerable<Parameter> values, int steps)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(steps, 1);
        this.steps = steps;
        pairs = [.. values.Select(value =>
            (value, new Parameter($"{value.Name}.slow", value.Value, trainable: false)))];
    }

    /// <summary>
    /// The slow weights, each called after its value: <c>conv1.weight.slow</c>. With the step, what the next ones
    /// depend on.
    /// </summary>
    public IReadOnlyList<Parameter> State => [.. pairs.Select(pair => pair.Slow)];

    /// <summary>Changes the weights, where it is time to, after an optimizer's step.</summary>
    /// <param name="step">The number of that step, from 0.</param>
    public void Update(int step)
    {
        var done = step + 1;
        var (isTime, isLast) = (done % Every == 0, done == steps && steps > Every);
        if (!isTime && !isLast) return;
        var share = 1 - Math.Pow(LastDecay, Every) * Math.Pow((double)done / steps, 3);
        foreach (var (fast, slow) in pairs)
        {
            if (isTime) slow.Update(new AveragedWeights.Approach(share), fast.Value);
            fast.Value = slow.Value;
        }
    }
}
