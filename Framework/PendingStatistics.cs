using System.Runtime.CompilerServices;

namespace Tapegrad;

/// <summary>
/// What a training pass learned about a layer's inputs without gradients: any tensors, such as a mean and a variance.
/// It waits for the optimizer's step, which commits it to its layer, or not.
/// </summary>
/// <remarks>An immutable value.</remarks>
public interface IPendingStatistics
{
    /// <summary>The numbers, in an order of the kind's own.</summary>
    IReadOnlyList<Tensor> Tensors { get; }

    /// <summary>The same, of tensors with the same numbers.</summary>
    IPendingStatistics With(IReadOnlyList<Tensor> tensors);

    /// <summary>The statistics of both sets of inputs together, exactly as if they had been one set.</summary>
    /// <param name="other">Of the same kind.</param>
    IPendingStatistics Pool(IPendingStatistics other);
}

/// <summary>A layer's memory of what it saw, updated when an optimizer's step commits what training proposed.</summary>
/// <remarks>Called on the thread that takes the step.</remarks>
public interface IStatistics
{
    /// <summary>The layer's name, for messages.</summary>
    string Name { get; }

    /// <summary>Takes what one step's inputs gave into the running statistics.</summary>
    void Commit(IPendingStatistics pending);

    /// <summary>
    /// Looks ahead at <see cref="Commit"/>, and changes nothing. Unless written otherwise, what is given alone is
    /// judged, and not what it would leave.
    /// </summary>
    void LookAhead(IPendingStatistics pending, Verdicts verdicts)
    {
        foreach (var tensor in pending.Tensors) verdicts.Judge(tensor);
    }
}

/// <summary>The mean and the biased variance of <paramref name="Count"/> elements each.</summary>
/// <remarks>An immutable value; thread-safe.</remarks>
public sealed record Moments(long Count, Tensor Mean, Tensor Variance) : IPendingStatistics
{
    private readonly Tensor[] both = [Mean, Variance];

    /// <summary>The means.</summary>
    public Tensor Mean { get => both[0]; init => both = [value, both[1]]; }

    /// <summary>The biased variances.</summary>
    public Tensor Variance { get => both[1]; init => both = [both[0], value]; }

    /// <summary>
    /// The moments of both sets together, exactly as if they had been one set (Chan, Golub and LeVeque, 1983).
    /// </summary>
    public Moments Pool(Moments other)
    {
        if (other.Count == 0) return this;
        if (Count == 0) return other;
        var total = Count + other.Count;
        var (p, q) = ((double)Count / total, (double)other.Count / total);
        var difference = other.Mean - Mean;
        return new Moments(total, Mean + difference * q, Variance * p + other.Variance * q
            + difference * difference * (p * q));
    }

    IReadOnlyList<Tensor> IPendingStatistics.Tensors => both;

    IPendingStatistics IPendingStatistics.With(IReadOnlyList<Tensor> tensors) =>
        new Moments(Count, tensors[0], tensors[1]);

    IPendingStatistics IPendingStatistics.Pool(IPendingStatistics other) => Pool((Moments)other);
}

/// <summary>Means over <paramref name="Count"/> elements each, of anything: squares, products.</summary>
/// <remarks>An immutable value; thread-safe.</remarks>
public sealed record Means(long Count, params IReadOnlyList<Tensor> Tensors) : IPendingStatistics
{
    /// <inheritdoc/>
    public IPendingStatistics With(IReadOnlyList<Tensor> tensors) => new Means(Count, tensors);

    /// <inheritdoc/>
    public IPendingStatistics Pool(IPendingStatistics other)
    {
        var (first, second) = (this, (Means)other);
        if (second.Count == 0) return first;
        if (first.Count == 0) return second;
        var total = first.Count + second.Count;
        var share = (double)second.Count / total;
        return new Means(total, [.. first.Tensors.Zip(second.Tensors, (a, b) => a + (b - a) * share)]);
    }
}

/// <summary>
/// What one use of a layer proposed. Copies with the same numbers are the same proposal: it is pooled once, and
/// committed once, however many gradients bring it.
/// </summary>
internal readonly record struct Proposal(IStatistics Owner, IPendingStatistics Pending)
{
    private readonly StrongBox<bool> isCommitted = new();

    /// <summary>Whether a step has taken it into its layer.</summary>
    public bool IsCommitted => isCommitted.Value;

    /// <summary>Says so.</summary>
    public void MarkCommitted() => isCommitted.Value = true;

    /// <summary>Whether both are the same use's.</summary>
    public bool Equals(Proposal other) => other.isCommitted == isCommitted;

    /// <inheritdoc/>
    public override int GetHashCode() => RuntimeHelpers.GetHashCode(isCommitted);

    /// <summary>Every tensor replaced by what a function makes of it.</summary>
    public Proposal Map(Func<Tensor, Tensor> change) =>
        this with { Pending = Pending.With([.. Pending.Tensors.Select(change)]) };

    /// <summary>
    /// One for each layer: applied twice, or in two micro-batches, it saw one larger set. Without those that were
    /// committed.
    /// </summary>
    public static Dictionary<IStatistics, IPendingStatistics> Pool(ReadOnlySpan<Proposal> proposals)
    {
        var pooled = new Dictionary<IStatistics, IPendingStatistics>(proposals.Length);
        foreach (var proposal in proposals)
        {
            var (owner, pending) = proposal;
            if (proposal.IsCommitted) continue;
            pooled[owner] = pooled.TryGetValue(owner, out var before) ? before.Pool(pending) : pending;
        }
        return pooled;
    }
}
