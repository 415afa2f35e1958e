namespace Tapegrad.Layers;

/// <summary>
/// The eigenvalues and eigenvectors of a symmetric matrix, A v = lambda v, by Jacobi's rotations: each turns two axes
/// so that their common entry becomes 0, and sweeps over all pairs go on until there is nothing left beside the
/// diagonal (Golub and Van Loan, "Matrix computations", section 8.5). In double. Written here because the runtime has
/// none, and the matrices of small patches need no library.
/// </summary>
internal static class SymmetricEigen
{
    private const int MostSweeps = 100;   // about ten are needed; each squares what is left

    /// <summary>All of them, the largest eigenvalue first.</summary>
    /// <param name="matrix">[n, n], symmetric, of finite numbers.</param>
    /// <returns>The eigenvalues, and the eigenvectors: of length 1, at right angles to each other.</returns>
    public static (double[] Values, double[][] Vectors) Of(double[,] matrix)
    {
        var size = matrix.GetLength(0);
        var (a, vectors) = ((double[,])matrix.Clone(), new double[size][]);   // vectors[i] turns with axis i
        for (var i = 0; i < size; i++)
        {
            vectors[i] = new double[size];
            vectors[i][i] = 1;
        }
        for (var sweep = 0; sweep < MostSweeps && Sweep(a, vectors); sweep++) { }
        int[] order = [.. Enumerable.Range(0, size).OrderByDescending(i => a[i, i])];
        return ([.. order.Select(i => a[i, i])], [.. order.Select(i => vectors[i])]);
    }

    // Whether there was something to turn.
    private static bool Sweep(double[,] a, double[][] vectors)
    {
        var turned = false;
        for (var p = 0; p < vectors.Length; p++)
            for (var q = p + 1; q < vectors.Length; q++)
            {
                if (Math.Abs(a[p, p]) + Math.Abs(a[p, q]) != Math.Abs(a[p, p])
                    || Math.Abs(a[q, q]) + Math.Abs(a[p, q]) != Math.Abs(a[q, q]))
                {
                    Rotate(a, vectors, p, q);
                    turned = true;
                }
                a[p, q] = a[q, p] = 0;
            }
        return turned;
    }

    // By the smaller of the two angles with cot(2 angle) = (a_qq - a_pp) / (2 a_pq).
    private static void Rotate(double[,] a, double[][] vectors, int p, int q)
    {
        var cotangent = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        var tangent = Math.CopySign(1 / (Math.Abs(cotangent) + Math.Sqrt(cotangent * cotangent + 1)), cotangent);
        var cosine = 1 / Math.Sqrt(tangent * tangent + 1);
        var sine = tangent * cosine;
        (a[p, p], a[q, q]) = (a[p, p] - tangent * a[p, q], a[q, q] + tangent * a[p, q]);
        for (var i = 0; i < vectors.Length; i++)
        {
            (vectors[p][i], vectors[q][i]) = Turn(vectors[p][i], vectors[q][i]);
            if (i == p || i == q) continue;
            (a[p, i], a[q, i]) = Turn(a[p, i], a[q, i]);
            (a[i, p], a[i, q]) = (a[p, i], a[q, i]);
        }

        (double, double) Turn(double ofP, double ofQ) => (cosine * ofP - sine * ofQ, sine * ofP + cosine * ofQ);
    }
}
