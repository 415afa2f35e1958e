using System.Buffers.Binary;
using Tapegrad.Datasets.Images;
using Tapegrad.Layers.Files;
using Tapegrad.Tests.Datasets.Images;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>Damaged image files of every kind.</summary>
public sealed class ImageFuzzing(ITestOutputHelper output)
{
    private const long MostPixels = 1 << 16;

    // 16 bytes for each pixel that may be, also where units of 32 pixels stick out; the picture; what the file takes;
    // tables.
    private static long MayAllocate(byte[] input) =>
        24 * MostPixels + 24 * 32 * MostPixels / 8 + 128L * input.Length + (24 << 20);

    [Theory]
    [InlineData("JPEG")]
    [InlineData("PNG")]
    [InlineData("WebP")]
    [InlineData("BMP")]
    [InlineData("GIF")]
    [InlineData("TIFF")]
    public void Damaged_files_are_read_or_refused(string kind)
    {
        byte[][] valid = [.. GoldenImages.All.Where(image => image.Picture is not null
            && (kind == "JPEG" ? image.IsJpeg : image.Name.StartsWith(kind, StringComparison.Ordinal))).Select(image =>
            image.File)];
        new Fuzzer(kind, valid, file => ImageFile.Decode(file, mostPixels: MostPixels))
        {
            MayAllocate = MayAllocate,
            Mend = kind == "PNG" ? MendChunks : null,
            Patience = TimeSpan.FromSeconds(60),
        }.Run(output);
    }

    // Every CRC of a PNG made right.
    private static byte[] MendChunks(byte[] input, Random random)
    {
        byte[] file = [.. input];
        for (var at = 8; at <= file.Length - 12;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            if (length < 0 || length > file.Length - at - 12) break;
            BinaryPrimitives.WriteUInt32BigEndian(file.AsSpan(at + 8 + length),
                Crc32.Of(file.AsSpan(at + 4, 4 + length)));
            at += 12 + length;
        }
        return file;
    }
}
