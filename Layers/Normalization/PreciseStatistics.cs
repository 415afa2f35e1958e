namespace Tapegrad.Layers;

/// <summary>
/// Running statistics that are those of given batches, as if they were one, with the parameters as they are now: what
/// evaluation needs after the last step, or after weights were averaged ("precise" batch normalization, Wu and Johnson,
/// 2021, who give each batch the same weight; here each element has it, so that a smaller last batch counts for less).
/// </summary>
public static class PreciseStatistics
{
    /// <summary>
    /// Replaces the running statistics of a model's normalizations by those of the batches, pooled exactly; in a layer
    /// behind others, of what these give in training.
    /// </summary>
    /// <param name="model">Its parameters stay as they are.</param>
    /// <param name="batches">At least one.</param>
    /// <param name="random">For layers that draw in training.</param>
    /// <param name="layers">Whose statistics are replaced; null for all. Frozen ones stay.</param>
    /// <exception cref="InvalidOperationException">A tape is open; or there was no batch, or no layer that keeps
    /// statistics.</exception>
    public static void RecomputeStatistics(this Module model, IEnumerable<Tensor> batches, RandomSource random,
        IEnumerable<Normalization>? layers = null)
    {
        var chosen = (layers ?? model.Modules.OfType<Normalization>()).Select(layer => layer.Running)
            .OfType<RunningStatistics>().ToHashSet();
        var pooled = new Dictionary<RunningStatistics, IPendingStatistics>();
        foreach (var (i, batch) in batches.Index())
        {
            using var tape = Tape.Training(random.Split(i));
            using (tape.Pause()) model.Apply(batch);
            foreach (var (owner, pending) in tape.PendingStatistics)
            {
                if (owner is not RunningStatistics running || !chosen.Contains(running)) continue;
                var both = pooled.TryGetValue(running, out var before) ? before.Pool(pending) : pending;
                pooled[running] = both.With([.. both.Tensors.Select(tensor => tensor.Keep())]);
            }
        }
        if (pooled.Count == 0)
            throw new InvalidOperationException("no statistics were recomputed: there was no batch, or no layer that "
                + "keeps statistics and is not frozen.");
        foreach (var (running, pending) in pooled) running.Replace(pending);
    }
}
