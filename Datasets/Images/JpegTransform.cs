namespace Tapegrad.Datasets.Images;

/// <summary>
/// The inverse cosine transform of a block of 8x8 coefficients F(v, u), plus 128, as bytes (T.81, A.3.3), in float, accurate to far less than a
/// level:
/// <code>
/// f(y, x) = sum over u, v of c(u) c(v) / 4 F(v, u) cos((2x + 1) u pi / 16) cos((2y + 1) v pi / 16)      c(0) = 1 / sqrt(2), c = 1 otherwise
/// </code>
/// It is one transform of eight numbers after another, along the rows and then along the columns. Its even cosines are the same from both ends and
/// its odd ones are opposite, so the sums over them give two values at once.
/// </summary>
internal static class JpegTransform
{
    // cos(k pi / 16), written down so that they are the same on every machine.
    private static readonly double[] Cosines =
    [
        1, 0.98078528040323043, 0.92387953251128674, 0.83146961230254524, 0.70710678118654757, 0.55557023301960218, 0.38268343236508978,
        0.19509032201612825, 0,
    ];

    // At 8 x + u: c(u) / 2 cos((2x + 1) u pi / 16).
    private static readonly float[] Basis = [.. Enumerable.Range(0, 32).Select(i =>
        (float)(i % 8 == 0 ? Cosines[4] / 2 : Cosine((2 * (i / 8) + 1) * (i % 8)) / 2))];

    private static double Cosine(int k) => (k %= 32) > 16 ? Cosine(32 - k) : k > 8 ? -Cosines[16 - k] : Cosines[k];

    /// <summary>Writes eight rows of eight bytes.</summary>
    /// <param name="block">The coefficients, row by row; changed.</param>
    /// <param name="isFlat">Whether all but the first are 0.</param>
    /// <param name="target">Where the first row begins.</param>
    /// <param name="stride">From a row to the next.</param>
    public static void Invert(Span<float> block, bool isFlat, Span<byte> target, int stride)
    {
        if (isFlat)
        {
            for (var y = 0; y < 8; y++) target.Slice(y * stride, 8).Fill(Level(block[0] / 8));
            return;
        }
        Span<float> half = stackalloc float[64];
        InvertRows(block, half);
        InvertRows(half, block);
        for (var y = 0; y < 8; y++)
            for (var x = 0; x < 8; x++) target[y * stride + x] = Level(block[8 * y + x]);
    }

    // Each row becomes a column: twice makes rows again.
    private static void InvertRows(ReadOnlySpan<float> rows, Span<float> columns)
    {
        for (var i = 0; i < 8; i++)
        {
            var row = rows.Slice(8 * i, 8);
            for (var x = 0; x < 4; x++)
            {
                var basis = Basis.AsSpan(8 * x, 8);
                var even = row[0] * basis[0] + row[2] * basis[2] + row[4] * basis[4] + row[6] * basis[6];
                var odd = row[1] * basis[1] + row[3] * basis[3] + row[5] * basis[5] + row[7] * basis[7];
                columns[8 * x + i] = even + odd;
                columns[8 * (7 - x) + i] = even - odd;
            }
        }
    }

    private static byte Level(float value) => (byte)Math.Clamp(MathF.Floor(value + 128.5f), 0, 255);
}
