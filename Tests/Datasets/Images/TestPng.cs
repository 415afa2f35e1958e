using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Tapegrad.Tests.Datasets.Images;

/// <summary>
/// Writes PNG files of every kind, right ones and wrong ones, from the standard's words: the seven passes by its 8x8 table of pass numbers, filters
/// byte by byte. Nothing here is shared with the reader.
/// </summary>
internal sealed record TestPng(int Width, int Height, int Kind, int Depth)
{
    public const int Grey = 0, Colour = 2, Indexed = 3, GreyAndOpacity = 4, ColourAndOpacity = 6;

    private static readonly string[] PassNumbers =
        ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"];

    /// <summary>The filter of each row, in turn over all rows of the file.</summary>
    public int[] Filters { get; init; } = [0];

    public bool IsInterlaced { get; init; }

    public byte[]? Palette { get; init; }

    public byte[]? Transparency { get; init; }

    /// <summary>The compressed data come in chunks of so many bytes.</summary>
    public int Part { get; init; } = int.MaxValue;

    /// <summary>Changes the filtered rows before they are compressed.</summary>
    public Func<byte[], byte[]> ChangeRows { get; init; } = rows => rows;

    /// <summary>Changes the compressed data.</summary>
    public Func<byte[], byte[]> ChangeStream { get; init; } = stream => stream;

    /// <summary>Changes IHDR's data.</summary>
    public Action<byte[]> ChangeHeader { get; init; } = _ => { };

    public static int SamplesOf(int kind) => kind switch { Colour => 3, GreyAndOpacity => 2, ColourAndOpacity => 4, _ => 1 };

    /// <summary>The file; samples are [height, width, samples of a pixel].</summary>
    public byte[] Encode(int[] samples)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), Height);
        (header[8], header[9], header[12]) = ((byte)Depth, (byte)Kind, (byte)(IsInterlaced ? 1 : 0));
        ChangeHeader(header);
        var stream = ChangeStream(Compress(ChangeRows(Rows(samples))));
        var parts = stream.Chunk(Math.Min(Part, Math.Max(1, stream.Length))).Select(part => Chunk("IDAT", part));
        return File([Chunk("IHDR", header), .. Palette is null ? [] : (byte[][])[Chunk("PLTE", Palette)],
            .. Transparency is null ? [] : (byte[][])[Chunk("tRNS", Transparency)], .. parts, Chunk("IEND", [])]);
    }

    public static byte[] File(params byte[][] chunks) => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, .. chunks.SelectMany(chunk => chunk)];

    public static byte[] Chunk(string type, byte[] data)
    {
        byte[] body = [.. Encoding.ASCII.GetBytes(type), .. data], chunk = [0, 0, 0, 0, .. body, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        // The remainder of the message as a polynomial, bit by bit.
        var remainder = 0xFFFFFFFFu;
        foreach (var value in body)
            for (var bit = 0; bit < 8; bit++)
            {
                var carry = (remainder ^ (uint)value >> bit) & 1;
                remainder = remainder >> 1 ^ carry * 0xEDB88320;
            }
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), ~remainder);
        return chunk;
    }

    public static byte[] Compress(byte[] rows)
    {
        using var result = new MemoryStream();
        using (var stream = new ZLibStream(result, CompressionLevel.Optimal, leaveOpen: true)) stream.Write(rows);
        return result.ToArray();
    }

    private byte[] Rows(int[] samples)
    {
        var (each, rows, count) = (SamplesOf(Kind), new List<byte>(), 0);
        for (var pass = IsInterlaced ? '1' : ' '; pass <= '7'; pass++)
        {
            byte[]? above = null;
            for (var y = 0; y < Height; y++)
            {
                int[] columns = [.. Enumerable.Range(0, Width).Where(x => !IsInterlaced || PassNumbers[y % 8][x % 8] == pass)];
                if (columns.Length == 0) continue;
                var row = Pack([.. columns.SelectMany(x => samples[((y * Width + x) * each)..((y * Width + x + 1) * each)])]);
                above ??= new byte[row.Length];
                var filter = Filters[count++ % Filters.Length];
                rows.Add((byte)filter);
                rows.AddRange(Filter(filter, row, above, Math.Max(1, each * Depth / 8)));
                above = row;
            }
            if (!IsInterlaced) break;
        }
        return [.. rows];
    }

    // The bits of all samples one after the other, filled up with zeros to a whole byte.
    private byte[] Pack(int[] samples)
    {
        var bits = string.Concat(samples.Select(sample => Convert.ToString(sample, 2).PadLeft(Depth, '0')));
        return [.. bits.PadRight((bits.Length + 7) / 8 * 8, '0').Chunk(8).Select(eight => Convert.ToByte(new string(eight), 2))];
    }

    private static IEnumerable<byte> Filter(int filter, byte[] row, byte[] above, int distance)
    {
        for (var i = 0; i < row.Length; i++)
        {
            int a = i < distance ? 0 : row[i - distance], b = above[i], c = i < distance ? 0 : above[i - distance], p = a + b - c;
            int[] nearest = [.. new[] { a, b, c }.OrderBy(value => Math.Abs(value - p))];   // stable: a before b before c
            yield return (byte)(row[i] - filter switch { 0 => 0, 1 => a, 2 => b, 3 => (a + b) / 2, _ => nearest[0] });
        }
    }
}
