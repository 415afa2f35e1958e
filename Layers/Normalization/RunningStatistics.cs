using Tapegrad.Devices;

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
        mean.Update(new Blend(convention.NewWeight, 1), moments.Mean);
        if (moments.Count > 1)   // one element has no variance
            variance.Update(new Blend(convention.NewWeight, convention.Unbiased ? (double)moments.Count / (moments.Count - 1) : 1), moments.Variance);
        present = true;
    }

    private readonly struct Blend(double weight, double factor) : IUpdate
    {
        public void Apply<T>(ref T running, T moment, ref T unused1, ref T unused2) where T : struct, IReal<T> =>
            running = running * T.Of(1 - weight) + moment * T.Of(factor) * T.Of(weight);
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
