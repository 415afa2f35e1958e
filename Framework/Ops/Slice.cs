using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Every step-th element of an axis, from a start on: y[.., i, ..] = x[.., start + i step, ..]. The gradient is put
/// back into zeros (see <see cref="PadOperation"/>).
/// </summary>
public static class SliceOperation
{
    /// <summary>Elements start, start + step, ... of an axis, <paramref name="length"/> of them.</summary>
    /// <exception cref="ShapeException">The slice reaches outside the axis.</exception>
    public static Tensor Slice(this Tensor x, int axis, int start, int length, int step = 1)
    {
        var (starts, lengths, steps) = (new int[x.Shape.Rank], x.Shape.Dimensions.ToArray(),
            Enumerable.Repeat(1, x.Shape.Rank).ToArray());
        axis = x.Shape.Axis(axis);
        (starts[axis], lengths[axis], steps[axis]) = (start, length, step);
        return x.Slice(starts, lengths, steps);
    }

    /// <summary>A slice of every axis.</summary>
    /// <exception cref="ShapeException">The slice reaches outside an axis.</exception>
    public static Tensor Slice(this Tensor x, int[] starts, int[] lengths, int[] steps)
    {
        CheckInside(x.Shape, lengths, starts, steps);
        var (extent, walk) = (new Shape(lengths), WalkOf(x.Shape, starts, steps));
        return Tape.Record("slice", x.Gather(extent, walk),
            (x, (_, g) => g.Embed(extent, new Walk(0, extent.Strides()), x.Shape, walk)));
    }

    /// <summary>The walk through a tensor of the given shape that a slice takes.</summary>
    internal static Walk WalkOf(Shape shape, ReadOnlySpan<int> starts, ReadOnlySpan<int> steps)
    {
        var (offset, strides) = (0, shape.Strides());
        for (var axis = 0; axis < strides.Length; axis++)
        {
            offset += starts[axis] * strides[axis];
            strides[axis] *= steps[axis];
        }
        return new Walk(offset, strides);
    }

    private static void CheckInside(Shape shape, ReadOnlySpan<int> lengths, int[] starts, int[] steps)
    {
        if (starts.Length != shape.Rank || lengths.Length != shape.Rank || steps.Length != shape.Rank)
            throw new ShapeException($"slice: the shape {shape} needs a start, a length and a step for each of its "
                + $"{shape.Rank} axes.");
        for (var axis = 0; axis < shape.Rank; axis++)
        {
            var (start, length, step) = (starts[axis], lengths[axis], steps[axis]);
            var last = start + (length - 1L) * step;
            if (step < 1 || length < 0 || start < 0 || (length > 0 && last >= shape[axis]) || start > shape[axis])
                throw new ShapeException($"slice: {length} elements from {start} in steps of {step} do not lie "
                    + $"inside axis {axis} of {shape}.");
        }
    }
}
