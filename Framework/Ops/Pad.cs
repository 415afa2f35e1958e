namespace Tapegrad;

/// <summary>
/// A frame of equal numbers around x: y[.., before + i, ..] = x[.., i, ..]. The gradient is the slice inside the frame.
/// </summary>
public static class PadOperation
{
    /// <summary>Adds elements before and behind each axis.</summary>
    /// <exception cref="ShapeException">There is not one number per axis, or one is negative.</exception>
    public static Tensor Pad(this Tensor x, ReadOnlySpan<int> before, ReadOnlySpan<int> behind, double value = 0)
    {
        if (before.Length != x.Shape.Rank || behind.Length != x.Shape.Rank)
            throw new ShapeException($"pad: the shape {x.Shape} needs a number before and behind each of its "
                + $"{x.Shape.Rank} axes.");
        var (lengths, steps) = (new int[x.Shape.Rank], Enumerable.Repeat(1, x.Shape.Rank).ToArray());
        for (var axis = 0; axis < lengths.Length; axis++)
        {
            if (before[axis] < 0 || behind[axis] < 0)
                throw new ShapeException($"pad: axis {axis} of {x.Shape} cannot get {before[axis]} before and "
                    + $"{behind[axis]} behind.");
            lengths[axis] = before[axis] + x.Shape[axis] + behind[axis];
        }
        return x.Embed(new Shape(lengths), before.ToArray(), steps, value);
    }

    /// <summary>Puts x into a constant tensor, in steps: the adjoint of a slice when the constant is 0.</summary>
    internal static Tensor Embed(this Tensor x, Shape shape, int[] starts, int[] steps, double value = 0)
    {
        SliceOperation.CheckInside("pad", shape, x.Shape.Dimensions, starts, steps);
        var lengths = x.Shape.Dimensions.ToArray();
        var result = x.Constant(shape, value);
        x.Copy(result, SliceOperation.WalkOf(shape, starts, steps));
        return Tape.Record("pad", result, (x, (_, g) => g.Slice(starts, lengths, steps)));
    }
}
