namespace Tapegrad;

/// <summary>
/// The mean over all elements of (x - target)^2, for tensors of one shape. d/dx = 2 (x - target) / n.
/// </summary>
public static class MeanSquaredErrorOperation
{
    /// <summary>The mean squared error.</summary>
    /// <returns>One number.</returns>
    /// <exception cref="ShapeException">The shapes differ, or there is no element.</exception>
    public static Tensor MeanSquaredError(this Tensor x, Tensor target)
    {
        // Broadcasting [N] against [N, 1] would compare everything with everything: a mistake that trains, and never
        // tells.
        if (x.Shape != target.Shape)
            throw new ShapeException($"mean squared error: the values {x.Shape} and the targets {target.Shape} must "
                + "have one shape.");
        return (x - target).Square().Mean();
    }
}
