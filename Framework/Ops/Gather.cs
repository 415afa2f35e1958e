using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Slices of x along an axis, picked by their indices, in any order and any number of times:
/// y[.., i, ..] = x[.., indices[i], ..]. With rows of a table, an embedding. The gradient of a slice is the sum of the
/// gradients of all its copies; two operations, each the other's gradient.
/// </summary>
public static class GatherOperation
{
    /// <summary>The slices with these indices along an axis.</summary>
    /// <exception cref="ShapeException">There is no such axis.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An index is not one of the axis.</exception>
    public static Tensor Gather(this Tensor x, int axis, params ReadOnlySpan<int> indices)
    {
        axis = x.Shape.Axis(axis);
        var length = x.Shape[axis];
        for (var i = 0; i < indices.Length; i++)
            if ((uint)indices[i] >= (uint)length)
                throw new ArgumentOutOfRangeException(nameof(indices), indices[i],
                    $"gather: index {i} is not one of the {length} of axis {axis} of"
                    + $" {x.Shape}.");
        var (outer, inner) = (1, 1);
        for (var other = 0; other < x.Shape.Rank; other++)
            if (other < axis) outer *= x.Shape[other];
            else if (other > axis) inner *= x.Shape[other];
        return Pick(x, axis, new GatherGeometry(outer, length, inner, indices.ToArray()));
    }

    private static Tensor Pick(Tensor x, int axis, GatherGeometry geometry)
    {
        var y = Tensor.Create(WithLength(x.Shape, axis, geometry.Indices.Length), x.Device);
        x.Device.Gather(geometry, x.Buffer, y.Buffer);
        return Tape.Record("gather", y, (x, (_, g) => Add(g, axis, geometry)));
    }

    private static Tensor Add(Tensor g, int axis, GatherGeometry geometry)
    {
        var x = Tensor.Create(WithLength(g.Shape, axis, geometry.Length), g.Device);
        g.Device.AddGathered(geometry, g.Buffer, x.Buffer);
        return Tape.Record("add gathered", x, (g, (_, u) => Pick(u, axis, geometry)));
    }

    private static Shape WithLength(Shape shape, int axis, int length)
    {
        var lengths = shape.Dimensions.ToArray();
        lengths[axis] = length;
        return new Shape(lengths);
    }
}
