using System.Buffers.Binary;

namespace Tapegrad.Datasets.Images;

/// <summary>The tables that a JPEG's segments have brought so far: four of each kind, and a later one takes the place of an earlier.</summary>
internal sealed class JpegTables
{
    private const int Places = 4;

    private readonly JpegHuffmanTable?[] dc = new JpegHuffmanTable[Places], ac = new JpegHuffmanTable[Places];
    private readonly int[]?[] quantization = new int[Places][];

    /// <summary>DHT: for each table whether it is for AC coefficients (4 bits), its place (4), how many codes have 1 to 16 bits (16 bytes), and what
    /// the codes mean.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public void ReadHuffman(ReadOnlySpan<byte> data, int at)
    {
        while (data.Length > 0)
        {
            var (kind, place) = (data[0] >> 4, data[0] & 15);
            var count = 0;
            for (var i = 1; i <= 16 && i < data.Length; i++) count += data[i];
            if (kind > 1 || place >= Places || count > 256 || data.Length < 17 + count)
                throw new InvalidDataException($"JPEG: the Huffman tables at byte {at} are malformed or cut off.");
            (kind == 0 ? dc : ac)[place] = new JpegHuffmanTable(data.Slice(1, 16), data.Slice(17, count), at);
            data = data[(17 + count)..];
        }
    }

    /// <summary>DQT: for each table whether its numbers have two bytes (4 bits), its place (4), and 64 numbers in zigzag order.</summary>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public void ReadQuantization(ReadOnlySpan<byte> data, int at)
    {
        while (data.Length > 0)
        {
            var (size, place) = (1 + (data[0] >> 4), data[0] & 15);
            if (size > 2 || place >= Places || data.Length < 1 + 64 * size)
                throw new InvalidDataException($"JPEG: the quantization tables at byte {at} are malformed or cut off.");
            var table = new int[64];
            for (var k = 0; k < 64; k++) table[k] = size == 1 ? data[1 + k] : BinaryPrimitives.ReadUInt16BigEndian(data[(1 + 2 * k)..]);
            quantization[place] = table;
            data = data[(1 + 64 * size)..];
        }
    }

    /// <summary>A component with its tables, as a scan reads it; null where one of them has not come.</summary>
    public JpegScanComponent? For(JpegComponent component, int dc, int ac) =>
        dc < Places && ac < Places && this.dc[dc] is { } dcTable && this.ac[ac] is { } acTable
            && quantization[component.QuantizationTable] is { } quantizationTable
            ? new JpegScanComponent(component, dcTable, acTable, quantizationTable) : null;
}
