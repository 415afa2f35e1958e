using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Numbers turned into probabilities along an axis, the last one unless named: y = e^x / (sum of e^x). The largest
/// element is subtracted first, so nothing overflows. dx = y (g - sum(g y)). For the logarithm of the result take
/// <see cref="LogSoftmaxOperation"/>, which does not lose small probabilities, and for a loss
/// <see cref="CrossEntropyOperation"/>. (Bridle, 1990.)
/// </summary>
public static class SoftmaxOperation
{
    /// <summary>e^x / (sum of e^x) along an axis.</summary>
    /// <returns>x's shape.</returns>
    /// <exception cref="ShapeException">There is no such axis, or it has no element.</exception>
    public static Tensor Softmax(this Tensor x, int axis = -1)
    {
        axis = x.Shape.Axis(axis);
        if (x.Shape[axis] == 0) throw new ShapeException($"softmax: axis {axis} of {x.Shape} has no element.");
        var (powers, sums) = Powers(x, axis);
        var value = powers.Zip(sums, new Dividing(), "softmax");
        return Tape.Record("softmax", value, (x, (y, g) => y * (g - (g * y).Sum([axis], keepAxes: true))));
    }

    /// <summary>e^(x - largest), and its sum along an axis, which becomes 1; unrecorded.</summary>
    internal static (Tensor Powers, Tensor Sums) Powers(Tensor x, int axis)
    {
        var powers = x.Zip(x.Fold(new MaxOperation.TakingLargest(), [axis]), new RaisingE(), "softmax");
        return (powers, powers.Fold(new Adding(), [axis]));
    }

    // e^(x - largest).
    internal readonly struct RaisingE : IZip
    {
        public T Apply<T>(T x, T largest) where T : struct, IReal<T> => T.Exp(x - largest);
    }
}
