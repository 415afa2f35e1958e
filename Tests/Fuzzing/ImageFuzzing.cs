using System.Buffers.Binary;
using Tapegrad.Datasets.Images;
using Tapegrad.Tests.Datasets.Images;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>Damaged PNG and JPEG files.</summary>
public sealed class ImageFuzzing(ITestOutputHelper output)
{
    private const long MostPixels = 1 << 16;

    // Four channels, the planes or rows that they come from, and what the file itself takes.
    private static long MayAllocate(byte[] input) => 16 * MostPixels + 64L * input.Length + (1 << 20);

    private static void Read(byte[] file) => ImageFile.Decode(file, mostPixels: MostPixels);

    [Fact]
    public void Png()
    {
        var valid = new List<byte[]>();
        var random = new Random(1);
        foreach (var (kind, depth) in ((int, int)[])[(TestPng.Grey, 1), (TestPng.Grey, 16), (TestPng.Colour, 8), (TestPng.Indexed, 4),
            (TestPng.GreyAndOpacity, 8), (TestPng.ColourAndOpacity, 16)])
            foreach (var isInterlaced in (bool[])[false, true])
            {
                var png = new TestPng(9, 5, kind, depth)
                {
                    IsInterlaced = isInterlaced,
                    Filters = [4, 1, 3, 2, 0],
                    Palette = kind == TestPng.Indexed ? new byte[48] : null,
                    Transparency = kind switch { TestPng.Indexed => [1, 2], TestPng.Grey => [0, 1], TestPng.Colour => [0, 1, 0, 2, 0, 3], _ => null },
                };
                valid.Add(png.Encode([.. Enumerable.Range(0, 45 * TestPng.SamplesOf(kind)).Select(_ => random.Next(1 << depth))]));
            }
        var fuzzer = new Fuzzer("PNG", valid, Read) { MayAllocate = MayAllocate, Mutators = [ChangeRows], Mend = MendChunks };
        foreach (var file in valid) fuzzer.CutEverywhere(file);
        fuzzer.Run(output);
    }

    [Fact]
    public void Jpeg()
    {
        byte[][] valid = [.. GoldenImages.All.Where(image => image.Picture is not null && !image.Name.StartsWith("PNG")).Select(image => image.File)];
        var fuzzer = new Fuzzer("JPEG", valid, Read) { MayAllocate = MayAllocate };
        fuzzer.CutEverywhere(valid[0]);
        fuzzer.Run(output);
    }

    // The lengths, types and CRCs of a PNG's chunks, for as long as there are any.
    private static IEnumerable<(int At, int Length)> Chunks(byte[] file)
    {
        for (var at = 8; at <= file.Length - 12;)
        {
            var length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            if (length < 0 || length > file.Length - at - 12) yield break;
            yield return (at, length);
            at += 12 + length;
        }
    }

    // Every CRC made right.
    private static byte[] MendChunks(byte[] input, Random random)
    {
        byte[] file = [.. input];
        foreach (var (at, length) in Chunks(input))
        {
            var type = System.Text.Encoding.Latin1.GetString(file, at + 4, 4);
            if (!type.Any(letter => letter > 127)) TestPng.Chunk(type, file[(at + 8)..(at + 8 + length)]).CopyTo(file, at);
        }
        return file;
    }

    // The rows unfolded, changed and folded again.
    private static byte[] ChangeRows(byte[] input, Random random)
    {
        foreach (var (at, length) in Chunks(input))
            if (input.AsSpan(at + 4, 4).SequenceEqual("IDAT"u8))
            {
                byte[] rows;
                try
                {
                    using var unfolding = new System.IO.Compression.ZLibStream(new MemoryStream(input, at + 8, length),
                        System.IO.Compression.CompressionMode.Decompress);
                    using var all = new MemoryStream();
                    unfolding.CopyTo(all);
                    rows = all.ToArray();
                }
                catch (Exception error) when (error is InvalidDataException or IOException)
                {
                    return input;
                }
                if (rows.Length == 0) return input;
                rows[random.Next(rows.Length)] = (byte)random.Next(256);
                if (random.Next(4) == 0) rows = rows[..random.Next(rows.Length)];
                return Mutators.Replace(input, at..(at + 12 + length), TestPng.Chunk("IDAT", TestPng.Compress(rows)));
            }
        return input;
    }
}
