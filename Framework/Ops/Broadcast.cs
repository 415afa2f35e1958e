using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Repeats x along its axes of length 1 (and new ones in front) to fill a shape. The gradient is the sum over the
/// repetitions, which the tape takes for every operation in one place.
/// </summary>
public static class BroadcastOperation
{
    /// <summary>x repeated to fill a shape.</summary>
    /// <exception cref="ShapeException">An axis is neither 1 nor the wanted length.</exception>
    public static Tensor BroadcastTo(this Tensor x, Shape shape)
    {
        if (x.Shape == shape) return x;
        if (!x.Shape.BroadcastsTo(shape))
            throw new ShapeException($"broadcast: {x.Shape} cannot be repeated to {shape}.");
        return Tape.Record("broadcast", x.Gather(shape, new Walk(0, x.Shape.BroadcastStrides(shape))),
            (x, (_, g) => g));
    }
}
