using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// Reads PNG (W3C Recommendation, "Portable Network Graphics", third edition, 2025): every colour type, 1 to 16 bits, plain and interlaced.
/// <code>
/// 8 bytes of signature, then chunks: length (4, big-endian), type (4 letters), data, CRC-32 of type and data (4)
/// IHDR   sizes, depth, colour type    PLTE   the colours of an indexed image    tRNS   what is transparent
/// IDAT   the rows, filtered, in one zlib stream that may be cut over several chunks    IEND   the end
/// </code>
/// </summary>
/// <remarks>
/// Stricter than most readers: every CRC and the Adler-32 sum must fit, and nothing may be missing or left over, before, between or behind. Samples
/// of 16 bits are rounded to 8, those of fewer are stretched. Gamma, colour profiles and the later frames of an animation are passed over.
/// </remarks>
public sealed class PngDecoder : IImageDecoder
{
    internal static ReadOnlySpan<byte> Signature => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> beginning) => beginning.StartsWith(Signature);

    /// <inheritdoc/>
    public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels)
    {
        var (header, stream, at) = ReadChunks(file.Span, mostPixels);
        var rows = new PngRows(header);
        if (rows.Length > Deflate.MostExpansion * stream.Length)
            throw new InvalidDataException($"PNG: {header.Width}x{header.Height} pixels need {rows.Length} bytes, and the {stream.Length} "
                + $"compressed bytes from byte {at} on cannot hold so many: the image is cut off.");
        try
        {
            using var decompressed = new ZLibStream(new MemoryStream(stream), CompressionMode.Decompress);
            return rows.Read(decompressed, BinaryPrimitives.ReadUInt32BigEndian(stream.AsSpan(stream.Length - 4)));
        }
        catch (Exception error) when (error is InvalidDataException or IOException)   // the latter for a dictionary, which PNG has not
        {
            throw new InvalidDataException($"PNG: in the compressed data from byte {at} on: {error.Message}", error);
        }
    }

    // The header and what else it takes, the compressed stream and where that begins.
    private static (PngHeader Header, byte[] Stream, int At) ReadChunks(ReadOnlySpan<byte> file, long mostPixels)
    {
        PngHeader? header = null;
        var (parts, stream, at, streamAt, previous) = (new HashSet<string>(), new MemoryStream(), Signature.Length, 0, "");
        while (previous != "IEND")
        {
            var start = at;
            var type = ReadChunk(file, ref at, out var data);
            if ((header is null) != (type == "IHDR"))
                throw new InvalidDataException($"PNG: the chunk {type} at byte {start}: IHDR comes first, and once.");
            if (type is "PLTE" or "tRNS" && (streamAt > 0 || !parts.Add(type)))
                throw new InvalidDataException($"PNG: the chunk {type} at byte {start} comes too late, or twice.");
            switch (type)
            {
                case "IHDR":
                    header = PngHeader.Read(data, start, mostPixels);
                    break;
                case "PLTE":
                    header!.ReadPalette(data, start);
                    break;
                case "tRNS":
                    header!.ReadTransparency(data, start);
                    break;
                case "IDAT" when streamAt > 0 && previous != "IDAT":
                    throw new InvalidDataException($"PNG: the chunk IDAT at byte {start} is apart from the others.");
                case "IDAT":
                    if (header!.Kind == PngHeader.Indexed && header.Palette.Length == 0)
                        throw new InvalidDataException($"PNG: no palette comes before the pixels at byte {start}.");
                    if (streamAt == 0) streamAt = start;
                    stream.Write(data);
                    break;
                case "IEND" when data.Length > 0 || stream.Length < 6 || at < file.Length:
                    throw new InvalidDataException(stream.Length < 6 ? $"PNG: it ends at byte {start} without an image."
                        : $"PNG: what lies between byte {start + 8} and the end, {file.Length}, does not belong to it.");
                case not "IEND" when char.IsAsciiLetterUpper(type[0]):
                    throw new InvalidDataException($"PNG: the chunk {type} at byte {start} is unknown, and the image cannot be read without it.");
            }
            previous = type;
        }
        return (header!, stream.ToArray(), streamAt);
    }

    private static string ReadChunk(ReadOnlySpan<byte> file, ref int at, out ReadOnlySpan<byte> data)
    {
        var (start, left) = (at, file.Length - at);
        if (left < 12) throw new InvalidDataException($"PNG: it ends at byte {file.Length}, in or before the chunk at byte {start}: it is cut off.");
        var length = BinaryPrimitives.ReadUInt32BigEndian(file[start..]);
        if (length > left - 12)
            throw new InvalidDataException($"PNG: the chunk at byte {start} says it has {length} bytes, but {left - 12} are left: it is cut off.");
        var body = file.Slice(start + 4, 4 + (int)length);
        foreach (var letter in body[..4])
            if (!char.IsAsciiLetter((char)letter)) throw new InvalidDataException($"PNG: the chunk at byte {start} has no name of four letters.");
        var type = Encoding.ASCII.GetString(body[..4]);
        if (BinaryPrimitives.ReadUInt32BigEndian(file[(start + 8 + (int)length)..]) != Crc32.Of(body))
            throw new InvalidDataException($"PNG: the chunk {type} at byte {start} is damaged: its CRC does not fit.");
        at += 12 + (int)length;
        data = body[4..];
        return type;
    }
}
