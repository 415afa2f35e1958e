using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// Copies of a model's weights and statistics as they were before the last two steps. A loss that is not finite tells
/// that the step before it was wrong, so the older copy holds the last weights whose loss was good.
/// </summary>
internal sealed class Snapshot
{
    private readonly Parameter[] state;
    private float[][] newer, older;

    /// <summary>Copies the values as they are now.</summary>
    public Snapshot(Module model)
    {
        state = [.. model.State];
        (newer, older) = (Copy(), Copy());
    }

    /// <summary>
    /// After a step: the newer copy becomes the older one, and the values as they are now the newer one.
    /// </summary>
    public void Take()
    {
        (newer, older) = (older, newer);
        for (var i = 0; i < state.Length; i++) state[i].Value.CopyTo(newer[i]);
    }

    /// <summary>Puts the older copy back.</summary>
    public void Restore()
    {
        for (var i = 0; i < state.Length; i++) state[i].Value = Tensor.From(older[i], state[i].Shape);
    }

    private float[][] Copy() => Array.ConvertAll(state, parameter => parameter.Value.ToFloats());
}
