namespace Tapegrad;

/// <summary>
/// Tensors behind one another along an axis; all other axes are equal. Each one's gradient is its slice.
/// </summary>
public static class ConcatenateOperation
{
    /// <summary>This tensor and others behind one another along an axis.</summary>
    /// <exception cref="ShapeException">Another axis differs.</exception>
    public static Tensor Concatenate(this Tensor first, int axis, params ReadOnlySpan<Tensor> others)
    {
        axis = first.Shape.Axis(axis);
        Tensor[] parts = [first, .. others];
        var lengths = first.Shape.Dimensions.ToArray();
        lengths[axis] = 0;
        foreach (var part in parts)
        {
            Tensor.CheckDevice("concatenate", first, part);
            if (part.Shape.Rank != first.Shape.Rank
                || part.Shape.Reduce([axis], keepAxes: true) != first.Shape.Reduce([axis], keepAxes: true))
                throw new ShapeException(
                    $"concatenate: {first.Shape} and {part.Shape} differ in more than axis {axis}.");
            lengths[axis] += part.Shape[axis];
        }
        var result = Tensor.Create(new Shape(lengths), first.Device);
        var (inputs, steps) = (new (Tensor, Pull)[parts.Length], Enumerable.Repeat(1, lengths.Length).ToArray());
        var start = 0;
        for (var i = 0; i < parts.Length; i++)
        {
            var (part, begin, starts) = (parts[i], start, new int[lengths.Length]);
            starts[axis] = begin;
            part.Copy(result, SliceOperation.WalkOf(result.Shape, starts, steps));
            inputs[i] = (part, (_, g) => g.Slice(axis, begin, part.Shape[axis]));
            start += part.Shape[axis];
        }
        return Tape.Record("concatenate", result, inputs);
    }
}
