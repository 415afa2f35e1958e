namespace Tapegrad.Optimizers;

/// <summary>
/// A learning rate for each step, counted from 0: a pure function, so resuming needs only the step. Every schedule may
/// begin with a linear warm-up over a share of the steps: there the rate is (step + 1) / warmup of its base.
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
    /// <param name="steps">All steps of the run, of which the warm-up is a share; needed for a warm-up alone.</param>
    /// <param name="warmup">From 0 to 1.</param>
    public static LearningRate Constant(double rate, int? steps = null, double warmup = 0) =>
        WarmUp(rate, steps, warmup, (_, _) => rate);

    /// <summary>The rate times <paramref name="factor"/> for each milestone that is reached.</summary>
    /// <param name="rate">The rate before the first milestone.</param>
    /// <param name="milestones">Steps, rising.</param>
    /// <param name="factor">What a milestone multiplies by.</param>
    /// <param name="steps">All steps of the run, of which the warm-up is a share; needed for a warm-up alone.</param>
    /// <param name="warmup">From 0 to 1.</param>
    public static LearningRate MultiStep(double rate, IReadOnlyList<int> milestones, double factor = 0.1,
        int? steps = null, double warmup = 0) =>
        WarmUp(rate, steps, warmup, (step, _) => rate * Math.Pow(factor, milestones.Count(m => m <= step)));

    /// <summary>
    /// Half a cosine from the rate down to 0, which it would reach one step after the last (Loshchilov and Hutter,
    /// 2017).
    /// </summary>
    /// <param name="rate">The highest rate.</param>
    /// <param name="steps">All steps of the run.</param>
    /// <param name="warmup">The share of the steps, from 0 to 1, in which the rate rises.</param>
    public static LearningRate Cosine(double rate, int steps, double warmup = 0) => WarmUp(rate, steps, warmup,
        (step, warm) => steps <= warm ? rate : rate * HalfCosine(Math.Min(1, (double)(step - warm) / (steps - warm))));

    /// <summary>
    /// One cycle (Smith and Topin, 2019), as PyTorch counts it: half a cosine from rate / 25 up to the rate, then half
    /// a cosine down to rate / 250000 at the last step.
    /// </summary>
    /// <param name="rate">The highest rate.</param>
    /// <param name="steps">All steps of the run.</param>
    /// <param name="rise">The share of the steps, from 0 to 1, in which the rate rises.</param>
    public static LearningRate OneCycle(double rate, int steps, double rise = 0.3)
    {
        if (!(rise is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(rise), rise, "the rise is a share of the steps, from 0 to 1.");
        var (first, last, top) = (rate / 25, rate / 25 / 1e4, rise * steps - 1);
        return WarmUp(rate, steps, 0, (step, _) => step <= top
            ? rate + (first - rate) * HalfCosine(top > 0 ? step / top : 1)
            : last + (rate - last) * HalfCosine(Math.Min(1, (step - top) / (steps - 1 - top))));
    }

    /// <summary>
    /// A triangle: in straight lines from a fifth of the rate up to the rate, and down to 0.07 of it, which it would
    /// reach one step after the last (Jordan, 2024, arXiv:2404.00498).
    /// </summary>
    /// <param name="rate">The highest rate.</param>
    /// <param name="steps">All steps of the run.</param>
    /// <param name="rise">The share of the steps, from 0 to 1, in which the rate rises.</param>
    public static LearningRate Triangular(double rate, int steps, double rise = 0.23)
    {
        const double first = 0.2, last = 0.07;
        if (!(rise is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(rise), rise, "the rise is a share of the steps, from 0 to 1.");
        var top = (int)(rise * steps);
        return WarmUp(rate, steps, 0, (step, _) => rate * (step < top ? first + (1 - first) * step / top
            : steps > top ? 1 + (last - 1) * Math.Min(1, (double)(step - top) / (steps - top)) : 1));
    }

    // From 1 at 0 down to 0 at 1.
    private static double HalfCosine(double share) => 0.5 * (1 + Math.Cos(Math.PI * share));

    private static LearningRate WarmUp(double rate, int? steps, double warmup, Func<int, int, double> after)
    {
        if (!double.IsFinite(rate) || rate < 0)
            throw new ArgumentOutOfRangeException(nameof(rate), rate,
                "a learning rate is a finite number, 0 or above.");
        if (steps < 1) throw new ArgumentOutOfRangeException(nameof(steps), steps, "a run has at least one step.");
        if (!(warmup is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(warmup), warmup,
                "the warm-up is a share of the steps, from 0 to 1.");
        var warm = warmup == 0 ? 0 : Math.Max(1, (int)(warmup * (steps ?? throw new ArgumentNullException(nameof(steps),
            "the warm-up is a share of the steps of the run: say how many those are."))));
        return new LearningRate(step => step < warm ? rate * (step + 1) / warm : after(step, warm));
    }
}
