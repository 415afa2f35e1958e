using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The axes in another order: axis i of the result is axis order[i] of x. The gradient is permuted back by the inverse
/// order.
/// </summary>
public static class PermuteOperation
{
    /// <summary>The axes in another order.</summary>
    /// <exception cref="ShapeException">The order does not name each axis once.</exception>
    public static Tensor Permute(this Tensor x, params ReadOnlySpan<int> order)
    {
        var shape = x.Shape.Permute(order);
        var (own, strides, inverse) = (x.Shape.Strides(), new int[order.Length], new int[order.Length]);
        for (var i = 0; i < order.Length; i++)
        {
            var axis = x.Shape.Axis(order[i]);
            strides[i] = own[axis];
            inverse[axis] = i;
        }
        return Tape.Record("permute", x.Gather(shape, new Walk(0, strides)), (x, (_, g) => g.Permute(inverse)));
    }
}
