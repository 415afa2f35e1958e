using System.Runtime.CompilerServices;

namespace Tapegrad.Devices;

/// <summary>
/// Two walks through one extent in row-major order, with as few axes as possible: axes of length 1 vanish, and neighbouring axes become one where
/// both walks go from the end of the inner one to its next beginning in the outer one's stride. The last axis that is left is the row.
/// </summary>
internal sealed class MergedWalk
{
    private readonly int[] lengths;   // of the axes outside the rows, the innermost first
    private readonly (int A, int B)[] strides;

    public MergedWalk(Shape extent, ReadOnlySpan<int> strideA, ReadOnlySpan<int> strideB)
    {
        var axes = new List<(int Length, int A, int B)>();
        for (var axis = extent.Rank - 1; axis >= 0; axis--)
        {
            var (length, a, b) = (extent[axis], strideA[axis], strideB[axis]);
            if (length == 1) continue;
            if (axes is [.., var inner] && a == inner.A * inner.Length && b == inner.B * inner.Length) axes[^1] = inner with { Length = inner.Length * length };
            else axes.Add((length, a, b));
        }
        if (axes.Count == 0) axes.Add((1, 1, 1));
        Length = axes[0].Length;
        Inner = (axes[0].A, axes[0].B);
        lengths = [.. axes.Skip(1).Select(axis => axis.Length)];
        strides = [.. axes.Skip(1).Select(axis => (axis.A, axis.B))];
        Rows = lengths.Aggregate(1, (product, length) => product * length);
    }

    /// <summary>The number of elements in a row.</summary>
    public int Length { get; }

    /// <summary>How far each walk steps from one element of a row to the next.</summary>
    public (int A, int B) Inner { get; }

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>Where each walk stands at the beginning of a row.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public (int A, int B) Row(int row)
    {
        var (a, b) = (0, 0);
        for (var axis = 0; axis < lengths.Length; axis++)
        {
            (row, var digit) = Math.DivRem(row, lengths[axis]);
            a += digit * strides[axis].A;
            b += digit * strides[axis].B;
        }
        return (a, b);
    }
}
