using FsCheck.Xunit;
using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
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

    internal static readonly byte[] Png = ImageFile.Encode(new Picture(1, 2, 3, [1, 2, 3, 4, 5, 6]));
    internal static readonly byte[] Seen = [1, 2, 3, 255, 4, 5, 6, 255];

    internal static string Refusal(byte[] file, long mostPixels = 1000) =>
        Assert.Throws<InvalidDataException>(() => ImageFile.Decode(file, mostPixels: mostPixels)).Message;

    // Takes a file of one byte for a grey pixel.
    private sealed class OneByte : IImageDecoder
    {
        public bool Recognizes(ReadOnlySpan<byte> beginning) => beginning.Length == 1;

        public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels) => new(1, 1, 1, file.ToArray());
    }

    internal static Picture Noise(int height, int width, int channels, int seed)
    {
        var pixels = new byte[height * width * channels];
        new Random(seed).NextBytes(pixels);
        return new Picture(height, width, channels, pixels);
    }

    [Fact]
    public void Reads_by_how_a_file_begins_whatever_its_name()
    {
        Assert.Equal(Seen, ImageFile.Read(Written("a.jpg", Png)).Pixels);
        Assert.Equal(17, ImageFile.Read(Written("b", GoldenImages.Of("WebP").File)).Height);
    }

    [Fact]
    public void Reads_with_decoders_of_ones_own()
    {
        var path = Written("one", [77]);
        Assert.Equal([77], ImageFile.Read(path, [new OneByte()]).Pixels);
        Assert.Equal(Seen, ImageFile.Read(Written("a.png", Png), [new OneByte()]).Pixels);
        Assert.Throws<InvalidDataException>(() => ImageFile.Read(path));
    }

    [Theory]
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
        Assert.Contains("2x1 pixels",
            Assert.Throws<InvalidDataException>(() => ImageFile.Read(Written("a.png", Png), mostPixels: 1)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFile.Decode(Png, mostPixels: ImageFile.MostPixels + 1));
        // A hole on the disk: its length is enough to refuse it.
        using (var file = File.Create(path)) file.SetLength(10L << 30);
        Assert.Contains("too many for an image",
            Assert.Throws<InvalidDataException>(() => ImageFile.Read(path)).Message);
    }

    [Fact]
    public void A_file_that_is_cut_off_is_named_in_a_notice_or_refused()
    {
        var file = GoldenImages.Of("4:2:0").File;
        var path = Written("cut.jpg", file[..^200]);
        var notices = new List<string>();
        void Note(string notice)
        {
            lock (notices)
                if (notice.StartsWith(path, StringComparison.Ordinal)) notices.Add(notice);
        }
        Notices.Raised += Note;
        Assert.Equal(17, ImageFile.Read(path).Height);
        Notices.Raised -= Note;
        Assert.Contains("is cut off", Assert.Single(notices));
        Assert.StartsWith($"{path}: JPEG: the file is cut off",
            Assert.Throws<InvalidDataException>(() => ImageFile.Read(path, strict: true)).Message);
    }

    // Before enough of it is there to be seen.
    [Theory]
    [InlineData("PNG colour", 60)]
    [InlineData("4:2:0", 30)]
    public void A_file_that_is_cut_off_too_early_is_said_to_be(string name, int length) =>
        Assert.Contains("the file is cut off, too early to show an image. Copy it again.",
            Refusal(GoldenImages.Of(name).File[..length]));

    [Fact]
    public async Task Refuses_what_has_no_length_without_opening_it()
    {
        foreach (var path in SpecialFiles.In(folder))
            Assert.StartsWith($"{path}: the file is empty, or it is a pipe or a device",
                await SpecialFiles.RefusalBy(() => ImageFile.Read(path)));
    }

    [Fact]
    public void Follows_links_to_files()
    {
        if (OperatingSystem.IsWindows()) return;   // links take a right there
        File.CreateSymbolicLink(Path.Combine(folder, "link"), Written("a.png", Png));
        Assert.Equal(Seen, ImageFile.Read(Path.Combine(folder, "link")).Pixels);
    }

    // ---- what is written is read ------------------------------------------------------------------------------------

    // Of any size and number of channels. BMP and TIFF have no opacity as they are written here.
    [Property(MaxTest = 40)]
    public void What_is_written_without_loss_is_read_again(int seed)
    {
        var random = new Random(seed);
        var channels = random.Next(1, 5);
        var picture = Noise(random.Next(1, 40), random.Next(1, 40), channels, seed);
        foreach (var ending in channels % 2 == 1 ? (string[])[".png", ".bmp", ".tif"] : [".png"])
        {
            var again = ImageFile.Decode(ImageFile.Encode(picture, ending), strict: true);
            Assert.Equal((picture.Height, picture.Width), (again.Height, again.Width));
            Assert.Equal(picture.WithChannels(3).Pixels, again.WithChannels(3).Pixels);
        }
    }

    [Theory]
    [InlineData(".jpg")]
    [InlineData(".webp")]
    [InlineData(".gif")]
    public void What_is_written_with_loss_is_nearly_the_same(string ending)
    {
        byte[] slope = [.. Enumerable.Range(0, 50 * 60 * 3).Select(i => (byte)(i / 3 % 60 * 3 + i % 3 * 20))];
        var again = ImageFile.Decode(ImageFile.Encode(new Picture(50, 60, 3, slope), ending), strict: true)
            .WithChannels(3);
        Assert.InRange(slope.Zip(again.Pixels, (a, b) => Math.Abs(a - b)).Average(), 0, 6);
    }

    [Fact]
    public void No_other_endings_are_written() =>
        Assert.Contains("'.xyz'",
            Assert.Throws<ArgumentException>(() => ImageFile.Encode(new Picture(1, 1, 1, [1]), ".xyz")).Message);

    // ---- Exif -------------------------------------------------------------------------------------------------------

    // Exif's definitions: where the stored rows and columns belong in the scene.
    private static readonly Func<int, int, int, int, (int Y, int X)>[] Scenes =
    [
        (h, w, y, x) => (y, x), (h, w, y, x) => (y, w - 1 - x), (h, w, y, x) => (h - 1 - y, w - 1 - x), (h, w, y, x) =>
        (h - 1 - y, x),
        (h, w, y, x) => (x, y), (h, w, y, x) => (x, h - 1 - y), (h, w, y, x) => (w - 1 - x, h - 1 - y), (h, w, y, x) =>
        (w - 1 - x, y),
    ];

    private static byte[] WithOrientation(int orientation, string ending)
    {
        using var image = Image.LoadPixelData<Rgb24>(Noise(6, 11, 3, seed: 1).Pixels, 11, 6);
        image.Metadata.ExifProfile = new ExifProfile();
        image.Metadata.ExifProfile.SetValue(ExifTag.Orientation, (ushort)orientation);
        image.Frames.RootFrame.Metadata.ExifProfile = image.Metadata.ExifProfile.DeepClone();
        using var file = new MemoryStream();
        image.Save(file, ending switch
        {
            ".jpg" => new JpegEncoder(),
            ".png" => new PngEncoder(),
            ".webp" => new WebpEncoder { FileFormat = WebpFileFormatType.Lossy },
            _ => new TiffEncoder(),
        });
        return file.ToArray();
    }

    [Theory]
    [InlineData(".jpg")]
    [InlineData(".png")]
    [InlineData(".webp")]
    [InlineData(".tif")]
    public void It_is_turned_as_the_camera_was_held(string ending)
    {
        var stored = ImageFile.Decode(WithOrientation(1, ending));
        for (var orientation = 1; orientation <= 8; orientation++)
        {
            var turned = ImageFile.Decode(WithOrientation(orientation, ending));
            Assert.Equal(orientation < 5 ? (6, 11) : (11, 6), (turned.Height, turned.Width));
            for (var i = 0; i < stored.Height * stored.Width; i++)
            {
                var (y, x) = Scenes[orientation - 1](stored.Height, stored.Width, i / stored.Width, i % stored.Width);
                Assert.Equal(stored.Pixels[(4 * i)..(4 * i + 4)],
                    turned.Pixels[(4 * (y * turned.Width + x))..(4 * (y * turned.Width + x) + 4)]);
            }
        }
    }

    // A segment of a JPEG: a small TIFF file.
    private static byte[] WithExif(byte[] file, byte[] data) =>
        [.. file[..2], 0xFF, 0xE1, 0, (byte)(data.Length + 2), .. data, .. file[2..]];

    private static byte[] Exif(ushort orientation, ushort type = 3) =>
        [.. "Exif\0\0MM\0*"u8, 0, 0, 0, 8, 0, 1, 0x01, 0x12, (byte)(type >> 8), (byte)type, 0, 0, 0, 1,
            (byte)(orientation >> 8), (byte)orientation, 0, 0];

    [Fact]
    public void Exif_data_that_say_nothing_turn_nothing()
    {
        var file = GoldenImages.Of("4:2:2").File;
        var stored = ImageFile.Decode(file);
        Assert.Equal(stored.Height, ImageFile.Decode(WithExif(file, Exif(6))).Width);
        foreach (var data in (byte[][])[Exif(0), Exif(9), Exif(6, type: 4), Exif(6, type: 2), Exif(6, type: 99),
            "http://"u8.ToArray(),
            .. Enumerable.Range(0, Exif(6).Length - 3).Select(length => Exif(6)[..length])])
            Assert.Equal(stored.Pixels, ImageFile.Decode(WithExif(file, data)).Pixels);
    }
}
