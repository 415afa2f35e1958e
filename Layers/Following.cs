namespace Tapegrad.Layers;

/// <summary>
/// What is to be done with a layer's output: relu(output + residual), or a part of it. A layer that can do it in its own pass over memory takes it;
/// what is left is done by whoever asked, as if nobody had asked.
/// </summary>
internal sealed class Following(Tensor? residual, bool relu)
{
    /// <summary>What is to be added; null when there is nothing, or it has been taken.</summary>
    public Tensor? Residual { get; private set; } = residual;

    /// <summary>Whether a ReLU is to end it, and has not been taken.</summary>
    public bool Relu { get; private set; } = relu;

    /// <summary>Takes all of it, unless the residual does not fit an output of this shape.</summary>
    public (Tensor? Residual, bool Relu) Take(Shape output)
    {
        if (Residual is not null && Residual.Shape != output) return (null, false);
        var all = (Residual, Relu);
        (Residual, Relu) = (null, false);
        return all;
    }
}
