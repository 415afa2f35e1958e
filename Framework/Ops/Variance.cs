namespace Tapegrad;

/// <summary>
/// The variance over axes; over none named, over all: the sum of (x - mean)^2, divided by the number of elements n, or
/// by n - 1 when unbiased. d/dx = 2 (x - mean) / n.
/// </summary>
public static class VarianceOperation
{
    /// <summary>The biased variance over axes, which vanish; without axes, one number.</summary>
    /// <exception cref="ShapeException">There are not elements enough, but a result is asked for.</exception>
    public static Tensor Variance(this Tensor x, params ReadOnlySpan<int> axes) =>
        x.Variance(x.Shape.Axes(axes), keepAxes: false);

    /// <summary>The variance over axes, which become 1 when kept.</summary>
    /// <exception cref="ShapeException">There are not elements enough, but a result is asked for.</exception>
    public static Tensor Variance(this Tensor x, int[] axes, bool keepAxes, bool unbiased = false)
    {
        axes = x.Shape.Axes(axes);
        // The elements are centred before they are squared: the mean of squares minus the square of the mean would lose
        // all digits to a large mean.
        var squares = (x - x.Mean(axes, keepAxes: true)).Square();
        if (!unbiased) return squares.Mean(axes, keepAxes);
        var count = 1;
        foreach (var axis in axes) count *= x.Shape[axis];
        if (count < 2 && x.Count > 0)
            throw new ShapeException($"variance: the axes ({string.Join(", ", axes)}) of {x.Shape} hold {count} "
                + "element, and the unbiased variance needs two.");
        return squares.Sum(axes, keepAxes) / Math.Max(1, count - 1);
    }
}
