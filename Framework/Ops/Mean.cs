namespace Tapegrad;

/// <summary>
/// The mean over axes; over none named, over all. The mean of nothing is an error. The gradient is spread evenly.
/// </summary>
public static class MeanOperation
{
    /// <summary>The mean over axes, which vanish; without axes, one number.</summary>
    public static Tensor Mean(this Tensor x, params ReadOnlySpan<int> axes) =>
        x.Mean(x.Shape.Axes(axes), keepAxes: false);

    /// <summary>The mean over axes, which become 1 when kept.</summary>
    /// <exception cref="ShapeException">There is nothing to take the mean of, but a result is asked for.</exception>
    public static Tensor Mean(this Tensor x, int[] axes, bool keepAxes)
    {
        var count = 1;
        foreach (var axis in x.Shape.Axes(axes)) count *= x.Shape[axis];
        var sum = x.Sum(x.Shape.Axes(axes), keepAxes);
        if (count == 0 && sum.Count > 0)
            throw new ShapeException($"mean: the axes ({string.Join(", ", axes)}) of {x.Shape} hold no element to take "
                + "the mean of.");
        return sum / Math.Max(1, count);
    }
}
