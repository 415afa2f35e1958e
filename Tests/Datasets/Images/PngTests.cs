using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

public sealed class PngTests
{
    private static readonly (int Kind, int Depth)[] Kinds =
    [
        (TestPng.Grey, 1), (TestPng.Grey, 2), (TestPng.Grey, 4), (TestPng.Grey, 8), (TestPng.Grey, 16), (TestPng.Colour, 8), (TestPng.Colour, 16),
        (TestPng.Indexed, 1), (TestPng.Indexed, 2), (TestPng.Indexed, 4), (TestPng.Indexed, 8), (TestPng.GreyAndOpacity, 8),
        (TestPng.GreyAndOpacity, 16), (TestPng.ColourAndOpacity, 8), (TestPng.ColourAndOpacity, 16),
    ];

    // Sizes at which passes of an interlaced image are empty, or end in the middle of a byte.
    private static readonly (int Width, int Height)[] Sizes = [(1, 1), (2, 1), (1, 5), (3, 2), (4, 4), (5, 3), (8, 8), (9, 13), (17, 7)];

    private static Picture Decode(byte[] file, long mostPixels = 1000) => ImageFile.Decode(file, mostPixels: mostPixels);

    private static string Refusal(byte[] file, long mostPixels = 1000) =>
        Assert.Throws<InvalidDataException>(() => Decode(file, mostPixels)).Message;

    private static int[] Samples(TestPng png, Random random) =>
        [.. Enumerable.Range(0, png.Width * png.Height * TestPng.SamplesOf(png.Kind)).Select(_ => random.Next(1 << png.Depth))];

    // What the standard says a file shows.
    private static byte[] Expected(TestPng png, int[] samples)
    {
        byte Level(int sample) => (byte)Math.Round(255.0 * sample / ((1 << png.Depth) - 1), MidpointRounding.AwayFromZero);
        var pixels = samples.Chunk(TestPng.SamplesOf(png.Kind));
        if (png.Kind == TestPng.Indexed)
            return [.. pixels.SelectMany(pixel => png.Palette![(3 * pixel[0])..(3 * pixel[0] + 3)]
                .Concat(png.Transparency is null ? [] : (byte[])[pixel[0] < png.Transparency.Length ? png.Transparency[pixel[0]] : (byte)255]))];
        int[]? gone = png.Transparency?.Chunk(2).Select(pair => (pair[0] << 8) + pair[1]).ToArray();
        return [.. pixels.SelectMany(pixel => pixel.Select(Level).Concat(gone is null ? [] :
            (byte[])[pixel.SequenceEqual(gone) ? (byte)0 : (byte)255]))];
    }

    [Fact]
    public void Reads_every_kind_depth_size_filter_and_interlace()
    {
        var random = new Random(1);
        foreach (var (kind, depth) in Kinds)
            foreach (var (width, height) in Sizes)
                foreach (var isInterlaced in (bool[])[false, true])
                    for (var filter = 0; filter <= 5; filter++)
                    {
                        var palette = kind == TestPng.Indexed ? new byte[3 << depth] : null;
                        random.NextBytes(palette ?? []);
                        var png = new TestPng(width, height, kind, depth)
                        {
                            Filters = filter < 5 ? [filter] : [4, 1, 3, 2, 0, 4, 2],
                            IsInterlaced = isInterlaced,
                            Palette = palette,
                            Part = 1 + random.Next(40),
                        };
                        var samples = Samples(png, random);
                        var picture = Decode(png.Encode(samples));
                        Assert.Equal((height, width), (picture.Height, picture.Width));
                        Assert.True(Expected(png, samples).SequenceEqual(picture.Pixels), $"{png}, filter {filter}");
                    }
    }

    [Fact]
    public void Reads_what_is_transparent_before_its_bits_are_lost()
    {
        var random = new Random(2);
        foreach (var (kind, depth) in Kinds.Where(kind => kind.Kind < TestPng.GreyAndOpacity))
        {
            var png = new TestPng(9, 6, kind, depth) { Palette = kind == TestPng.Indexed ? new byte[3 << depth] : null };
            random.NextBytes(png.Palette ?? []);
            var samples = Samples(png, random);
            // The first pixel's value, and of indices the first two.
            png = png with
            {
                Transparency = kind == TestPng.Indexed ? [7, 99] : [.. samples[..TestPng.SamplesOf(kind)].SelectMany(s =>
                    (byte[])[(byte)(s >> 8), (byte)s])],
            };
            if (depth == 16) samples[TestPng.SamplesOf(kind)] = samples[0] ^ 1;   // differs in a bit that is lost
            var picture = Decode(png.Encode(samples));
            Assert.Equal(kind == TestPng.Grey ? 2 : 4, picture.Channels);
            Assert.Equal(Expected(png, samples), picture.Pixels);
        }
        // Of the two bytes only the bits count that a sample has.
        Assert.Equal([255, 0], Decode(new TestPng(1, 1, TestPng.Grey, 2) { Transparency = [0xFF, 0xFF] }.Encode([3])).Pixels);
    }

    [Fact]
    public void Reads_again_what_it_wrote()
    {
        var random = new Random(3);
        for (var i = 0; i < 40; i++)
        {
            var (height, width, channels) = (1 + random.Next(9), 1 + random.Next(9), 1 + i % 4);
            var pixels = new byte[height * width * channels];
            random.NextBytes(pixels);
            var picture = Decode(PngEncoder.Encode(new Picture(height, width, channels, pixels)));
            Assert.Equal((height, width, channels), (picture.Height, picture.Width, picture.Channels));
            Assert.Equal(pixels, picture.Pixels);
        }
    }

    // 4 x 3 pixels of 2 bits: every row is a filter and a byte.
    private static readonly TestPng Small = new(4, 3, TestPng.Grey, 2);
    private static readonly int[] SmallSamples = [.. Enumerable.Range(0, 12).Select(i => i % 4)];

    [Fact]
    public void A_file_cut_off_at_any_byte_is_refused()
    {
        var file = (Small with { Part = 5 }).Encode(SmallSamples);
        Assert.Equal([0, 85, 170, 255], Decode(file).Pixels[..4]);
        for (var length = 0; length < file.Length; length++)
            Assert.Contains(length < 8 ? "the file" : $"it ends at byte {length}", CutOffAt(file, length));
        Assert.Contains($"between byte {file.Length - 4} and the end, {file.Length + 1}, does not belong", Refusal([.. file, 0]));

        // In the middle of a chunk's data its length is what shows it.
        static string CutOffAt(byte[] file, int length)
        {
            var message = Refusal(file[..length]);
            return message.Contains("are left: it is cut off") ? $"it ends at byte {length}" : message;
        }
    }

    [Fact]
    public void A_changed_bit_anywhere_is_noticed()
    {
        var file = Small.Encode(SmallSamples);
        for (var bit = 0; bit < 8 * file.Length; bit++)
        {
            var changed = file.ToArray();
            changed[bit / 8] ^= (byte)(1 << bit % 8);
            Refusal(changed);
        }
    }

    [Fact]
    public void Rows_that_are_missing_left_over_or_of_an_unknown_filter_are_refused()
    {
        Assert.Contains("it ends in row 2", Refusal((Small with { ChangeRows = rows => rows[..^1] }).Encode(SmallSamples)));
        Assert.Contains("goes on behind the last row, 2", Refusal((Small with { ChangeRows = rows => [.. rows, 0] }).Encode(SmallSamples)));
        Assert.Contains("row 1 has filter 5", Refusal((Small with { Filters = [0, 5, 0] }).Encode(SmallSamples)));
        var cut = Refusal((Small with { ChangeStream = stream => stream[..^1] }).Encode(SmallSamples));
        Assert.Contains("in the compressed data from byte 33 on", cut);
        Assert.Contains("something stands behind it", Refusal((Small with { ChangeStream = stream => [.. stream, 0] }).Encode(SmallSamples)));
        Assert.Contains("from byte 33 on", Refusal((Small with
        {
            ChangeStream = stream =>
            [.. stream[..^1], (byte)~stream[^1]]
        }).Encode(SmallSamples)));
        byte[] withDictionary = [0x78, 0x20, 3, 4, 5, 6, 7, 8];
        Assert.Contains("from byte 33 on", Refusal((Small with { ChangeStream = _ => withDictionary }).Encode(SmallSamples)));
        Assert.Contains("from byte 33 on", Refusal((Small with { ChangeStream = _ => [1, 2, 3, 4, 5, 6] }).Encode(SmallSamples)));
    }

    [Fact]
    public void A_promise_that_the_file_cannot_keep_is_refused_before_memory_is_taken()
    {
        byte[] Promise(int width, int height) => new TestPng(1, 1, TestPng.Grey, 8)
        {
            ChangeHeader = header => (header[2], header[3], header[6], header[7]) = ((byte)(width >> 8), (byte)width, (byte)(height >> 8),
                (byte)height),
        }.Encode([1]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("8000x8000 pixels, more than the 63999999", Refusal(Promise(8000, 8000), 63_999_999));
        Assert.Contains("cannot hold so many", Refusal(Promise(8000, 8000), 64_000_000));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
        Assert.Contains("it ends in row 1", Refusal(Promise(1, 2)));
    }

    [Theory]
    [InlineData("0x1 pixels", 3, 0)]
    [InlineData("1x0 pixels", 7, 0)]
    [InlineData("2147483649x1 pixels", 0, 128)]
    [InlineData("1x2147483649 pixels", 4, 128)]
    [InlineData("colour type 1", 9, 1)]
    [InlineData("colour type 7", 9, 7)]
    [InlineData("3 bits a sample; colour type 0 has 1 or 2 or 4 or 8 or 16", 8, 3)]
    [InlineData("compression 1", 10, 1)]
    [InlineData("filter 1", 11, 1)]
    [InlineData("interlace 2", 12, 2)]
    public void A_header_that_cannot_be_is_refused(string words, int place, byte value) =>
        Assert.Contains(words, Refusal(new TestPng(1, 1, TestPng.Grey, 8) { ChangeHeader = header => header[place] = value }.Encode([1])));

    [Theory]
    [InlineData(TestPng.Indexed, 16)]
    [InlineData(TestPng.Colour, 4)]
    [InlineData(TestPng.GreyAndOpacity, 2)]
    [InlineData(TestPng.ColourAndOpacity, 1)]
    public void A_depth_that_a_kind_does_not_have_is_refused(int kind, int depth) =>
        Assert.Contains($"{depth} bits a sample", Refusal(new TestPng(1, 1, kind, depth).Encode(new int[4])));

    [Fact]
    public void A_palette_must_fit()
    {
        static byte[] Indexed(byte[]? palette, byte[]? transparency = null, int index = 0) =>
            new TestPng(2, 1, TestPng.Indexed, 2) { Palette = palette, Transparency = transparency }.Encode([0, index]);
        Assert.Contains("no palette comes before the pixels", Refusal(Indexed(null)));
        foreach (var length in (int[])[0, 4, 15]) Assert.Contains($"the palette at byte 33 has {length} bytes", Refusal(Indexed(new byte[length])));
        Assert.Contains("row 0, column 1 has colour 2, but the palette has 2", Refusal(Indexed(new byte[6], index: 2)));
        Assert.Contains("does not fit colour type 3", Refusal(Indexed(new byte[6], new byte[3])));
        Assert.Contains("does not fit colour type 3", Refusal(Indexed(new byte[6], [])));
        Assert.Contains("does not belong into a grey image", Refusal((Small with { Palette = new byte[3] }).Encode(SmallSamples)));
        Assert.Contains("has 3 bytes, which does not fit colour type 0", Refusal((Small with { Transparency = new byte[3] }).Encode(SmallSamples)));
        var colour = new TestPng(1, 1, TestPng.Colour, 8) { Palette = new byte[768] };
        Assert.Equal([1, 2, 3], Decode(colour.Encode([1, 2, 3])).Pixels);   // a suggestion for screens of few colours
        Assert.Contains("has 771 bytes", Refusal((colour with { Palette = new byte[771] }).Encode([1, 2, 3])));
        Assert.Contains("does not fit colour type 2", Refusal((colour with { Transparency = new byte[2] }).Encode([1, 2, 3])));
        Assert.Contains("does not fit colour type 6", Refusal(new TestPng(1, 1, TestPng.ColourAndOpacity, 8) { Transparency = new byte[6] }
            .Encode([1, 2, 3, 4])));
    }

    [Fact]
    public void Chunks_come_in_their_order()
    {
        byte[] header = TestPng.Chunk("IHDR", [0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]), pixels = TestPng.Chunk("IDAT",
            TestPng.Compress([0, 1, 2, 3])),
            end = TestPng.Chunk("IEND", []), text = TestPng.Chunk("tEXt", [65]), palette = TestPng.Chunk("PLTE", new byte[3]),
            gone = TestPng.Chunk("tRNS", new byte[6]);
        Assert.Equal([1, 2, 3, 255], Decode(TestPng.File(header, text, palette, gone, text, pixels, text, end)).Pixels);
        Assert.Contains("the chunk IDAT at byte 8: IHDR comes first", Refusal(TestPng.File(pixels, end)));
        Assert.Contains("the chunk IHDR at byte 33: IHDR comes first, and once", Refusal(TestPng.File(header, header, pixels, end)));
        foreach (var late in (byte[][])[palette, gone])
        {
            Assert.Contains("comes too late, or twice", Refusal(TestPng.File(header, late, late, pixels, end)));
            Assert.Contains("comes too late, or twice", Refusal(TestPng.File(header, pixels, late, end)));
        }
        Assert.Contains("is apart from the others", Refusal(TestPng.File(header, pixels, text, pixels, end)));
        Assert.Contains("ends at byte 33 without an image", Refusal(TestPng.File(header, end)));
        Assert.Contains("does not belong to it", Refusal(TestPng.File(header, pixels, TestPng.Chunk("IEND", [1]))));
        Assert.Contains("the chunk NEWS at byte 33 is unknown", Refusal(TestPng.File(header, TestPng.Chunk("NEWS", []), pixels, end)));
        Assert.Contains("the chunk at byte 33 has no name", Refusal(TestPng.File(header, TestPng.Chunk("a1bc", []), pixels, end)));
        Assert.Contains("IHDR at byte 8 has 12 bytes", Refusal(TestPng.File(TestPng.Chunk("IHDR", new byte[12]), pixels, end)));
    }
}
