using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// A frame of equal numbers around x, or around every step-th element of it: y[.., before + i, ..] = x[.., i step, ..].
/// The gradient is what lies inside the frame, put back into zeros where a step leaves elements out.
/// </summary>
public static class PadOperation
{
    /// <summary>Adds elements before and behind each axis.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="before">Elements before each axis.</param>
    /// <param name="behind">Elements behind it.</param>
    /// <param name="value">What they are.</param>
    /// <param name="steps">Which of x's elements are inside: the first, and every step-th from there; all when not
    /// given.</param>
    /// <exception cref="ShapeException">There is not one number per axis, one is negative, or a step is 0.</exception>
    public static Tensor Pad(this Tensor x, ReadOnlySpan<int> before, ReadOnlySpan<int> behind, double value = 0,
        ReadOnlySpan<int> steps = default)
    {
        var rank = x.Shape.Rank;
        if (before.Length != rank || behind.Length != rank || steps.Length is not 0 && steps.Length != rank)
            throw new ShapeException($"pad: the shape {x.Shape} needs a number before and behind each of its {rank} "
                + "axes, and a step for each if there are any.");
        var (inside, lengths, every) = (new int[rank], new int[rank], new int[rank]);
        for (var axis = 0; axis < rank; axis++)
        {
            every[axis] = steps.IsEmpty ? 1 : steps[axis];
            if (before[axis] < 0 || behind[axis] < 0 || every[axis] < 1)
                throw new ShapeException($"pad: axis {axis} of {x.Shape} cannot get {before[axis]} before and "
                    + $"{behind[axis]} behind, in steps of {every[axis]}.");
            inside[axis] = x.Shape[axis] == 0 ? 0 : (x.Shape[axis] - 1) / every[axis] + 1;
            lengths[axis] = before[axis] + inside[axis] + behind[axis];
        }
        var shape = new Shape(lengths);
        return x.Embed(new Shape(inside), SliceOperation.WalkOf(x.Shape, new int[rank], every), shape,
            SliceOperation.WalkOf(shape, before, [.. Enumerable.Repeat(1, rank)]), value);
    }

    /// <summary>
    /// A tensor of equal numbers, but for the elements along one walk, which are x's along another one. With 0 for the
    /// number the gradient is the same the other way round.
    /// </summary>
    internal static Tensor Embed(this Tensor x, Shape extent, Walk from, Shape shape, Walk to, double value = 0)
    {
        var result = extent == shape ? x.Gather(extent, from) : x.Constant(shape, value);
        if (extent != shape) x.Device.Copy(extent, x.Buffer, from, result.Buffer, to);
        return Tape.Record("pad", result, (x, (_, g) => g.Embed(extent, to, x.Shape, from)));
    }
}
