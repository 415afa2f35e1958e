namespace Tapegrad.Datasets.Images;

/// <summary>Adler-32 (RFC 1950): a = 1 + the sum of the bytes, b = the sum of all a, both modulo 65521; b 2^16 + a.</summary>
internal struct Adler32()
{
    private uint a = 1, b;

    public void Add(ReadOnlySpan<byte> data)
    {
        foreach (var value in data)
        {
            a += value;
            if (a >= 65521) a -= 65521;
            b += a;
            if (b >= 65521) b -= 65521;
        }
    }

    public readonly uint Value => b << 16 | a;
}
