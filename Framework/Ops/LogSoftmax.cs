using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The logarithm of the softmax over the last axis: y = x - log(sum of e^x). The largest element is subtracted first,
/// so nothing overflows, and the sum is at least 1. dx = g - softmax(x) sum(g). What is subtracted is no part of the
/// derivative: the value does not depend on it.
/// </summary>
public static class LogSoftmaxOperation
{
    /// <summary>x - log(sum of e^x) over the last axis.</summary>
    /// <returns>x's shape.</returns>
    /// <exception cref="ShapeException">The last axis is missing or empty.</exception>
    public static Tensor LogSoftmax(this Tensor x)
    {
        if (x.Shape.Rank == 0 || x.Shape[-1] == 0)
            throw new ShapeException($"log-softmax: the shape {x.Shape} has no element along its last axis.");
        return Tape.Record("log-softmax", Value(x), (x, (_, g) => g - x.Softmax() * g.Sum([-1], keepAxes: true)));
    }

    /// <summary>The value alone, unrecorded.</summary>
    internal static Tensor Value(Tensor x)
    {
        var shifted = x.Zip(x.Fold(new MaxOperation.TakingLargest(), [-1]), new Subtracting(), "log-softmax");
        var sums = shifted.Map(new ExpOperation.Exponentiating()).Fold(new Adding(), [-1]);
        return shifted.Zip(sums.Map(new LogOperation.TakingLogarithm()), new Subtracting(), "log-softmax");
    }
}
