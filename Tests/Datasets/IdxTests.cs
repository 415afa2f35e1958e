using System.Buffers.Binary;
using System.IO.Compression;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public sealed class IdxTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-idx").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string PathOf(string file) => Path.Combine(folder, file);

    /// <summary>A file: its magic number, its lengths, its bytes.</summary>
    internal static byte[] Encode(int magic, int[] lengths, byte[] bytes)
    {
        var header = new byte[4 + 4 * lengths.Length];
        BinaryPrimitives.WriteInt32BigEndian(header, magic);
        for (var axis = 0; axis < lengths.Length; axis++)
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + 4 * axis), lengths[axis]);
        return [.. header, .. bytes];
    }

    internal static byte[] Gzip(byte[] bytes)
    {
        using var result = new MemoryStream();
        using (var stream = new GZipStream(result, CompressionMode.Compress, leaveOpen: true)) stream.Write(bytes);
        return result.ToArray();
    }

    private static byte[] Pixels(int count, int seed) =>
        [.. Enumerable.Range(0, 6 * count).Select(i => (byte)(31 * i + seed))];

    // Images of 2 x 3 pixels.
    private void WriteAll(Func<string, string> name, Func<byte[], byte[]> encode)
    {
        File.WriteAllBytes(PathOf(name("train-images-idx3-ubyte")), encode(Encode(0x803, [5, 2, 3], Pixels(5, 1))));
        File.WriteAllBytes(PathOf(name("train-labels-idx1-ubyte")), encode(Encode(0x801, [5], [3, 1, 4, 1, 5])));
        File.WriteAllBytes(PathOf(name("t10k-images-idx3-ubyte")), encode(Encode(0x803, [2, 2, 3], Pixels(2, 7))));
        File.WriteAllBytes(PathOf(name("t10k-labels-idx1-ubyte")), encode(Encode(0x801, [2], [9, 2])));
    }

    private string Refusal() => Assert.Throws<InvalidDataException>(() => Idx.Load(folder)).Message;

    public static TheoryData<string, string> Namings =>
        new() { { "", "-" }, { ".gz", "-" }, { "", "." }, { ".gz", "." } };

    [Theory]
    [MemberData(nameof(Namings))]
    public void Reads_four_files_compressed_or_not(string ending, string separator)
    {
        Assert.False(Idx.IsIn(folder));
        WriteAll(name => name.Replace("-idx", separator + "idx") + ending, bytes => ending == "" ? bytes : Gzip(bytes));
        Assert.True(Idx.IsIn(folder));
        var (train, test) = Idx.Load(folder);
        Assert.Equal((5, 2, 3, 1), (train.Count, train.Height, train.Width, train.Channels));
        Assert.Equal([3, 1, 4, 1, 5], train.Labels);
        Assert.Equal([9, 2], test.Labels);
        Assert.Equal(Pixels(5, 1), Enumerable.Range(0, 5).SelectMany(i => train.Image(i).ToArray()));
        Assert.Equal(Pixels(2, 7), Enumerable.Range(0, 2).SelectMany(i => test.Image(i).ToArray()));
        Assert.Equal(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], train.ClassNames);
        // Both are normalized by what was measured on the first.
        Assert.Equal(Pixels(5, 1).Average(value => value / 255.0), train.Mean[0], 1e-12);
        Assert.Equal((train.Mean, train.Std, train.ClassNames), (test.Mean, test.Std, test.ClassNames));
    }

    [Fact]
    public void Digits_are_not_mirrored()
    {
        WriteAll(name => name, bytes => bytes);
        Assert.Equal(Augment.Crop(4), Idx.Load(folder).Train.Augment);
        Assert.Equal(Augment.Crop(4), Idx.Load(folder).Train.Split(2).Kept.Take(1).Augment);
        Assert.Equal(Augment.CropAndFlip, TestImages.Numbered(2).Augment);
    }

    [Fact]
    public void Reads_names_where_the_folder_has_them()
    {
        WriteAll(name => name, bytes => bytes);
        File.WriteAllLines(PathOf("class_names.txt"), [.. Enumerable.Range(0, 11).Select(i => $" class {i}"), ""]);
        Assert.Equal("class 10", Idx.Load(folder).Test.ClassNames[10]);
        File.WriteAllLines(PathOf("class_names.txt"), ["one"]);
        Assert.Contains("has 1 class names, but there are labels up to 9", Refusal());
    }

    [Theory]
    [InlineData("train-images-idx3-ubyte")]
    [InlineData("train-labels-idx1-ubyte")]
    [InlineData("t10k-images-idx3-ubyte")]
    [InlineData("t10k-labels-idx1-ubyte")]
    public void A_missing_file_is_named(string name)
    {
        WriteAll(other => other, bytes => bytes);
        File.Delete(PathOf(name));
        Assert.False(Idx.IsIn(folder));
        Assert.Contains($"{name} (or .gz) is missing in {folder}",
            Assert.Throws<FileNotFoundException>(() => Idx.Load(folder)).Message);
    }

    public static TheoryData<byte[], string> Wrong => new()
    {
        { Encode(0x801, [5, 2, 3], new byte[30]), "begins with 00000801, not 00000803" },
        { Encode(0xD03, [5, 2, 3], new byte[30]), "begins with 00000D03" },
        { Encode(0x803, [5, 2, 3], new byte[29]), "says 30 bytes behind it, but the file has 45 in all" },
        { Encode(0x803, [5, 2, 3], new byte[31]), "says 30 bytes behind it, but the file has 47 in all" },
        { Encode(0x803, [5, 2], []), "ends in its header of 16 bytes" },
        { Encode(0x803, [-5, 2, 3], new byte[30]), "the length 4294967291 at byte 4" },
        { Encode(0x803, [65536, 65536, 65536], []), "the length 65536 at byte 8 is too large" },
        { Encode(0x803, [5, 0, 3], []), "says at byte 8 that its images have 0x3 pixels" },
        { Encode(0x803, [5, 2, 0], []), "says at byte 8 that its images have 2x0 pixels" },
        { Encode(0x803, [4, 2, 3], new byte[24]), "has 4 images, but" },
        { Encode(0x803, [5, 3, 2], new byte[30]), "have 3x2 pixels, those to test on 2x3" },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_does_not_fit_is_refused(byte[] file, string words)
    {
        WriteAll(name => name, bytes => bytes);
        File.WriteAllBytes(PathOf("train-images-idx3-ubyte"), file);
        Assert.Contains(words, Refusal());
    }

    [Fact]
    public void What_is_compressed_is_checked_as_well()
    {
        WriteAll(name => name + ".gz", Gzip);
        void Write(byte[] bytes) => File.WriteAllBytes(PathOf("train-images-idx3-ubyte.gz"), bytes);
        Write(Gzip(Encode(0x803, [5, 2, 3], new byte[29])));
        Assert.Contains("it ends at byte 45; 1 bytes are missing", Refusal());
        Write(Gzip(Encode(0x803, [5, 2, 3], new byte[31])));
        Assert.Contains("it goes on behind byte 46", Refusal());
        Write(Gzip(Encode(0x803, [10_000, 100, 100], [])));
        Assert.Contains("says 100000000 bytes behind it, but the file has", Refusal());
        Write([1, 2, 3, 4]);
        Assert.Contains("its compressed data are damaged", Refusal());
        Write([]);
        Assert.Contains("the file is empty", Refusal());
    }

    // Its last eight bytes are the CRC-32 and the length of what is in it. A large one, which no buffer holds as a
    // whole, and a small one.
    [Theory]
    [InlineData(30)]
    [InlineData(300_000)]
    public void A_changed_bit_or_a_cut_at_the_end_of_a_compressed_file_is_noticed(int length)
    {
        var path = PathOf("images.gz");
        var pixels = new byte[length];
        new Random(1).NextBytes(pixels);
        var whole = Gzip(Encode(0x803, [length / 6, 2, 3], pixels));
        void Write(byte[] bytes) => File.WriteAllBytes(path, bytes);
        Write(whole);
        Assert.Equal(pixels, Idx.Read(path, 3).Bytes);
        for (var bit = 0; bit < 64; bit++)
        {
            var changed = whole.ToArray();
            changed[^(1 + bit / 8)] ^= (byte)(1 << bit % 8);
            Write(changed);
            Assert.Contains("are damaged", Assert.Throws<InvalidDataException>(() => Idx.Read(path, 3)).Message);
        }
        for (var cut = 1; cut <= 12; cut++)
        {
            Write(whole[..^cut]);
            Assert.Throws<InvalidDataException>(() => Idx.Read(path, 3));
        }
        // The sum is of the bytes, not only of themselves.
        var other = Gzip(Encode(0x803, [length / 6, 2, 3], [.. pixels[..^1], (byte)(pixels[^1] ^ 1)]));
        Write([.. other[..^8], .. whole[^8..]]);
        Assert.Throws<InvalidDataException>(() => Idx.Read(path, 3));
    }

    [Fact]
    public void A_promise_that_the_file_cannot_keep_takes_no_memory()
    {
        var path = PathOf("images");
        File.WriteAllBytes(path, Encode(0x803, [10_000, 100, 100], new byte[100]));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<InvalidDataException>(() => Idx.Read(path, 3));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Fact]
    public async Task Refuses_what_has_no_length_without_opening_it()
    {
        foreach (var path in SpecialFiles.In(folder))
        {
            WriteAll(name => name, bytes => bytes);
            foreach (var name in (string[])["train-labels-idx1-ubyte", "class_names.txt"])
            {
                File.Delete(PathOf(name));
                File.CreateSymbolicLink(PathOf(name), path);
                Assert.Contains($"{name}: the file is empty, or it is a pipe or a device",
                    await SpecialFiles.RefusalBy(() => Idx.Load(folder)));
                File.Delete(PathOf(name));
                WriteAll(other => other, bytes => bytes);
            }
        }
        using (var file = File.Create(PathOf("class_names.txt"))) file.SetLength(10L << 30);   // a hole
        Assert.Contains("class_names.txt has 10737418240 bytes", Refusal());
    }
}
