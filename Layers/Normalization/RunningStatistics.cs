namespace Tapegrad.Layers;

/// <summary>
/// A mean and a variance that remember what training saw: running = (1 - w) running + w moment, where w is the weight of the new
/// batch. Evaluating before anything was seen is an error in words.
/// </summary>
/// <remarks>Changed by the step that commits what training proposed; not thread-safe.</remarks>
internal sealed class RunningStatistics(Module layer, BatchNormConvention convention, Parameter mean, Parameter variance) : IStatistics
{
    private bool present;

    public string Name => layer.Path == "" ? layer.GetType().Name : layer.Path;

    /// <summary>What evaluation subtracts, [C].</summary>
    public Tensor Mean => Present(mean);

    /// <summary>What evaluation divides by the root of, [C].</summary>
    public Tensor Variance => Present(variance);

    public void Commit(Moments moments)
    {
        Blend(mean, moments.Mean);
        if (moments.Count > 1)   // one element has no variance
            Blend(variance, convention.Unbiased ? moments.Variance * ((double)moments.Count / (moments.Count - 1)) : moments.Variance);
        present = true;

        void Blend(Parameter running, Tensor moment) => running.Value = running.Value * (1 - convention.NewWeight) + moment * convention.NewWeight;
    }

    // Statistics that were loaded or set by hand differ from those that every layer starts with.
    private Tensor Present(Parameter running)
    {
        present = present || mean.Value.ToDoubles().Any(value => value != 0) || variance.Value.ToDoubles().Any(value => value != 1);
        return present ? running.Value : throw new InvalidOperationException($"{Name}: {layer.GetType().Name} cannot evaluate: it has no running "
            + "statistics yet. They are committed by an optimizer's step (a hand-written update calls gradients.CommitStatistics()), or loaded "
            + "from a file.");
    }
}
