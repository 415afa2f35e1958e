using System.Buffers.Binary;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

public sealed class JpegTests
{
    private static byte[] FileOf(string name) => GoldenImages.All.Single(image => image.Name == name).File;

    private static Picture Decode(byte[] file, long mostPixels = 1000) => ImageFile.Decode(file, mostPixels: mostPixels);

    private static string Refusal(byte[] file, long mostPixels = 1000) =>
        Assert.Throws<InvalidDataException>(() => Decode(file, mostPixels)).Message;

    // Where the n-th segment with a code begins, n from 0; behind the last scan's header FF also stands in data.
    private static int Find(byte[] file, byte code, int n = 0)
    {
        var at = 2;
        while (file[at + 1] != code || n-- > 0)
            at = file[at + 1] == 0xDA ? Enumerable.Range(at + 2, file.Length)
                    .First(i => file[i] == 0xFF && file[i + 1] is not (0 or >= 0xD0 and < 0xD8))
                : at + 2 + BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at + 2));
        return at;
    }

    private static byte[] Changed(byte[] file, int at, params byte[] bytes)
    {
        var changed = file.ToArray();
        bytes.CopyTo(changed, at);
        return changed;
    }

    private static byte[] Segment(byte code, params byte[] data) => [0xFF, code, (byte)(data.Length + 2 >> 8), (byte)(data.Length + 2), .. data];

    private static byte[] WithSegment(byte[] file, byte[] segment) => [.. file[..2], .. segment, .. file[2..]];

    [Theory]
    [InlineData("progressive", "a progressive image", "Convert it to a baseline JPEG or to PNG")]
    [InlineData("arithmetic", "arithmetic coding", "Convert it")]
    [InlineData("CMYK", "4 components, as CMYK has", "Convert it to RGB")]
    public void What_is_not_read_is_refused_in_words(string name, string what, string advice)
    {
        Assert.Contains(what, Refusal(FileOf(name)));
        Assert.Contains(advice, Refusal(FileOf(name)));
    }

    [Theory]
    [InlineData(0xC3, "lossless")]
    [InlineData(0xC5, "hierarchical")]
    [InlineData(0xCA, "arithmetic")]
    [InlineData(0xDC, "DNL")]
    [InlineData(0xF7, "an unknown kind")]
    [InlineData(0x01, "an unknown kind")]
    public void Other_kinds_are_refused_in_words(byte code, string words)
    {
        var file = FileOf("4:2:0");
        Assert.Contains(words, Refusal(Changed(file, Find(file, 0xC0) + 1, code)));
    }

    [Fact]
    public void A_file_cut_off_at_any_byte_is_refused()
    {
        foreach (var name in (string[])["grey", "4:2:0, a restart after each unit, its own codes", "4:2:0, a scan for each component"])
        {
            var file = FileOf(name);
            for (var length = 0; length < file.Length; length++) Refusal(file[..length]);
            Assert.Equal(Decode(file).Pixels, Decode([.. file, 1, 2, 3]).Pixels);   // cameras put previews there
        }
    }

    // Exif's definitions: where the stored rows and columns belong in the scene.
    private static readonly Func<int, int, int, int, (int Y, int X)>[] Scenes =
    [
        (h, w, y, x) => (y, x), (h, w, y, x) => (y, w - 1 - x), (h, w, y, x) => (h - 1 - y, w - 1 - x), (h, w, y, x) => (h - 1 - y, x),
        (h, w, y, x) => (x, y), (h, w, y, x) => (x, h - 1 - y), (h, w, y, x) => (w - 1 - x, h - 1 - y), (h, w, y, x) => (w - 1 - x, y),
    ];

    private static byte[] Exif(int orientation, bool isLittle, ushort type = 3)
    {
        byte[] Two(int value) => isLittle ? [(byte)value, (byte)(value >> 8)] : [(byte)(value >> 8), (byte)value];
        byte[] Four(int value) => isLittle ? [.. Two(value), 0, 0] : [0, 0, .. Two(value)];
        byte[] other = [.. Two(0x0100), .. Two(4), .. Four(1), .. Four(6)], entry = [.. Two(0x0112), .. Two(type), .. Four(1), .. Two(orientation),
            0, 0];
        return [.. "Exif\0\0"u8, .. isLittle ? "II*\0"u8 : "MM\0*"u8, .. Four(10), 9, 9, .. Two(2), .. other, .. entry];
    }

    [Fact]
    public void It_is_turned_as_the_camera_was_held()
    {
        var file = FileOf("4:2:2");
        var stored = Decode(file);
        for (var orientation = 1; orientation <= 8; orientation++)
            foreach (var isLittle in (bool[])[false, true])
            {
                var turned = Decode(WithSegment(file, Segment(0xE1, Exif(orientation, isLittle))));
                Assert.Equal(orientation < 5 ? (stored.Height, stored.Width) : (stored.Width, stored.Height), (turned.Height, turned.Width));
                for (var i = 0; i < stored.Height * stored.Width; i++)
                {
                    var (y, x) = Scenes[orientation - 1](stored.Height, stored.Width, i / stored.Width, i % stored.Width);
                    Assert.Equal(stored.Pixels[(3 * i)..(3 * i + 3)], turned.Pixels[(3 * (y * turned.Width + x))..(3 * (y * turned.Width + x) + 3)]);
                }
            }
    }

    [Fact]
    public void Exif_data_that_say_nothing_turn_nothing()
    {
        var file = FileOf("4:2:2");
        var stored = Decode(file).Pixels;
        var whole = Exif(6, isLittle: false);
        foreach (var data in (byte[][])[Exif(0, true), Exif(9, true), Exif(6, true, type: 4), Changed(whole, 6, (byte)'X'), Changed(whole, 10, 255),
            "http://"u8.ToArray(),
            .. Enumerable.Range(0, whole.Length).Select(length => whole[..length])])
            Assert.Equal(stored, Decode(WithSegment(file, Segment(0xE1, data))).Pixels);
        // The first that says something counts.
        Assert.Equal(Decode(WithSegment(file, Segment(0xE1, whole))).Pixels,
            Decode(WithSegment(file, [.. Segment(0xE1, "http://"u8.ToArray()), .. Segment(0xE1, whole), .. Segment(0xE1, Exif(3, true))])).Pixels);
    }

    [Fact]
    public void Segments_may_come_in_any_order_and_with_filler()
    {
        var file = FileOf("4:2:0");
        var expected = Decode(file).Pixels;
        // The tables before everything else, in reverse, each begun by more than one FF; a comment.
        var (frame, scan) = (Find(file, 0xC0), Find(file, 0xDA));
        var segments = new List<byte[]>();
        for (var at = 2; at < scan; at += segments[^1].Length)
            segments.Add(file[at..(at + 2 + BinaryPrimitives.ReadUInt16BigEndian(file.AsSpan(at + 2)))]);
        segments.Reverse();
        byte[] mixed = [0xFF, 0xD8, .. segments.SelectMany(segment => (byte[])[0xFF, 0xFF, .. segment]), .. Segment(0xFE, 1, 2, 3), .. file[scan..]];
        Assert.NotEqual(frame, Find(segments.Aggregate(new byte[] { 0xFF, 0xD8 }, (all, segment) => [.. all, .. segment]), 0xC0));
        Assert.Equal(expected, Decode(mixed).Pixels);
    }

    [Fact]
    public void Says_which_colours_the_components_are()
    {
        var rgb = FileOf("RGB");
        var expected = Decode(rgb).Pixels;
        // Adobe's segment says that there is no transform; without it the names do; with JFIF, or other names, it is YCbCr.
        var adobe = Find(rgb, 0xEE);
        byte[] bare = [.. rgb[..adobe], .. rgb[(adobe + 16)..]];
        Assert.Equal(expected, Decode(bare).Pixels);
        Assert.NotEqual(expected, Decode(WithSegment(bare, Segment(0xE0, [.. "JFIF\0"u8, 1, 1, 0, 0, 1, 0, 1, 0, 0]))).Pixels);
        Assert.NotEqual(expected, Decode(Changed(rgb, adobe + 15, 1)).Pixels);
        var colour = FileOf("4:4:4");
        var jfif = Find(colour, 0xE0);
        byte[] unnamed = [.. colour[..jfif], .. colour[(jfif + 18)..]];
        Assert.Equal(Decode(colour).Pixels, Decode(unnamed).Pixels);
        Assert.NotEqual(Decode(colour).Pixels, Decode(WithSegment(unnamed, Segment(0xEE, [.. "Adobe"u8, 0, 100, 0, 0, 0, 0, 0]))).Pixels);
    }

    [Fact]
    public void What_cannot_be_is_refused_with_its_place()
    {
        var file = FileOf("4:2:0");
        int frame = Find(file, 0xC0), scan = Find(file, 0xDA), tables = Find(file, 0xDB), codes = Find(file, 0xC4);
        void AssertRefused(string words, byte[] changed) => Assert.Contains(words, Refusal(changed));
        AssertRefused("12 bits a sample", Changed(file, frame + 4, 12));
        AssertRefused("DNL", Changed(file, frame + 5, 0, 0));
        AssertRefused("no columns", Changed(file, frame + 7, 0, 0));
        AssertRefused("23x200 pixels, more than the 1000", Changed(file, frame + 5, 0, 200));
        AssertRefused($"the frame header at byte {frame} has 15 bytes", Changed(file, frame + 9, 4));
        AssertRefused("factors 5x2", Changed(file, frame + 11, 0x52));
        AssertRefused("factors 0x2", Changed(file, frame + 11, 0x02));
        AssertRefused("factors 2x5", Changed(file, frame + 11, 0x25));
        AssertRefused("factors 2x0", Changed(file, frame + 11, 0x20));
        AssertRefused("and table 4", Changed(file, frame + 12, 4));
        AssertRefused("is there twice", Changed(file, frame + 13, 1));
        AssertRefused("2x1 is no whole part of 3x2", Changed(file, frame + 11, 0x32, 0, 2, 0x21));
        AssertRefused("1x2 is no whole part of 2x3", Changed(file, frame + 11, 0x23, 0, 2, 0x12));
        AssertRefused("more than 10 blocks", Changed(file, frame + 11, 0x44));
        AssertRefused("a second frame header", WithSegment(file, file[frame..(frame + 19)]));
        AssertRefused("comes before the frame header", WithSegment(file, file[scan..(scan + 14)]));
        AssertRefused("brings component 7", Changed(file, scan + 5, 7));
        AssertRefused("brings component 1", Changed(file, scan + 7, 1));
        AssertRefused("needs a table", Changed(file, scan + 6, 0x20));
        AssertRefused("needs a table", Changed(file, scan + 6, 0x02));
        AssertRefused("needs a table", Changed(file, scan + 6, 0x40));
        AssertRefused("needs a table", Changed(file, scan + 6, 0x04));
        AssertRefused("needs a table", Changed(file, frame + 12, 3));
        AssertRefused("header of the scan", Changed(file, scan + 4, 0));
        AssertRefused("header of the scan", Changed(file, scan + 4, 4));
        AssertRefused("header of the scan", Changed(file, scan + 4, 2));
        AssertRefused("header of the scan", Changed(file, scan + 11, 1));
        AssertRefused("header of the scan", Changed(file, scan + 12, 62));
        AssertRefused("header of the scan", Changed(file, scan + 13, 1));
        AssertRefused("header of the scan", WithSegment(file, [.. file[frame..(frame + 19)], .. Segment(0xDA)]));
        AssertRefused($"quantization tables at byte {tables}", Changed(file, tables + 4, 0x20));
        AssertRefused($"quantization tables at byte {tables}", Changed(file, tables + 4, 0x04));
        AssertRefused($"quantization tables at byte {tables}", Changed(file, tables + 4, 0x10));
        AssertRefused($"Huffman tables at byte {codes}", Changed(file, codes + 4, 0x20));
        AssertRefused($"Huffman tables at byte {codes}", Changed(file, codes + 4, 0x04));
        AssertRefused($"Huffman tables at byte {codes}", Changed(file, codes + 5, 250));
        AssertRefused($"Huffman table at byte {codes} has more codes of 1 bits", Changed(file, codes + 5, 3, 1, 2));
        AssertRefused("restart interval at byte 2 has 3 bytes", WithSegment(file, Segment(0xDD, 0, 1, 0)));
        AssertRefused("segment at byte 2 has a length of 1", Changed(file, 4, 0, 1));
        AssertRefused("byte 20 is 00", Changed(file, 20, 0));
        AssertRefused("it ends at byte 4 without an image", [0xFF, 0xD8, 0xFF, 0xD9]);
        AssertRefused("without all of its components",
            [.. FileOf("4:2:0, a scan for each component")[..Find(FileOf("4:2:0, a scan for each component"), 0xDA, 2)], 0xFF, 0xD9]);
    }

    [Fact]
    public void Data_that_are_damaged_left_over_or_missing_are_refused()
    {
        var file = FileOf("4:2:0, a restart after each unit, its own codes");
        var (scan, data) = (Find(file, 0xDA), file.Length - 2);
        var restart = Enumerable.Range(scan + 14, file.Length).First(i => file[i] == 0xFF && file[i + 1] == 0xD0);
        Assert.Contains($"restart marker FFD0 is not at byte {restart}", Refusal(Changed(file, restart + 1, 0xD1)));
        Assert.Contains("left over", Refusal([.. file[..restart], 0x55, .. file[restart..]]));
        Assert.Contains("left over", Refusal([.. file[..data], 0x55, 0x55, 0x55, .. file[data..]]));
        Assert.Contains("cut off or damaged", Refusal([.. file[..(restart - 3)], .. file[restart..]]));
        var none = FileOf("grey");
        Assert.Contains("not in the Huffman table", Refusal([.. none[..(Find(none, 0xDA) + 10)], 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0,
            0xFF, 0xD9]));
        // All codes of the means become 12 bits long; all runs become the longest.
        var means = Find(none, 0xC4);
        Assert.Contains("a DC difference of 12 bits", Refusal(Changed(none, means + 21, [.. Enumerable.Repeat((byte)12, 12)])));
        var others = Find(none, 0xC4, 1);
        var count = none[(others + 5)..(others + 21)].Sum(value => value);
        Assert.Contains("more than 64 coefficients", Refusal(Changed(none, others + 21, [.. Enumerable.Repeat((byte)0xF1, count)])));
    }

    [Fact]
    public void A_promise_that_the_file_cannot_keep_is_refused_before_memory_is_taken()
    {
        var file = FileOf("4:2:0");
        var huge = Changed(file, Find(file, 0xC0) + 5, 0xFF, 0xFF, 0x03, 0xFF);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("1023x65535 pixels, and the", Refusal(huge, 1 << 26));
        Assert.Contains("more than the 1000000", Refusal(huge, 1_000_000));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }
}
