using Tapegrad.Layers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>A copy of a model's weights and statistics, taken before every step, so that a step that went wrong can be
/// undone.</summary>
internal sealed class Snapshot(Module model)
{
    private readonly (Parameter Parameter, float[] Values)[] copies = [.. model.State.Select(p => (p, new float[p.Count]))];

    /// <summary>Copies the values as they are now.</summary>
    public void Take()
    {
        foreach (var (parameter, values) in copies) parameter.Value.CopyTo(values);
    }

    /// <summary>Puts the copied values back.</summary>
    public void Restore()
    {
        foreach (var (parameter, values) in copies) parameter.Value = Tensor.From(values, parameter.Shape);
    }
}
