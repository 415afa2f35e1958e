using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// Tensors that remember what training saw: running = (1 - w) running + w new, where w is the weight of a new batch.
/// Made by a normalization (<see cref="Normalization.Remember"/>), saved with it, and changed by the step that commits
/// what was proposed. Evaluating before anything was committed, loaded or set is an error in words.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
public sealed class RunningStatistics : IStatistics
{
    private readonly Normalization layer;
    private long forgotten;
    private readonly Func<int, IPendingStatistics, double?> factor;

    internal RunningStatistics(Normalization layer, double newWeight, IReadOnlyList<Parameter> values,
        Func<int, IPendingStatistics, double?>? factor)
    {
        if (!(newWeight is > 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(newWeight), newWeight,
                "the weight of a new batch lies in (0, 1].");
        (this.layer, NewWeight, Values, this.factor) = (layer, newWeight, values, factor ?? ((_, _) => 1));
    }

    /// <inheritdoc/>
    public string Name => layer.Path == "" ? layer.GetType().Name : layer.Path;

    /// <summary>The weight of a new batch.</summary>
    public double NewWeight { get; }

    /// <summary>What is remembered, in the order of <see cref="IPendingStatistics.Tensors"/>.</summary>
    public IReadOnlyList<Parameter> Values { get; }

    /// <summary>How often something was committed, loaded or set.</summary>
    public long Count => Values.Max(value => value.Changes) - forgotten;

    /// <summary>What was loaded or set is what an untrained layer has: it cannot evaluate, as before.</summary>
    public void Forget() => forgotten += Count;

    /// <summary>One of the values, for evaluation.</summary>
    /// <exception cref="InvalidOperationException">Nothing was remembered yet.</exception>
    public Tensor this[int index] => Count > 0 ? Values[index].Value
        : throw new InvalidOperationException($"{(layer.Path == "" ? "" : $"{layer.Path}: ")}{layer.GetType().Name} "
            + "cannot evaluate: it has no running statistics yet. They are committed by an optimizer's step (a "
            + "hand-written update calls gradients.CommitStatistics()), or loaded from a file.");

    /// <summary>Notes, in training, what a batch gave; the step commits it, or not.</summary>
    public void Propose(IPendingStatistics pending)
    {
        layer.NoticeHalfFrozen();
        Tape.Current?.Propose(this, pending);
    }

    /// <inheritdoc/>
    public void Commit(IPendingStatistics pending)
    {
        for (var i = 0; i < Values.Count; i++)
            if (factor(i, pending) is { } times) Values[i].Update(new Blend(NewWeight, times), pending.Tensors[i]);
    }

    /// <inheritdoc/>
    public void LookAhead(IPendingStatistics pending, Verdicts verdicts)
    {
        for (var i = 0; i < Values.Count; i++)
            if (factor(i, pending) is { } times)
                Values[i].CheckUpdate(new Blend(NewWeight, times), pending.Tensors[i], null, null,
                    verdicts.Of(Values[i].Device));
    }

    /// <summary>Forgets what was remembered, for these alone.</summary>
    public void Replace(IPendingStatistics pending)
    {
        using var scope = new Scope();
        using var _ = Tape.Current?.Pause();
        for (var i = 0; i < Values.Count; i++)
            if (factor(i, pending) is { } times) Values[i].Value = pending.Tensors[i] * times;
    }

    internal readonly struct Blend(double weight, double factor) : IUpdate
    {
        public void Apply<T>(ref T running, T moment, ref T unused1, ref T unused2) where T : struct, IReal<T> =>
            running = running * T.Of(1 - weight) + moment * T.Of(factor) * T.Of(weight);
    }
}
