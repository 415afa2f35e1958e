namespace Tapegrad.Datasets.Images;

/// <summary>
/// CRC-32 of ISO 3309: the remainder of the message as a polynomial over GF(2) by x^32 + x^26 + ... + 1, the lowest bit first, begun with ones and
/// inverted at the end.
/// </summary>
internal static class Crc32
{
    private static readonly uint[] Remainders = [.. Enumerable.Range(0, 256).Select(value =>
    {
        var remainder = (uint)value;
        for (var bit = 0; bit < 8; bit++) remainder = (remainder & 1) == 0 ? remainder >> 1 : remainder >> 1 ^ 0xEDB88320;
        return remainder;
    })];

    public static uint Of(ReadOnlySpan<byte> data)
    {
        var crc = uint.MaxValue;
        foreach (var value in data) crc = crc >> 8 ^ Remainders[(byte)(crc ^ value)];
        return ~crc;
    }
}

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
