namespace Tapegrad.Layers;

/// <summary>
/// [N, H, W, C] -> [N, H W C]. The channel stays the fastest index; PyTorch's Flatten gives [N, C H W], so the weights
/// of a linear layer that follows stand in another order there, which <see cref="StateDict"/> knows.
/// </summary>
public sealed class Flatten : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        if (x.Shape.Rank < 1) throw new ShapeException($"flatten: the input {x.Shape} has no axis of samples.");
        var count = 1;
        foreach (var length in x.Shape.Dimensions[1..]) count *= length;
        return x.Reshape(x.Shape[0], count);   // not -1: no samples are samples too
    }
}
