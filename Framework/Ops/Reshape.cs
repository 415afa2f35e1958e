namespace Tapegrad;

/// <summary>
/// The same numbers in the same order under another shape; nothing is copied. The gradient is reshaped back. One length
/// may be -1: it follows from the others.
/// </summary>
public static class ReshapeOperation
{
    /// <summary>The same numbers with other axes.</summary>
    /// <exception cref="ShapeException">The number of elements would change.</exception>
    public static Tensor Reshape(this Tensor x, params ReadOnlySpan<int> dimensions) =>
        x.Reshape(x.Shape.Reshape(dimensions));

    /// <summary>The same numbers under another shape.</summary>
    /// <exception cref="ShapeException">The number of elements would change.</exception>
    public static Tensor Reshape(this Tensor x, Shape shape) => shape == x.Shape ? x
        : Tape.Record("reshape", x.View(x.Shape.Reshape(shape.Dimensions)), (x, (_, g) => g.Reshape(x.Shape)));
}
