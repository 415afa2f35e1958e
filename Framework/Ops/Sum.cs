namespace Tapegrad;

/// <summary>
/// The sum over axes; over none named, over all. The sum of nothing is 0. The gradient is repeated along the summed
/// axes.
/// </summary>
public static class SumOperation
{
    /// <summary>The sum over axes, which vanish; without axes, one number.</summary>
    public static Tensor Sum(this Tensor x, params ReadOnlySpan<int> axes) =>
        x.Sum(x.Shape.Axes(axes), keepAxes: false);

    /// <summary>The sum over axes, which become 1 when kept.</summary>
    public static Tensor Sum(this Tensor x, int[] axes, bool keepAxes)
    {
        axes = x.Shape.Axes(axes);
        var kept = x.Shape.Reduce(axes, keepAxes: true);
        var value = x.Fold(new Adding(), axes);
        if (!keepAxes) value = value.View(x.Shape.Reduce(axes, keepAxes: false));
        return Tape.Record("sum", value, (x, (_, g) => g.Reshape(kept).BroadcastTo(x.Shape)));
    }

    /// <summary>The sum over the axes along which <paramref name="shape"/> would be repeated to become x's: the adjoint
    /// of broadcasting.</summary>
    public static Tensor SumTo(this Tensor x, Shape shape)
    {
        if (x.Shape == shape) return x;
        if (!shape.BroadcastsTo(x.Shape)) throw new ShapeException($"sum to: {x.Shape} is no repetition of {shape}.");
        Span<int> axes = stackalloc int[x.Shape.Rank];
        var (count, offset) = (0, x.Shape.Rank - shape.Rank);
        for (var axis = 0; axis < axes.Length; axis++)
            if (axis < offset || (shape[axis - offset] == 1 && x.Shape[axis] != 1)) axes[count++] = axis;
        return (count > 0 ? x.Sum(axes[..count].ToArray(), keepAxes: true) : x).Reshape(shape);
    }
}
