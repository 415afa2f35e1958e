namespace Tapegrad.Laws;

/// <summary>What is checked, by name: the first lines hold for operations, the others for normalizations. See
/// <see cref="LawOptions.Except"/>.</summary>
[Flags]
public enum Law
{
    /// <summary>No law.</summary>
    None = 0,

    /// <summary>
    /// It computes on every shape that was drawn, without an exception: one pixel, an empty batch, a prime number of
    /// channels.
    /// </summary>
    Computes = 1 << 0,

    /// <summary>
    /// The tape's derivatives are the limits of difference quotients: every order asked for, every choice of what
    /// varies and what is constant.
    /// </summary>
    Derivatives = 1 << 1,

    /// <summary>
    /// A gradient is the same whether or not the sweep is recorded: no kernel severs the graph, and every kernel means
    /// what its composite means.
    /// </summary>
    RecordedGradient = 1 << 2,

    /// <summary>The CPU device agrees with the reference device in value and in gradients.</summary>
    DevicesAgree = 1 << 3,

    /// <summary>The same bits on one, two and three threads.</summary>
    ThreadsAgree = 1 << 4,

    /// <summary>norm(x + c) = norm(x) for a number c.</summary>
    ShiftInvariance = 1 << 5,

    /// <summary>norm(a x) = sign(a) norm(x) as far as eps is small beside the variance.</summary>
    ScaleInvariance = 1 << 6,

    /// <summary>Equal numbers give beta exactly, and a finite gradient.</summary>
    ConstantInput = 1 << 7,

    /// <summary>
    /// A finite value and a finite gradient for numbers of every magnitude: 1e-15, 1e15, a mean ten thousand times the
    /// deviation.
    /// </summary>
    Magnitudes = 1 << 8,

    /// <summary>In training a sample has the same bits alone and in any batch.</summary>
    BatchIndependence = 1 << 9,

    /// <summary>Permuting the batch permutes the output.</summary>
    BatchPermutation = 1 << 10,

    /// <summary>Permuting the channels inside a group permutes the output.</summary>
    ChannelPermutation = 1 << 11,

    /// <summary>
    /// After many equal batches were committed, evaluation computes what training does on such a batch, as far as a
    /// variance of n elements is that with n - 1 in the denominator.
    /// </summary>
    EvaluationLimit = 1 << 12,

    /// <summary>In evaluation a sample has the same bits alone and in any batch.</summary>
    EvaluationIndependence = 1 << 17,

    /// <summary>
    /// The state changes when what training proposed is committed, and at no other time: not in training, not in
    /// evaluation.
    /// </summary>
    Commits = 1 << 18,

    /// <summary>
    /// The statistics of two parts of a batch, added as their gradients are, are committed as those of the whole batch.
    /// </summary>
    Pooling = 1 << 19,

    /// <summary>With gamma 1 and beta 0, the outputs of each set have the mean 0.</summary>
    ZeroMean = 1 << 13,

    /// <summary>
    /// With gamma 1 and beta 0, the mean square of each set's outputs is v / (v + eps), where v is the biased variance
    /// of its inputs.
    /// </summary>
    MeanSquare = 1 << 14,

    /// <summary>
    /// The gradient of x sums to 0 over each set, and its product with the normalized values to (eps / (v + eps)) r
    /// times that of g: the gradient knows that shifting does nothing and scaling next to nothing.
    /// </summary>
    GradientSums = 1 << 15,

    /// <summary>
    /// With gamma 1, the Jacobian is symmetric: a gradient of u weighed with w is the gradient of w weighed with u.
    /// </summary>
    SymmetricJacobian = 1 << 16,
}

/// <summary>What to check, and how hard.</summary>
public sealed record LawOptions
{
    /// <summary>The highest order of derivative, from 1.</summary>
    public int Order { get; init; } = 3;

    /// <summary>
    /// The laws that are not meant to hold. Each must be broken by some case: one that holds in all of them is
    /// reported.
    /// </summary>
    public Law Except { get; init; }

    /// <summary>The laws that are left aside, whether they hold or not.</summary>
    public Law Skip { get; init; }

    /// <summary>
    /// How many cases are drawn. The first ones are the edges: every axis 1, each axis empty that may be.
    /// </summary>
    public int Cases { get; init; } = 16;

    /// <summary>Another seed draws other cases.</summary>
    public long Seed { get; init; }

    /// <summary>Only the case with this seed, as a failure's report names it.</summary>
    public long? Replay { get; init; }

    /// <summary>Whether operations behave as in training.</summary>
    public bool Training { get; init; }

    /// <summary>
    /// The largest error on the reference device, in proportion to the magnitude of what is compared.
    /// </summary>
    public double Tolerance { get; init; } = 1e-6;

    /// <summary>The largest error on the CPU device, in proportion to the magnitude of what is compared.</summary>
    public double CpuTolerance { get; init; } = 1e-4;

    /// <summary>The numbers of channels that normalizations are made for.</summary>
    public IReadOnlyList<int> Channels { get; init; } = [1, 2, 3, 4, 6, 7];

    internal bool Checks(Law law) => ((Except | Skip) & law) == 0;

    /// <summary>
    /// Runs a check of all laws but the exceptions, then of each exception alone, which must be broken.
    /// </summary>
    internal void Run(string subject, Action<LawOptions> check)
    {
        check(this);
        if (Replay is not null) return;
        foreach (var law in Enum.GetValues<Law>().Where(law => law != Law.None && Except.HasFlag(law)))
            try
            {
                check(this with { Except = Law.None, Skip = ~law });
                throw new LawException(law,
                    $"{subject} is excepted from the law {law}, and obeys it in all of {Cases} cases: take the "
                        + "exception back.", [], Seed);
            }
            catch (LawException broken) when (broken.Shapes.Count > 0 && broken.Law == law)
            {
                // A real exception.
            }
    }
}

/// <summary>A law that does not hold: which one, on which shapes, and the seed that shows it again.</summary>
/// <param name="law">The law.</param>
/// <param name="message">What was expected, what came, and how to see it again.</param>
/// <param name="shapes">The smallest shapes that were found to break it; none for a law that holds and was
/// excepted.</param>
/// <param name="seed">Of the case.</param>
/// <param name="cause">What was thrown.</param>
public sealed class LawException(Law law, string message, IReadOnlyList<Shape> shapes, long seed,
    Exception? cause = null)
    : Exception(message, cause)
{
    /// <summary>The law.</summary>
    public Law Law { get; } = law;

    /// <summary>The smallest shapes that were found to break it.</summary>
    public IReadOnlyList<Shape> Shapes { get; } = shapes;

    /// <summary>For <see cref="LawOptions.Replay"/>.</summary>
    public long Seed { get; } = seed;

    internal Comparison? Comparison { get; init; }
}

/// <summary>Thrown by a check, before the case was made small.</summary>
internal sealed class LawViolation(Comparison comparison, string explanation, Exception? cause = null)
    : Exception(explanation, cause)
{
    public Comparison Comparison { get; } = comparison;
}
