using System.Buffers.Binary;
using System.IO.Compression;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// What ImageSharp does not say of a file, or gets wrong, seen without decoding: whether it goes on to its end; whether
/// it is of a kind whose pixels come out wrong (version 2.1.13, found beside other decoders); and a PNG's Exif data,
/// which would cost the unfolding of any text beside them.
/// </summary>
/// <param name="IsWhole">Whether the file goes on to the image's end.</param>
/// <param name="Flaw">Why it would be read wrongly; null where it would not.</param>
/// <param name="Exif">Of a PNG that has some.</param>
internal sealed record ImageStructure(bool IsWhole, string? Flaw = null, byte[]? Exif = null)
{
    // A JPEG of many scans takes the time of as many images; ten are usual.
    private const int MostScans = 100;

    /// <summary>
    /// Segments FF, code, length (2 bytes, themselves included), ...; behind a start of scan, data up to the next
    /// marker (ITU T.81, annex B).
    /// </summary>
    public static ImageStructure OfJpeg(ReadOnlySpan<byte> file)
    {
        const byte endOfImage = 0xD9, startOfScan = 0xDA, restartInterval = 0xDD;
        var (scans, restarts, isWhole) = (0, false, false);
        for (var at = 2; at + 1 < file.Length && !isWhole;)
        {
            var code = file[at + 1];
            // data, filler, and marks between data
            if (file[at] != 0xFF || code is 0 or 0xFF or >= 0xD0 and <= 0xD7) at++;
            else if (code == endOfImage) isWhole = true;
            else if (at + 6 > file.Length) break;
            else
            {
                if (code == startOfScan) scans++;
                restarts |= code == restartInterval && BinaryPrimitives.ReadUInt16BigEndian(file[(at + 4)..]) != 0;
                at += 2 + Math.Max((ushort)2, BinaryPrimitives.ReadUInt16BigEndian(file[(at + 2)..]));
            }
        }
        return new ImageStructure(isWhole, scans > MostScans ? $"it has {scans} scans; at most {MostScans} are read"
            : scans > 1 && restarts ? "it has several scans and restart markers" : null);
    }

    /// <summary>
    /// 8 bytes, then chunks: length (4 bytes), type (4), data, CRC (4). The first one's type is IHDR, with width,
    /// height (4 bytes each), bits, colour, compression, filter and interlacing (1 each); the last one's IEND.
    /// </summary>
    public static ImageStructure OfPng(ReadOnlySpan<byte> file)
    {
        const int endOfHeader = 8 + 12 + 13;
        if (file.Length < endOfHeader) return new ImageStructure(false, "its header is cut off");
        using var rows = new MemoryStream();   // of an interlaced image, compressed
        var (exif, flaw, isWhole, isInterlaced) = ((byte[]?)null, (string?)null, false, file[28] != 0);
        for (var at = 8L; at + 12 <= file.Length && !isWhole;)
        {
            var chunk = file[(int)at..];
            var length = BinaryPrimitives.ReadUInt32BigEndian(chunk);
            if (length > chunk.Length - 12) break;
            var data = chunk.Slice(8, (int)length);
            isWhole = chunk[4..].StartsWith("IEND"u8);
            if (chunk[4..].StartsWith("eXIf"u8)) exif = data.ToArray();
            if (chunk[4..].StartsWith("tRNS"u8) && file[24] == 16)
                flaw = "it has 16 bits a sample and a transparent colour";
            if (isInterlaced && chunk[4..].StartsWith("IDAT"u8)) rows.Write(data);
            at += 12 + length;
        }
        if (isInterlaced) flaw ??= FlawOfPasses(file[16..], rows);
        return new ImageStructure(isWhole, flaw, exif);
    }

    // ImageSharp waits for ever for rows that are missing in an interlaced image, and loses its place where a pass has
    // no columns.
    private static string? FlawOfPasses(ReadOnlySpan<byte> header, MemoryStream rows)
    {
        var (width, height) = (BinaryPrimitives.ReadUInt32BigEndian(header),
            BinaryPrimitives.ReadUInt32BigEndian(header[4..]));
        var bits = header[8] * header[9] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        // The first column and row of each pass, and how many to the next.
        (uint X, uint Y, uint Right, uint Down)[] passes =
            [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)];
        if (width < 5) return "it is interlaced, and less than 5 pixels wide";
        // In doubles, which a size that cannot be does not overflow.
        var missing = passes.Sum(pass =>
            (1 + Math.Ceiling((double)((width - pass.X + pass.Right - 1) / pass.Right) * bits / 8))
            * Math.Ceiling(Math.Max(0.0, (double)height - pass.Y) / pass.Down));
        rows.Position = 0;
        using var unfolded = new ZLibStream(rows, CompressionMode.Decompress);
        var part = new byte[1 << 16];
        try
        {
            for (int count; missing > 0 && (count = unfolded.Read(part)) > 0;) missing -= count;
        }
        catch (InvalidDataException)
        {
        }
        return missing > 0 ? "it is interlaced, and rows are missing" : null;
    }

    /// <summary>
    /// RIFF, length (4 bytes), WEBP, then chunks: type (4 bytes), length (4), data, filled up to an even length.
    /// </summary>
    public static ImageStructure OfWebp(ReadOnlySpan<byte> file)
    {
        if (file.Length < 12) return new ImageStructure(false);
        string? flaw = null;
        for (var at = 12L; at + 8 < file.Length;)
        {
            var chunk = file[(int)at..];
            // Its opacity comes out wrong; and codes without loss take a gigabyte by the word of a few bytes.
            if (chunk.StartsWith("ALPH"u8) && (chunk[8] & 3) != 0) flaw = "its opacity is compressed";
            if (chunk.StartsWith("VP8L"u8)) flaw = "it is compressed without loss";
            at += 8 + ((long)BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]) + 1 & ~1L);
        }
        return new ImageStructure(8L + BinaryPrimitives.ReadUInt32LittleEndian(file[4..]) <= file.Length, flaw);
    }

    /// <summary>
    /// Where the rows begin at byte 10; width, height (negative from top to bottom), bits a pixel and compression from
    /// byte 18 on. Rows are filled up to a multiple of 4 bytes.
    /// </summary>
    public static ImageStructure OfBmp(ReadOnlySpan<byte> file)
    {
        const int oldHeader = 12, runs8 = 1, runs4 = 2;
        if (file.Length < 34) return new ImageStructure(false, "its header is cut off");
        var isOld = BinaryPrimitives.ReadInt32LittleEndian(file[14..]) == oldHeader;
        long rows = BinaryPrimitives.ReadUInt32LittleEndian(file[10..]);
        long width = isOld ? BinaryPrimitives.ReadUInt16LittleEndian(file[18..])
            : BinaryPrimitives.ReadInt32LittleEndian(file[18..]);
        long height = isOld ? BinaryPrimitives.ReadUInt16LittleEndian(file[20..])
            : BinaryPrimitives.ReadInt32LittleEndian(file[22..]);
        var bits = BinaryPrimitives.ReadUInt16LittleEndian(file[(isOld ? 24 : 28)..]);
        var isRuns = !isOld && BinaryPrimitives.ReadInt32LittleEndian(file[30..]) is runs8 or runs4;
        // What lies before the rows is taken for colours.
        return new ImageStructure(rows + (decimal)((width * bits + 31) / 32 * 4) * Math.Abs(height) <= file.Length,
            isRuns ? "it is compressed by run lengths" : rows > file.Length
            ? "its rows are said to begin behind its end" : null);
    }

    /// <summary>
    /// 13 bytes, colours, then blocks: 21, a label, parts; or 2C, 9 bytes, colours, a byte, parts: an image, of which
    /// the first counts. A part is its length (a byte) and so many bytes; the last one's length is 0.
    /// </summary>
    public static ImageStructure OfGif(ReadOnlySpan<byte> file)
    {
        const byte extension = 0x21, image = 0x2C;
        for (var at = file.Length < 13 ? file.Length : 13 + Colours(file[10]); at < file.Length;)
        {
            var block = file[at];
            at += block == extension ? 2 : block == image && at + 9 < file.Length ? 11 + Colours(file[at + 9])
                : file.Length;
            while (at < file.Length && file[at] != 0) at += 1 + file[at];
            if (block == image) return new ImageStructure(at < file.Length);
            at++;
        }
        return new ImageStructure(false);

        // Three bytes a colour, where there is a table of them.
        static int Colours(byte flags) => (flags & 0x80) == 0 ? 0 : 3 << (flags & 7) + 1;
    }
}
