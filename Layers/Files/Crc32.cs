namespace Tapegrad.Layers.Files;

/// <summary>
/// CRC-32 of ISO 3309: the remainder of the message as a polynomial over GF(2) by x^32 + x^26 + ... + 1, the lowest bit
/// first, begun with ones and inverted at the end.
/// </summary>
/// <remarks>
/// Here because a ZipArchive of .NET 10 does not verify what it reads, and no other class of the runtime computes this
/// sum.
/// </remarks>
internal static class Crc32
{
    private static readonly uint[] Remainders = [.. Enumerable.Range(0, 256).Select(value =>
    {
        var remainder = (uint)value;
        for (var bit = 0; bit < 8; bit++)
            remainder = (remainder & 1) == 0 ? remainder >> 1 : remainder >> 1 ^ 0xEDB88320;
        return remainder;
    })];

    /// <summary>Of a message; or of one that begins with another, whose sum is <paramref name="before"/>.</summary>
    public static uint Of(ReadOnlySpan<byte> data, uint before = 0)
    {
        var crc = ~before;
        foreach (var value in data) crc = crc >> 8 ^ Remainders[(byte)(crc ^ value)];
        return ~crc;
    }
}
