using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Y = A B over the last two axes, [.., M, K] x [.., K, N] -> [.., M, N]; the axes in front are batches, which
/// broadcast. An operand marked as transposed is stored with its last two axes swapped. dA = G B^T, dB = A^T G, so the
/// derivative is the same operation again.
/// </summary>
public static class MatrixProductOperation
{
    /// <summary>The matrix product, batch by batch.</summary>
    /// <exception cref="ShapeException">An operand has fewer than two axes, the inner lengths differ, or the batches do
    /// not broadcast.</exception>
    public static Tensor MatrixProduct(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        Tensor.CheckDevice("matrix product", a, b);
        if (a.Shape.Rank < 2 || b.Shape.Rank < 2)
            throw new ShapeException($"matrix product: {a.Shape} and {b.Shape} must have two axes or more each.");
        var (rows, inner) = transposeA ? (a.Shape[-1], a.Shape[-2]) : (a.Shape[-2], a.Shape[-1]);
        var (innerB, columns) = transposeB ? (b.Shape[-1], b.Shape[-2]) : (b.Shape[-2], b.Shape[-1]);
        if (inner != innerB)
            throw new ShapeException($"matrix product: {a.Shape}{(transposeA ? " (transposed)" : "")} has rows of "
                + $"{inner}, but {b.Shape}{(transposeB ? " (transposed)" : "")} "
                + $"has columns of {innerB}; they must be equal.");
        var batches = Shape.Broadcast("matrix product", BatchesOf(a.Shape), BatchesOf(b.Shape));
        var value = Tensor.Create(new Shape([.. batches.Dimensions, rows, columns]), a.Device);
        a.Device.MatrixProduct(
            new MatrixProductGeometry(rows, inner, columns, transposeA, transposeB, Offsets(a.Shape, batches),
                Offsets(b.Shape, batches)),
            a.Buffer, b.Buffer, value.Buffer);
        return Tape.Record("matrix product", value,
            (a, (_, g) => transposeA ? b.MatrixProduct(g, transposeB, true) : g.MatrixProduct(b, false, !transposeB)),
            (b, (_, g) => transposeB ? g.MatrixProduct(a, true, transposeA) : a.MatrixProduct(g, !transposeA, false)));
    }

    private static Shape BatchesOf(Shape shape) => new(shape.Dimensions[..^2]);

    // Where each batch of an operand starts: the flat walk over the batches, with step 0 along those that are repeated.
    private static int[] Offsets(Shape shape, Shape batches)
    {
        Span<int> strides = stackalloc int[batches.Rank];
        BatchesOf(shape).BroadcastStrides(batches, strides);
        var offsets = new int[batches.Count];
        for (var batch = 0; batch < offsets.Length; batch++)
            for (int axis = batches.Rank - 1, rest = batch; axis >= 0; rest /= batches[axis], axis--)
                offsets[batch] += rest % batches[axis] * strides[axis] * shape[-1] * shape[-2];
        return offsets;
    }
}
