namespace Tapegrad.Optimizers;

/// <summary>
/// A learning rate for each step, counted from 0: a pure function, so resuming needs only the step. Every schedule may begin with
/// a linear warm-up over a share of the steps: there the rate is (step + 1) / warmup of its base.
/// </summary>
/// <remarks>An immutable value; thread-safe.</remarks>
public sealed class LearningRate
{
    private readonly Func<int, double> schedule;

    private LearningRate(Func<int, double> schedule) => this.schedule = schedule;

    /// <summary>The rate of a step.</summary>
    public double this[int step]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfNegative(step);
            return schedule(step);
        }
    }

    /// <summary>The same rate always, after the warm-up.</summary>
    /// <param name="rate">The rate.</param>
    /// <param name="steps">All steps of the run, of which the warm-up is a share.</param>
    /// <param name="warmup">From 0 to 1.</param>
    public static LearningRate Constant(double rate, int steps = 1, double warmup = 0) =>
        WarmUp(rate, steps, warmup, (_, _) => rate);

    /// <summary>The rate times <paramref name="factor"/> for each milestone that is reached.</summary>
    /// <param name="rate">The rate before the first milestone.</param>
    /// <param name="milestones">Steps, rising.</param>
    /// <param name="factor">What a milestone multiplies by.</param>
    /// <param name="steps">All steps of the run, of which the warm-up is a share.</param>
    /// <param name="warmup">From 0 to 1.</param>
    public static LearningRate MultiStep(double rate, IReadOnlyList<int> milestones, double factor = 0.1, int steps = 1,
        double warmup = 0) =>
        WarmUp(rate, steps, warmup, (step, _) => rate * Math.Pow(factor, milestones.Count(m => m <= step)));

    /// <summary>Half a cosine from the rate down to 0 at the last step (Loshchilov and Hutter, 2017).</summary>
    /// <param name="rate">The highest rate.</param>
    /// <param name="steps">All steps of the run.</param>
    /// <param name="warmup">The share of the steps, from 0 to 1, in which the rate rises.</param>
    public static LearningRate Cosine(double rate, int steps, double warmup = 0) => WarmUp(rate, steps, warmup,
        (step, warm) => steps <= warm ? rate : rate * HalfCosine(Math.Min(1, (double)(step - warm) / (steps - warm))));

    // From 1 at 0 down to 0 at 1.
    private static double HalfCosine(double share) => 0.5 * (1 + Math.Cos(Math.PI * share));

    private static LearningRate WarmUp(double rate, int steps, double warmup, Func<int, int, double> after)
    {
        if (!double.IsFinite(rate) || rate < 0)
            throw new ArgumentOutOfRangeException(nameof(rate), rate, "a learning rate is a finite number, 0 or above.");
        if (steps < 1) throw new ArgumentOutOfRangeException(nameof(steps), steps, "a run has at least one step.");
        if (!(warmup is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(warmup), warmup, "the warm-up is a share of the steps, from 0 to 1.");
        var warm = warmup == 0 ? 0 : Math.Max(1, (int)(warmup * steps));
        return new LearningRate(step => step < warm ? rate * (step + 1) / warm : after(step, warm));
    }
}
