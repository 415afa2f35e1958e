namespace Tapegrad;

/// <summary>
/// Tensors of one shape side by side along a new axis: y[.., i, ..] = the i-th tensor. Each one's gradient is its
/// slice.
/// </summary>
public static class StackOperation
{
    /// <summary>This tensor and others along a new axis; -1 puts it last.</summary>
    /// <exception cref="ShapeException">The shapes differ, or there is no such place for an axis.</exception>
    public static Tensor Stack(this Tensor first, int axis, params ReadOnlySpan<Tensor> others)
    {
        var rank = first.Shape.Rank + 1;
        if (axis < -rank || axis >= rank)
            throw new ShapeException($"stack: there is no place {axis} for a new axis in {first.Shape}; they go from "
                + $"{-rank} to {rank - 1}.");
        int[] lengths = [.. first.Shape.Dimensions];
        Shape slice = new([.. lengths[..((axis + rank) % rank)], 1, .. lengths[((axis + rank) % rank)..]]);
        var parts = new Tensor[others.Length];
        for (var i = 0; i < others.Length; i++)
        {
            if (others[i].Shape != first.Shape)
                throw new ShapeException($"stack: the shapes {first.Shape} and {others[i].Shape} differ.");
            parts[i] = others[i].Reshape([.. slice.Dimensions]);
        }
        return first.Reshape([.. slice.Dimensions]).Concatenate((axis + rank) % rank, parts);
    }
}
