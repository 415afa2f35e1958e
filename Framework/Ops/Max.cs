using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The largest and the smallest element along axes; along none named, of all. NaN if one is NaN. The gradient goes to
/// the elements that are equal to the result, to several in equal parts.
/// </summary>
public static class MaxOperation
{
    /// <summary>The largest along axes, which vanish; without axes, of all.</summary>
    /// <exception cref="ShapeException">There is no element to take, but a result is asked for.</exception>
    public static Tensor Max(this Tensor x, params ReadOnlySpan<int> axes) =>
        x.Max(x.Shape.Axes(axes), keepAxes: false);

    /// <summary>The largest along axes, which become 1 when kept.</summary>
    /// <exception cref="ShapeException">There is no element to take, but a result is asked for.</exception>
    public static Tensor Max(this Tensor x, int[] axes, bool keepAxes)
    {
        axes = x.Shape.Axes(axes);
        var kept = x.Shape.Reduce(axes, keepAxes: true);
        if (x.Count == 0 && kept.Count > 0)
            throw new ShapeException($"max: the axes ({string.Join(", ", axes)}) of {x.Shape} hold no element to take "
                + "the largest of.");
        var value = x.Fold(new TakingLargest(), axes);
        if (!keepAxes) value = value.View(x.Shape.Reduce(axes, keepAxes: false));
        return Tape.Record("max", value, (x, (y, g) =>
        {
            var isTaken = x.Equal(y.StopGradient().Reshape(kept));
            return (g.Reshape(kept) / isTaken.Sum(axes, keepAxes: true)).BroadcastTo(x.Shape).Masked(isTaken);
        }
        ));
    }

    /// <summary>The smallest along axes, which vanish; without axes, of all.</summary>
    /// <exception cref="ShapeException">There is no element to take, but a result is asked for.</exception>
    public static Tensor Min(this Tensor x, params ReadOnlySpan<int> axes) => -(-x).Max(axes);

    /// <summary>The smallest along axes, which become 1 when kept.</summary>
    /// <exception cref="ShapeException">There is no element to take, but a result is asked for.</exception>
    public static Tensor Min(this Tensor x, int[] axes, bool keepAxes) => -(-x).Max(axes, keepAxes);

    internal readonly struct TakingLargest : IFold
    {
        public double Neutral => double.NegativeInfinity;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Max(a, b);
    }
}
