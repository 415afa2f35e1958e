using System.Buffers.Binary;
using System.IO.Compression;

namespace Tapegrad.Datasets.Images;

/// <summary>Writes PNG files of 8 bits a sample: grey or colour, with opacity or without. <see cref="PngDecoder"/> says how they look.</summary>
public static class PngEncoder
{
    /// <summary>The bytes of a PNG file. Equal pictures give equal bytes.</summary>
    public static byte[] Encode(Picture picture)
    {
        var (stride, channels) = (picture.Width * picture.Channels, picture.Channels);
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, picture.Width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), picture.Height);
        header[8] = 8;
        header[9] = (byte)(channels switch
        {
            1 => PngHeader.Grey,
            2 => PngHeader.GreyAndOpacity,
            3 => PngHeader.Colour,
            _ => PngHeader.ColourAndOpacity,
        });
        using var rows = new MemoryStream();
        using (var compressed = new ZLibStream(rows, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            var above = new byte[stride];
            var filtered = new byte[1 + stride];
            filtered[0] = 4;   // Paeth's guess suits drawings and photographs alike
            for (var y = 0; y < picture.Height; y++)
            {
                var row = picture.Pixels.AsSpan(y * stride, stride);
                for (var i = 0; i < stride; i++)
                    filtered[1 + i] = (byte)(row[i] - (i < channels ? above[i] : PngRows.Paeth(row[i - channels], above[i], above[i - channels])));
                compressed.Write(filtered);
                row.CopyTo(above);
            }
        }
        using var file = new MemoryStream();
        file.Write(PngDecoder.Signature);
        WriteChunk(file, "IHDR"u8, header);
        WriteChunk(file, "IDAT"u8, rows.ToArray());
        WriteChunk(file, "IEND"u8, []);
        return file.ToArray();
    }

    private static void WriteChunk(Stream file, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[4];
        byte[] body = [.. type, .. data];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        file.Write(number);
        file.Write(body);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc32.Of(body));
        file.Write(number);
    }
}
