namespace Tapegrad.Datasets.Images;

/// <summary>
/// A Huffman code as JPEG's DHT segment gives it: how many codes there are of each length from 1 to 16, and their values in the order of the codes,
/// which are counted upwards and doubled from one length to the next (T.81, annex C).
/// </summary>
internal sealed class JpegHuffmanTable
{
    private readonly byte[] values;
    private readonly int[] ends = new int[17];      // of each length: the first code behind it, with zeros appended to 16 bits
    private readonly int[] offsets = new int[17];   // from a code of this length to the place of its value
    private readonly ushort[] beginnings = new ushort[256];   // for codes of up to 8 bits: length and value; 0 for longer ones

    /// <exception cref="InvalidDataException">There are more codes of a length than there can be.</exception>
    public JpegHuffmanTable(ReadOnlySpan<byte> counts, ReadOnlySpan<byte> values, int at)
    {
        this.values = values.ToArray();
        var (code, place) = (0, 0);
        for (var length = 1; length <= 16; length++, code <<= 1)
        {
            offsets[length] = place - code;
            if (code + counts[length - 1] > 1 << length)
                throw new InvalidDataException($"JPEG: the Huffman table at byte {at} has more codes of {length} bits than there can be.");
            for (var i = 0; i < counts[length - 1]; i++, code++, place++)
                if (length <= 8) beginnings.AsSpan(code << 8 - length, 1 << 8 - length).Fill((ushort)(length << 8 | values[place]));
            ends[length] = code << 16 - length;
        }
    }

    /// <summary>The value of the next code.</summary>
    public int Decode(ref JpegBits bits)
    {
        var next = bits.Peek();
        if (beginnings[next >> 8] is > 0 and var found)
        {
            bits.Skip(found >> 8);
            return found & 0xFF;
        }
        for (var length = 9; length <= 16; length++)
        {
            if (next >= ends[length]) continue;
            bits.Skip(length);
            return values[offsets[length] + (next >> 16 - length)];
        }
        throw new InvalidDataException($"JPEG: at byte {bits.At} stands a code that is not in the Huffman table: the image is damaged.");
    }
}
