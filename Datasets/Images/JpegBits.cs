namespace Tapegrad.Datasets.Images;

/// <summary>
/// The bits of a JPEG's compressed data, the highest of each byte first. A byte FF stands there as FF 00; FF and another byte is a marker, where the
/// data end.
/// </summary>
internal ref struct JpegBits(ReadOnlySpan<byte> file, int at)
{
    private readonly ReadOnlySpan<byte> file = file;
    private uint bits;      // the lowest 'count' of them are waiting
    private int count;
    private int missing;    // how many of these are zeros that stand behind the end, to look at but not to take

    /// <summary>The byte that is read next.</summary>
    public int At { get; private set; } = at;

    /// <summary>The next 16 bits; zeros behind the end.</summary>
    public int Peek()
    {
        while (count < 16)
        {
            var value = At < file.Length ? file[At] : (byte)0xFF;
            var isEnd = value == 0xFF && (At + 1 >= file.Length || file[At + 1] != 0);
            bits = bits << 8 | (isEnd ? 0u : value);
            count += 8;
            if (isEnd) missing += 8;
            else At += value == 0xFF ? 2 : 1;
        }
        return (int)(bits >> count - 16 & 0xFFFF);
    }

    /// <summary>Goes on by up to 16 bits, which have been looked at.</summary>
    /// <exception cref="InvalidDataException">There are not so many.</exception>
    public void Skip(int length)
    {
        count -= length;
        if (count < missing)
            throw new InvalidDataException($"JPEG: the compressed data end at byte {At} in the middle of the image: it is cut off or damaged.");
    }

    /// <summary>
    /// A signed number of so many bits, up to 15: one that begins with 1 is itself, one that begins with 0 is 2^length - 1 too large (T.81, F.2.2.1).
    /// </summary>
    public int Signed(int length)
    {
        if (length == 0) return 0;
        var value = Peek() >> 16 - length;
        Skip(length);
        return value >> length - 1 == 1 ? value : value - (1 << length) + 1;
    }

    /// <summary>Ends a piece of data: what is left of a byte is filler, and nothing else may be left before the marker.</summary>
    public void End()
    {
        Peek();
        if (count - missing >= 8 || missing == 0)
            throw new InvalidDataException($"JPEG: compressed data are left over before byte {At}: the image is damaged.");
        (bits, count, missing) = (0, 0, 0);
    }

    /// <summary>Takes a marker of two bytes.</summary>
    public void TakeMarker(byte code)
    {
        if (At + 2 > file.Length || file[At] != 0xFF || file[At + 1] != code)
            throw new InvalidDataException($"JPEG: the restart marker FF{code:X2} is not at byte {At}: the image is cut off or damaged.");
        At += 2;
    }
}
