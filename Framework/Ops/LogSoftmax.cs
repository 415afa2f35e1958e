namespace Tapegrad;

/// <summary>
/// The logarithm of the softmax over the last axis: x - log(sum of e^x). The largest element is subtracted first, as a
/// constant, so that nothing overflows; the value does not depend on what is subtracted, so the gradient, g -
/// softmax(x) sum(g), is exact.
/// </summary>
public static class LogSoftmaxOperation
{
    /// <summary>x - log(sum of e^x) over the last axis.</summary>
    /// <exception cref="ShapeException">The last axis is missing or empty.</exception>
    public static Tensor LogSoftmax(this Tensor x)
    {
        if (x.Shape.Rank == 0 || x.Shape[-1] == 0)
            throw new ShapeException($"log-softmax: the shape {x.Shape} has no element along its last axis.");
        var shifted = x - x.Fold(new MaxOperation.TakingLargest(), [x.Shape.Rank - 1]);
        return shifted - shifted.Exp().Sum([x.Shape.Rank - 1], keepAxes: true).Log();
    }
}
