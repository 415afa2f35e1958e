using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Two walks through one extent in row-major order, with as few axes as possible: axes of length 1 vanish, and
/// neighbouring axes become one where both walks go from the end of the inner one to its next beginning in the outer
/// one's stride. The last axis that is left is the row.
/// </summary>
internal readonly struct MergedWalk
{
    [InlineArray(Shape.MaximumRank)]
    private struct Axes
    {
        private (int Length, int A, int B) first;
    }

    private readonly Axes axes;   // the row, then outwards
    private readonly int rank;

    public MergedWalk(Shape extent, ReadOnlySpan<int> strideA, ReadOnlySpan<int> strideB)
    {
        Span<(int Length, int A, int B)> merged = axes;
        for (var axis = extent.Rank - 1; axis >= 0; axis--)
        {
            var (length, a, b) = (extent[axis], strideA[axis], strideB[axis]);
            if (length == 1) continue;
            if (rank > 0 && merged[rank - 1] is var inner && a == inner.A * inner.Length && b == inner.B * inner.Length)
                merged[rank - 1].Length *= length;
            else merged[rank++] = (length, a, b);
        }
        if (rank == 0) merged[rank++] = (1, 1, 1);
        Rows = 1;
        foreach (var (length, _, _) in merged[1..rank]) Rows *= length;
    }

    /// <summary>The number of elements in a row.</summary>
    public int Length => axes[0].Length;

    /// <summary>How far each walk steps from one element of a row to the next.</summary>
    public (int A, int B) Inner => (axes[0].A, axes[0].B);

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    // Where each walk stands at the beginning of a row.
    private (int A, int B) Row(int row)
    {
        var (a, b) = (0, 0);
        for (var axis = 1; axis < rank; axis++)
        {
            (row, var digit) = Math.DivRem(row, axes[axis].Length);
            a += digit * axes[axis].A;
            b += digit * axes[axis].B;
        }
        return (a, b);
    }

    /// <summary>
    /// Where each walk stands, row after row. Along the axis that the rows lie in it only steps: the divisions that
    /// find any row take longer than a short row itself.
    /// </summary>
    public unsafe ref struct Places
    {
        private readonly MergedWalk* walk;
        private int row;
        private int left;   // rows along the axis, with this one

        public Places(MergedWalk* walk, int row)
        {
            this.walk = walk;
            this.row = row;
            Find();
        }

        public int A { get; private set; }

        public int B { get; private set; }

        /// <summary>Goes to the next row.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void MoveNext()
        {
            row++;
            left--;
            if (left <= 0) Find();
            else (A, B) = (A + walk->axes[1].A, B + walk->axes[1].B);
        }

        // Behind the last row: anywhere.
        [MethodImpl(MethodImplOptions.NoInlining)]
        private void Find()
        {
            (A, B) = walk->Row(row);
            if (walk->rank > 1) left = walk->axes[1].Length - row % walk->axes[1].Length;
        }
    }
}
