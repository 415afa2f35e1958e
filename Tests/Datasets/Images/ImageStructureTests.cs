using System.Buffers.Binary;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

/// <summary>Files that hardly any program writes, made by hand from the definitions of their formats.</summary>
public sealed class ImageStructureTests
{
    private static readonly byte[] PngSignature = [0x89, .. "PNG"u8, 0x0D, 0x0A, 0x1A, 0x0A];

    private static byte[] PngChunk(string type, params byte[] data)
    {
        byte[] chunk = [0, 0, 0, 0, .. System.Text.Encoding.ASCII.GetBytes(type), .. data, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        return chunk;
    }

    private static byte[] PngHeader(uint width, uint height, byte bits, byte colour, byte interlaced)
    {
        var data = new byte[13];
        BinaryPrimitives.WriteUInt32BigEndian(data, width);
        BinaryPrimitives.WriteUInt32BigEndian(data.AsSpan(4), height);
        (data[8], data[9], data[12]) = (bits, colour, interlaced);
        return PngChunk("IHDR", data);
    }

    private static byte[] WebpChunk(string type, params byte[] data)
    {
        byte[] chunk = [.. System.Text.Encoding.ASCII.GetBytes(type), 0, 0, 0, 0, .. data,
            .. new byte[data.Length % 2]];
        BinaryPrimitives.WriteInt32LittleEndian(chunk.AsSpan(4), data.Length);
        return chunk;
    }

    private static byte[] Webp(params byte[][] chunks)
    {
        byte[] file = [.. "RIFF"u8, 0, 0, 0, 0, .. "WEBP"u8, .. chunks.SelectMany(chunk => chunk)];
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(4), file.Length - 8);
        return file;
    }

    // Of one pixel. The old header has 12 bytes and sizes of 2, the newer one 40 and sizes of 4.
    private static byte[] Bmp(bool isOld, int bits, int compression = 0, int rows = 54, int height = 1)
    {
        var file = new byte[58];
        "BM"u8.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(10), rows);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(14), isOld ? 12 : 40);
        file[18] = 1;
        if (isOld) BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(20), (short)height);
        else BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(22), height);
        BinaryPrimitives.WriteInt16LittleEndian(file.AsSpan(isOld ? 24 : 28), (short)bits);
        if (!isOld) BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(30), compression);
        return file;
    }

    [Theory]
    [InlineData(8, false)]
    [InlineData(16, true)]
    public void Of_a_png_a_transparent_colour_of_16_bits_is_a_flaw(byte bits, bool isFlaw)
    {
        byte[] file = [.. PngSignature, .. PngHeader(9, 9, bits, 2, 0), .. PngChunk("tRNS", 0, 1, 0, 2, 0, 3),
            .. PngChunk("IEND")];
        var structure = ImageStructure.OfPng(file);
        Assert.True(structure.IsWhole);
        Assert.Equal(isFlaw, structure.Flaw is not null);
        // Without a header there is no number of bits.
        Assert.Throws<InvalidDataException>(() => ImageFile.Decode((byte[])[.. PngSignature, .. PngChunk("tRNS")]));
    }

    // Colours of every kind, with no rows at all; and one that is narrower than the passes.
    [Theory]
    [InlineData(9, 0, "rows are missing")]
    [InlineData(9, 2, "rows are missing")]
    [InlineData(9, 3, "rows are missing")]
    [InlineData(9, 4, "rows are missing")]
    [InlineData(9, 6, "rows are missing")]
    [InlineData(4, 2, "less than 5 pixels")]
    public void Of_an_interlaced_png_rows_that_are_not_there_are_a_flaw(uint width, byte colour, string flaw)
    {
        byte[] Interlaced(uint height, params byte[] data) =>
            [.. PngSignature, .. PngHeader(width, height, 8, colour, 1), .. PngChunk("IDAT", data),
                .. PngChunk("IEND")];
        Assert.Contains(flaw, ImageStructure.OfPng(Interlaced(height: 9)).Flaw);
        Assert.Contains(flaw, ImageStructure.OfPng(Interlaced(height: 9, 1, 2, 3, 4)).Flaw);   // no rows are folded so
        if (width > 4) Assert.Null(ImageStructure.OfPng(Interlaced(height: 0)).Flaw);
    }

    [Fact]
    public void Of_a_webp_compressed_opacity_and_codes_without_loss_are_flaws()
    {
        Assert.Null(ImageStructure.OfWebp(Webp(WebpChunk("ALPH", 0, 7, 7), WebpChunk("VP8 ", 1))).Flaw);
        Assert.Contains("opacity", ImageStructure.OfWebp(Webp(WebpChunk("VP8X", 0), WebpChunk("ALPH", 1, 7, 7))).Flaw);
        Assert.Contains("without loss", ImageStructure.OfWebp(Webp(WebpChunk("VP8L", 0x2F))).Flaw);
        var file = Webp(WebpChunk("VP8 ", 1, 2, 3));
        for (var length = 0; length < file.Length; length++)
            Assert.False(ImageStructure.OfWebp(file.AsSpan(0, length)).IsWhole);
        Assert.True(ImageStructure.OfWebp(file).IsWhole);
    }

    [Fact]
    public void Of_a_bmp_run_lengths_are_a_flaw_and_both_headers_are_read()
    {
        foreach (var compression in (int[])[1, 2])
        {
            Assert.Contains("run lengths", ImageStructure.OfBmp(Bmp(isOld: false, 8, compression)).Flaw);
            Assert.Null(ImageStructure.OfBmp(Bmp(isOld: true, 24, compression)).Flaw);   // an old header knows none
        }
        foreach (var isOld in (bool[])[false, true])
        {
            Assert.Equal(new ImageStructure(true), ImageStructure.OfBmp(Bmp(isOld, 24)));
            Assert.False(ImageStructure.OfBmp(Bmp(isOld, 24, height: 2)).IsWhole);   // rows are 4 bytes each
            Assert.Contains("behind its end", ImageStructure.OfBmp(Bmp(isOld, 24, rows: 59)).Flaw);
        }
        Assert.False(ImageStructure.OfBmp(Bmp(isOld: false, 24, height: -2)).IsWhole);
    }

    private static readonly string[] PngTypes = ["IHDR", "IDAT", "tRNS", "eXIf", "IEND", "tEXt"],
        WebpTypes = ["VP8 ", "VP8L", "VP8X", "ALPH", "EXIF"];

    /// <summary>
    /// The parts of every format, in any order and of any length: whatever is not read is refused in words.
    /// </summary>
    [Property(MaxTest = 2000)]
    public void What_begins_like_an_image_and_goes_on_in_any_order_is_read_or_refused(int seed)
    {
        var random = new Random(seed);
        byte[] Bytes(int most)
        {
            var bytes = new byte[random.Next(2) * random.Next(most + 1)];
            random.NextBytes(bytes);
            return bytes;
        }
        byte[][] Parts(Func<byte[]> part) => [.. Enumerable.Range(0, random.Next(4)).Select(_ => part())];
        byte[] Any(byte[] beginning, Func<byte[]> part) =>
            [.. beginning, .. Parts(part).SelectMany(bytes => bytes), .. Bytes(9)];
        foreach (var file in (byte[][])
        [
            Any(PngSignature, () =>
                random.Next(2) == 0 ? PngHeader((uint)random.Next(9), (uint)random.Next(9), (byte)(1 << random.Next(5)),
                (byte)random.Next(7), (byte)random.Next(2))
                : PngChunk(PngTypes[random.Next(PngTypes.Length)], Bytes(9))),
            Webp(Parts(() => WebpChunk(WebpTypes[random.Next(WebpTypes.Length)], Bytes(9)))),
            Any([0xFF, 0xD8, 0xFF], () =>
                [0xFF, (byte)random.Next(0xC0, 0x100), 0, (byte)random.Next(12), .. Bytes(9)]),
            Any([.. "GIF89a"u8, .. Bytes(7)], () => [(byte)(random.Next(2) == 0 ? 0x21 : 0x2C), .. Bytes(12)]),
            Any([.. Bmp(random.Next(2) == 0, 1 << random.Next(6), random.Next(4), random.Next(70), random.Next(-2, 3))],
                () => Bytes(9)),
            Any(random.Next(2) == 0 ? [.. "II*\0"u8] : [.. "MM\0*"u8], () =>
                [0, 0, 0, (byte)random.Next(20), .. Bytes(12)]),
        ])
            try
            {
                ImageFile.Decode(file, mostPixels: 10_000);
            }
            catch (InvalidDataException error)
            {
                Assert.EndsWith(".", error.Message);
            }
    }
}
