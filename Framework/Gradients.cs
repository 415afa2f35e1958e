using System.Diagnostics.CodeAnalysis;

namespace Tapegrad;

/// <summary>
/// The gradients of a loss, by parameter, and the running statistics that the same pass proposed. A value: sum two of
/// them to accumulate micro-batches, then hand the result to an optimizer, which commits gradients and statistics
/// together, or neither.
/// </summary>
/// <remarks>
/// The tensors belong to the tape they were read from; <see cref="Keep"/> takes them out of it. Not thread-safe: one
/// step commits them, once.
/// </remarks>
public sealed class Gradients
{
    private readonly Dictionary<Parameter, Tensor> gradients;
    private readonly Proposal[] proposals;
    private bool committed;

    internal Gradients(Dictionary<Parameter, Tensor> gradients, Proposal[] proposals) =>
        (this.gradients, this.proposals) = (gradients, proposals);

    /// <summary>The parameters that the loss was computed from, in the order of their first use.</summary>
    public IReadOnlyCollection<Parameter> Parameters => gradients.Keys;

    /// <summary>The gradient of a parameter, of the parameter's shape.</summary>
    /// <exception cref="InvalidOperationException">The loss was not computed from it.</exception>
    public Tensor this[Parameter parameter] => TryGet(parameter, out var gradient) ? gradient
        : throw new InvalidOperationException($"there is no gradient of {parameter.Name}: the loss was not computed "
            + "from it"
            + (parameter.IsTrainable ? "." : ", and it is not trainable."));

    /// <summary>The gradient of a parameter, if the loss was computed from it.</summary>
    public bool TryGet(Parameter parameter, [NotNullWhen(true)] out Tensor? gradient) =>
        gradients.TryGetValue(parameter, out gradient);

    /// <summary>The gradients of the sum of two losses, and the statistics of both sets of inputs together.</summary>
    public static Gradients operator +(Gradients a, Gradients b)
    {
        a.CheckUncommitted();
        b.CheckUncommitted();
        var sum = new Dictionary<Parameter, Tensor>(a.gradients);
        foreach (var (parameter, gradient) in b.gradients)
            sum[parameter] = sum.TryGetValue(parameter, out var before) ? before + gradient : gradient;
        return new Gradients(sum, [.. a.proposals.Union(b.proposals)]);   // two losses of one tape bring the same ones
    }

    /// <summary>Every gradient times a number; the statistics stay.</summary>
    public static Gradients operator *(Gradients a, double factor)
    {
        a.CheckUncommitted();
        return new Gradients(a.gradients.ToDictionary(pair => pair.Key, pair => pair.Value * factor), a.proposals);
    }

    /// <summary>
    /// The Euclidean norm of all gradients together; no finite gradient is too large or too small for it. The device is
    /// read once.
    /// </summary>
    public double Norm()
    {
        using var scope = new Scope();
        // For each gradient a scale, and the sum of the squares of its elements over that scale (1, unless they are far
        // from 1).
        var sums = gradients.Values.GroupBy(gradient => gradient.Device).SelectMany(ReadSquares)
            .Where(sum => sum.Squares != 0).ToArray();
        var largest = sums.Select(sum => sum.Scale).DefaultIfEmpty(0).Max();
        return largest * Math.Sqrt(sums.Sum(sum => sum.Squares * (sum.Scale / largest) * (sum.Scale / largest)));
    }

    private static IEnumerable<(double Squares, double Scale)> ReadSquares(IEnumerable<Tensor> onOneDevice)
    {
        var parts = new List<Tensor>();
        foreach (var gradient in onOneDevice)
        {
            var (squares, scale) = gradient.ScaledSquares(gradient.Shape.Axes());
            parts.AddRange(squares.View(Shape.Scalar), scale.View(Shape.Scalar));
        }
        var numbers = parts[0].Stack(0, [.. parts.Skip(1)]).ToDoubles();
        return numbers.Chunk(2).Select(pair => (pair[0], pair[1]));
    }

    /// <summary>
    /// The same direction, not longer than <paramref name="limit"/> (Pascanu, Mikolov and Bengio, 2013). Gradients that
    /// are not finite stay as they are, and a step will name them.
    /// </summary>
    public Gradients ClipByNorm(double limit)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(limit);
        var norm = Norm();
        if (!(norm > limit) || double.IsInfinity(norm)) return new Gradients(gradients, proposals);
        const double small = 1e-20;
        var (clipped, factor) = (this, limit / norm);
        // A float knows no factor as small as 1e-50; one after the other they do the same. Not even a double may.
        for (; factor is > 0 and < small; factor /= small) clipped *= small;
        return clipped * factor;
    }

    /// <summary>The same gradients and statistics, taken out of their tape's scope so that they outlive it.</summary>
    public Gradients Keep() => new(
        gradients.ToDictionary(pair => pair.Key, pair => pair.Value.Keep()),
        [.. proposals.Select(proposal => proposal.Map(tensor => tensor.Keep()))]);

    /// <summary>
    /// Takes the proposed running statistics into their layers. An optimizer's step does this; an update written by
    /// hand calls it itself. What other gradients of the same pass have committed is not committed again.
    /// </summary>
    /// <exception cref="InvalidOperationException">They were committed already.</exception>
    public void CommitStatistics()
    {
        CheckUncommitted();
        var pooled = Proposal.Pool(proposals);
        committed = true;
        foreach (var proposal in proposals) proposal.MarkCommitted();
        foreach (var (owner, pending) in pooled) owner.Commit(pending);
    }

    /// <summary>
    /// Looks ahead at a step, and changes nothing: judges the gradients, and the running statistics that it would
    /// leave.
    /// </summary>
    /// <param name="verdicts">What they are added to.</param>
    /// <param name="except">Whose gradients are not judged.</param>
    public void LookAhead(Verdicts verdicts, Func<Parameter, bool> except)
    {
        foreach (var (parameter, gradient) in gradients)
            if (!except(parameter)) verdicts.Judge(gradient);
        foreach (var (owner, pending) in Proposal.Pool(proposals)) owner.LookAhead(pending, verdicts);
    }

    /// <summary>
    /// Says where the first number stands that is not finite, among gradients and statistics, or whose statistics would
    /// not stay finite; null when all is well.
    /// </summary>
    public string? FindNonFinite()
    {
        using var scope = new Scope();
        // Finite statistics, far apart, may have no finite variance together.
        var pooled = Proposal.Pool(proposals);
        var values = gradients.Select(pair => (Owner: (object)pair.Key, pair.Value))
            .Concat(pooled.SelectMany(pair => pair.Value.Tensors.Select(x => (Owner: (object)pair.Key, Value: x))));
        foreach (var ofDevice in values.GroupBy(one => one.Value.Device))
            if (ofDevice.Key.FirstNonFinite([.. ofDevice.Select(one => one.Value.Buffer)]) is var (which, element))
            {
                var (owner, value) = ofDevice.ElementAt(which);
                var found = $"{value.ToDoubles()[element]} at element {element}";
                return owner is Parameter parameter ? $"the gradient of {parameter.Name} {value.Shape} is {found}"
                    : $"the batch statistics of {((IStatistics)owner).Name} hold {found}";
            }
        foreach (var (owner, pending) in pooled)
        {
            var verdicts = new Verdicts();
            owner.LookAhead(pending, verdicts);
            if (!verdicts.AreGood()) return $"the running statistics of {owner.Name} would not stay finite";
        }
        return null;
    }

    private void CheckUncommitted()
    {
        if (committed)
            throw new InvalidOperationException("these gradients were used already: their running statistics have been "
                + "committed (an optimizer's step does so). Compute new ones for the next step.");
    }
}
