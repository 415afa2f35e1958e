using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>What a step does with a gradient, or with batch statistics, that are not finite.</summary>
public enum NonFinite
{
    /// <summary>Throws and names the parameter or the layer. Nothing has changed.</summary>
    Throw,
    /// <summary>Changes nothing, and the step returns false.</summary>
    Skip,
}

/// <summary>Parameters that are updated alike.</summary>
/// <param name="Parameters">The parameters.</param>
/// <param name="WeightDecay">The multiple of a parameter that is added to its gradient; <see cref="AdamW"/> takes it,
/// times the rate, from the parameter.</param>
/// <param name="RateFactor">Multiplies the learning rate.</param>
public sealed record ParameterGroup(IReadOnlyList<Parameter> Parameters, double WeightDecay = 0, double RateFactor = 1)
{
    /// <summary>
    /// Two groups: parameters of several axes with weight decay, and gamma, beta and biases (at most one axis) without.
    /// </summary>
    public static ParameterGroup[] DecayWeightsOnly(IEnumerable<Parameter> parameters, double weightDecay)
    {
        var all = parameters.ToArray();
        return [new([.. all.Where(p => p.Shape.Rank > 1)], weightDecay), new([.. all.Where(p => p.Shape.Rank <= 1)])];
    }

    /// <summary>
    /// Two groups: the others of this one as they are, and some of it whose rate is multiplied. Their weight decay is
    /// divided, so that the product of both stays, which with <see cref="Sgd"/> and <see cref="AdamW"/> is what decays
    /// in a step; <see cref="Adam"/>'s steps do not have the length of what decays.
    /// </summary>
    /// <param name="some">Those; which of them are in another group does not matter.</param>
    /// <param name="factor">Above 0.</param>
    public ParameterGroup[] WithRateOf(IEnumerable<Parameter> some, double factor)
    {
        if (!(factor > 0 && double.IsFinite(factor)))
            throw new ArgumentOutOfRangeException(nameof(factor), factor, "the factor of a rate is a number above 0.");
        var chosen = some.ToHashSet();
        return
        [
            this with { Parameters = [.. Parameters.Where(parameter => !chosen.Contains(parameter))] },
            new([.. Parameters.Where(chosen.Contains)], WeightDecay / factor, RateFactor * factor),
        ];
    }
}

/// <summary>
/// Updates parameters in place from gradients. A step commits the gradients and the running statistics that came with
/// them together, or neither.
/// </summary>
/// <remarks>Parameters that the loss was not computed from stay as they are. Not thread-safe.</remarks>
public abstract class Optimizer
{
    private readonly Dictionary<Parameter, UpdateTarget> targets = [];
    private bool noticedStrangers;

    /// <summary>An optimizer of groups that do not overlap.</summary>
    /// <exception cref="ArgumentException">There is no parameter, or one is in two groups; or a weight decay, or the
    /// factor of a rate, is below 0 or not finite.</exception>
    protected Optimizer(IReadOnlyList<ParameterGroup> groups)
    {
        Groups = groups;
        foreach (var group in groups)
        {
            CheckNumber(nameof(groups), group.WeightDecay, "a weight decay");
            CheckNumber(nameof(groups), group.RateFactor, "the factor of a rate");
        }
        var seen = new HashSet<Parameter>();
        foreach (var parameter in AllParameters)
            if (!seen.Add(parameter))
                throw new ArgumentException($"the parameter {parameter.Name} is given twice.", nameof(groups));
        if (seen.Count == 0) throw new ArgumentException("there is no parameter to optimize.", nameof(groups));
    }

    /// <summary>The parameters, and how each is treated.</summary>
    public IReadOnlyList<ParameterGroup> Groups { get; }

    /// <summary>What to do when something is not finite; an error unless set.</summary>
    public NonFinite OnNonFinite { get; init; } = NonFinite.Throw;

    /// <summary>
    /// Nobody takes as many steps. A counter that a file puts near the largest number of its type would run over.
    /// </summary>
    public const long MostSteps = 1_000_000_000_000_000;

    /// <summary>How many steps were taken.</summary>
    public long Steps { get; private set; }

    /// <summary>
    /// All numbers that are remembered between steps, in the order of the parameters, each called after its own:
    /// <c>conv1.weight.velocity</c>. With the parameters and the <see cref="Counters"/> they determine every step to
    /// come.
    /// </summary>
    public IReadOnlyList<Parameter> State =>
        [.. AllParameters.Select(TargetOf).SelectMany(target => (Parameter?[])[target.First, target.Second])
            .OfType<Parameter>()];

    /// <summary>
    /// The steps that were taken, then how often each parameter was updated. Set them to go on where another optimizer
    /// of its kind stopped.
    /// </summary>
    /// <exception cref="ArgumentException">They are those of other parameters, or no such numbers.</exception>
    public IReadOnlyList<long> Counters
    {
        get => [Steps, .. AllParameters.Select(parameter => TargetOf(parameter).Updates)];
        set
        {
            var parameters = AllParameters.ToArray();
            if (value.Count != parameters.Length + 1 || value.Any(count => count is < 0 or > MostSteps))
                throw new ArgumentException($"{value.Count} counters for {parameters.Length} parameters: there should "
                    + $"be one more, of numbers from 0 to {MostSteps}. They belong to another model or optimizer.",
                    nameof(value));
            Steps = value[0];
            foreach (var (parameter, updates) in parameters.Zip(value.Skip(1))) TargetOf(parameter).Updates = updates;
        }
    }

    private IEnumerable<Parameter> AllParameters => Groups.SelectMany(group => group.Parameters);

    /// <summary>Updates every parameter that has a gradient, and commits the running statistics.</summary>
    /// <param name="gradients">Used once.</param>
    /// <param name="rate">The learning rate: a finite number, 0 or above.</param>
    /// <returns>False when something was not finite, or would not have stayed so, and <see cref="OnNonFinite"/> says to
    /// skip.</returns>
    /// <exception cref="NonFiniteException">
    /// A gradient or a statistic is not finite, or what the step would leave would not be: the square of a finite
    /// gradient, for instance. The message names it. Nothing has changed.
    /// </exception>
    public bool Step(Gradients gradients, double rate)
    {
        CheckNumber(nameof(rate), rate, "a learning rate");
        if (FindNonFinite(gradients, rate) is { } found)
            return OnNonFinite == NonFinite.Skip ? false
                : throw new NonFiniteException($"{found}; the step was not taken. A lower learning rate, warm-up or "
                    + "clipping may help; Tape.Training(..., stopAtNonFinite: true) finds where it begins.");
        gradients.CommitStatistics();
        NoticeStrangers(gradients);
        Steps++;
        foreach (var (target, group) in TargetsOf(gradients))
        {
            Apply(target, group, rate);
            target.Updates++;
        }
        return true;
    }

    private static void CheckNumber(string parameter, double value, string what)
    {
        if (!double.IsFinite(value) || value < 0)
            throw new ArgumentOutOfRangeException(parameter, value, $"{what} is a finite number, 0 or above.");
    }

    private void Apply(UpdateTarget target, ParameterGroup group, double rate) =>
        Update(target, group, rate * group.RateFactor, target.Updates + 1);

    private IEnumerable<(UpdateTarget, ParameterGroup)> TargetsOf(Gradients gradients)
    {
        foreach (var group in Groups)
            foreach (var parameter in group.Parameters)
                if (parameter.IsTrainable && gradients.TryGet(parameter, out var gradient))
                    yield return (TargetOf(parameter).With(gradient), group);
    }

    // Each update looks ahead first, and each device is read once for what all of them saw: a step is taken whole or
    // not at all.
    private string? FindNonFinite(Gradients gradients, double rate)
    {
        using var scope = new Scope();
        var verdicts = new Verdicts();
        foreach (var (target, group) in TargetsOf(gradients))
            using (target.LookAhead(verdicts)) Apply(target, group, rate);
        gradients.LookAhead(verdicts, except: targets.ContainsKey);
        if (verdicts.AreGood()) return null;
        if (gradients.FindNonFinite() is { } found) return found;
        foreach (var (target, group) in TargetsOf(gradients))
        {
            var copy = target.Copy();
            Apply(copy, group, rate);
            if (copy.Describe() is { } lost) return lost;
        }
        throw new InvalidOperationException("an update looked ahead and saw a number that is not finite, but leaves "
            + "none.");
    }

    /// <summary>What is remembered of a parameter between steps; null for what is not needed.</summary>
    protected abstract (Parameter? First, Parameter? Second) CreateState(Parameter parameter);

    /// <summary>
    /// Updates one parameter and its state, by giving a formula to the target. It is called twice for each step: the
    /// first time to see whether everything would stay finite.
    /// </summary>
    /// <param name="target">The parameter, its gradient and its states; takes the formula.</param>
    /// <param name="group">How it is treated.</param>
    /// <param name="rate">The learning rate, times the group's factor.</param>
    /// <param name="updates">How often it was updated, this time included: a parameter may join later than
    /// others.</param>
    protected abstract void Update(UpdateTarget target, ParameterGroup group, double rate, long updates);

    // A layer that was not given to Child is neither in the model's parameters nor in its files, while the loss falls.
    private void NoticeStrangers(Gradients gradients)
    {
        if (noticedStrangers || gradients.Parameters.All(targets.ContainsKey)) return;
        var strangers = gradients.Parameters.Where(parameter => !targets.ContainsKey(parameter))
            .Select(parameter => $"{parameter.Name} {parameter.Shape}")
            .ToArray();
        noticedStrangers = true;
        Notices.Raise($"the loss was computed from {strangers.Length} trainable parameters that this optimizer does "
            + $"not update: {string.Join(", ", strangers.Take(5))}{(strangers.Length > 5 ? ", ..." : "")}. If they "
            + "belong to a layer of the model, that layer was not registered: in the constructor, give it to Child. A "
            + "layer that is not registered is not saved either.");
    }

    private UpdateTarget TargetOf(Parameter parameter)
    {
        if (targets.TryGetValue(parameter, out var target)) return target;
        var (first, second) = CreateState(parameter);
        return targets[parameter] = new UpdateTarget(parameter, first, second);
    }

    /// <summary>A state of zeros beside a parameter.</summary>
    protected static Parameter Zeros(Parameter parameter, string name)
    {
        using var device = Device.Use(parameter.Device);
        return new Parameter($"{parameter.Name}.{name}", Tensor.Zeros(parameter.Shape), trainable: false);
    }
}

/// <summary>
/// A parameter, its gradient, and what is remembered of it between steps: an optimizer's formula is applied to it.
/// </summary>
public sealed class UpdateTarget
{
    private Tensor? verdict;   // while it looks ahead

    internal UpdateTarget(Parameter parameter, Parameter? first, Parameter? second) =>
        (Parameter, First, Second) = (parameter, first, second);

    /// <summary>The parameter.</summary>
    public Parameter Parameter { get; }

    /// <summary>Its gradient in this step.</summary>
    public Tensor Gradient { get; private set; } = null!;   // every step gives one

    /// <summary>What is remembered of it; null for nothing.</summary>
    internal Parameter? First { get; }

    /// <summary>What is remembered of it beside <see cref="First"/>; null for nothing.</summary>
    internal Parameter? Second { get; }

    /// <summary>How often it was updated.</summary>
    internal long Updates { get; set; }

    /// <summary>Updates the parameter and up to two states in place, element by element.</summary>
    public void Apply<TUpdate>(TUpdate update) where TUpdate : struct, IUpdate
    {
        if (verdict is null) Parameter.Update(update, Gradient, First, Second);
        else Parameter.CheckUpdate(update, Gradient, First, Second, verdict);
    }

    internal UpdateTarget With(Tensor gradient)
    {
        Gradient = gradient;
        return this;
    }

    /// <summary>
    /// Until the result is disposed, updates change nothing: the verdict of the parameter's device, 0 until then,
    /// becomes NaN where one would leave a number that is not finite.
    /// </summary>
    internal LookingAhead LookAhead(Verdicts verdicts)
    {
        verdict = verdicts.Of(Parameter.Device);
        return new LookingAhead(this);
    }

    internal readonly struct LookingAhead(UpdateTarget target) : IDisposable
    {
        public void Dispose() => target.verdict = null;
    }

    /// <summary>The same with parameters of its own.</summary>
    internal UpdateTarget Copy()
    {
        static Parameter? Copy(Parameter? original) =>
            original is null ? null : new Parameter(original.Name, original.Value);
        return new UpdateTarget(Copy(Parameter)!, Copy(First), Copy(Second)) { Gradient = Gradient, Updates = Updates };
    }

    /// <summary>Says which number is not finite; null if all are.</summary>
    internal string? Describe()
    {
        foreach (var changed in (Parameter?[])[First, Second, Parameter])
            if (changed?.Value.ToDoubles() is { } numbers
                && Array.FindIndex(numbers, number => !double.IsFinite(number)) is var i and >= 0)
                return $"{changed.Name} {changed.Shape} would become {numbers[i]} at element {i}";
        return null;
    }
}
