using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

public sealed class ImageFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-images").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string Written(string name, byte[] bytes)
    {
        var path = Path.Combine(folder, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    private static readonly byte[] Png = PngEncoder.Encode(new Picture(1, 2, 3, [1, 2, 3, 4, 5, 6]));

    // Takes a file of one byte for a grey pixel.
    private sealed class OneByte : IImageDecoder
    {
        public bool Recognizes(ReadOnlySpan<byte> beginning) => beginning.Length == 1;

        public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels) => new(1, 1, 1, file.ToArray());
    }

    [Fact]
    public void Reads_by_how_a_file_begins_whatever_its_name()
    {
        Assert.Equal([1, 2, 3, 4, 5, 6], ImageFile.Read(Written("a.jpg", Png)).Pixels);
        Assert.Equal(1, ImageFile.Read(Written("b", GoldenImages.All[0].File)).Channels);
    }

    [Fact]
    public void Reads_with_decoders_of_ones_own()
    {
        var path = Written("one", [77]);
        Assert.Equal([77], ImageFile.Read(path, [new OneByte(), .. ImageFile.Decoders]).Pixels);
        Assert.Equal([1, 2, 3, 4, 5, 6], ImageFile.Read(Written("a.png", Png), [new OneByte(), .. ImageFile.Decoders]).Pixels);
        Assert.Throws<InvalidDataException>(() => ImageFile.Read(path));
    }

    [Theory]
    [InlineData("GIF89a......", "as GIF")]
    [InlineData("BM..........", "as BMP")]
    [InlineData("RIFF....WEBPVP8 ", "as WebP")]
    [InlineData("II*\0........", "as TIFF")]
    [InlineData("MM\0*........", "as TIFF")]
    [InlineData("RIFF....WAVEfmt ", "begins with 524946462E2E2E2E;")]
    [InlineData("hello", "begins with 68656C6C6F;")]
    [InlineData("", "is empty")]
    public void Says_what_a_file_is_that_is_not_read(string bytes, string words)
    {
        var path = Written("file.png", System.Text.Encoding.ASCII.GetBytes(bytes));
        var message = Assert.Throws<InvalidDataException>(() => ImageFile.Read(path)).Message;
        Assert.StartsWith($"{path}: the file ", message);
        Assert.Contains(words, message);
    }

    [Fact]
    public void Names_the_file_that_cannot_be_read()
    {
        var path = Written("cut.png", Png[..40]);
        Assert.StartsWith($"{path}: PNG: ", Assert.Throws<InvalidDataException>(() => ImageFile.Read(path)).Message);
        Assert.Throws<FileNotFoundException>(() => ImageFile.Read(Path.Combine(folder, "nowhere")));
        Assert.Contains("2x1 pixels", Assert.Throws<InvalidDataException>(() => ImageFile.Read(Written("a.png", Png), mostPixels: 1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.Decode(Png, mostPixels: int.MaxValue / 4 + 1L));
        // A hole on the disk: its length is enough to refuse it.
        using (var file = File.Create(path)) file.SetLength(10L << 30);
        Assert.Contains("too many for an image", Assert.Throws<InvalidDataException>(() => ImageFile.Read(path)).Message);
    }

    [Fact]
    public async Task Refuses_what_has_no_length_without_opening_it()
    {
        foreach (var path in SpecialFiles.In(folder))
            Assert.StartsWith($"{path}: the file is empty, or it is a pipe or a device", await SpecialFiles.RefusalBy(() => ImageFile.Read(path)));
    }

    [Fact]
    public void Follows_links_to_files()
    {
        if (OperatingSystem.IsWindows()) return;   // links take a right there
        File.CreateSymbolicLink(Path.Combine(folder, "link"), Written("a.png", Png));
        Assert.Equal([1, 2, 3, 4, 5, 6], ImageFile.Read(Path.Combine(folder, "link")).Pixels);
    }
}
