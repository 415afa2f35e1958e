using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// Copies of a model's weights and statistics as they are behind the last step of the optimizer, and as they were
/// before it. A loss that is not finite tells that this step was wrong, so the older copy holds the last weights whose
/// loss was good.
/// </summary>
internal sealed class Snapshot
{
    private readonly Parameter[] state;
    private Parameter[] newer, older;
    private long steps;

    /// <summary>Copies the values as they are, before the first step.</summary>
    public Snapshot(Module model)
    {
        state = [.. model.State];
        (newer, older) = (Copy(), Copy());
    }

    /// <summary>The older copy, each value called after its own: <c>conv1.weight.before</c>.</summary>
    public IReadOnlyList<Parameter> State => older;

    /// <summary>
    /// After a batch: where that has ended in a step, the newer copy becomes the older one, and the values as they are
    /// now the newer one.
    /// </summary>
    /// <param name="taken">How many steps were taken until now.</param>
    public void Take(long taken)
    {
        if (taken == steps) return;
        (newer, older) = (older, newer);
        GoOn(taken);
    }

    /// <summary>When the model, and <see cref="State"/>, have been put back as they were after so many steps.</summary>
    public void GoOn(long taken)
    {
        steps = taken;
        foreach (var (copy, parameter) in newer.Zip(state)) copy.Value = parameter.Value;
    }

    /// <summary>Puts the older copy back.</summary>
    /// <returns>How many steps it is of.</returns>
    public long Restore()
    {
        foreach (var (parameter, copy) in state.Zip(older)) parameter.Value = copy.Value;
        return Math.Max(0, steps - 1);
    }

    private Parameter[] Copy() => Array.ConvertAll(state, parameter =>
        new Parameter($"{parameter.Name}.before", parameter.Value, trainable: false));
}
