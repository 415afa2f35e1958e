using System.Text.Json;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

/// <summary>
/// A file that another program wrote, and what yet another reads from it; no picture where it is to be refused.
/// </summary>
internal sealed record GoldenImage(string Name, byte[] File, Picture? Picture)
{
    public bool IsJpeg => File is [0xFF, 0xD8, ..];
}

/// <summary>The images of Golden/images.json; Golden/README.md says where they come from.</summary>
public sealed class GoldenImages
{
    internal static GoldenImage[] All { get; } = [.. JsonDocument.Parse(File.ReadAllText(
        Path.Combine(AppContext.BaseDirectory, "Golden", "images.json"))).RootElement.EnumerateArray().Select(Read)];

    internal static GoldenImage Of(string name) => All.Single(image => image.Name == name);

    private static GoldenImage Read(JsonElement image)
    {
        int Number(string name) => image.GetProperty(name).GetInt32();
        return new GoldenImage(image.GetProperty("name").GetString()!, image.GetProperty("file").GetBytesFromBase64(),
            image.TryGetProperty("pixels", out var pixels)
                ? new Picture(Number("height"), Number("width"), Number("channels"), pixels.GetBytesFromBase64())
                : null);
    }

    public static TheoryData<string> Names =>
        [.. All.Where(image => image.Picture is not null).Select(image => image.Name)];

    public static TheoryData<string> Refused =>
        [.. All.Where(image => image.Picture is null).Select(image => image.Name)];

    private static byte[] Opacity(Picture picture) =>
        picture.Channels % 2 == 1 ? [.. Enumerable.Repeat((byte)255, picture.Height * picture.Width)]
        : [.. picture.Pixels.Where((_, i) => i % picture.Channels == picture.Channels - 1)];

    // On white: what colour a pixel has that is not seen differs among programs.
    [Theory]
    [MemberData(nameof(Names))]
    public void Are_what_other_programs_read(string name)
    {
        var (expected, found) = (Of(name).Picture!, ImageFile.Decode(Of(name).File));
        Assert.Equal((expected.Height, expected.Width, 4), (found.Height, found.Width, found.Channels));
        Assert.Equal(Opacity(expected), Opacity(found));
        int[] differences =
            [.. expected.WithChannels(3).Pixels.Zip(found.WithChannels(3).Pixels, (a, b) => Math.Abs(a - b))];
        // JPEG: libjpeg's transform is in whole numbers and within a level of the exact one, and a level of Cb is up to
        // 1.8 levels of blue. YCCK: libjpeg cuts red, green and blue off at 0 and 255 before black is put on,
        // ImageSharp after. TIFF: a palette has 16 bits, which libtiff's reader cuts off.
        var (most, mean) = name == "YCCK" ? (16, 0.25) : Of(name).IsJpeg ? (2, 0.1) : name.Contains("indexed")
            && name.StartsWith("TIFF") ? (1, 0.5) : (0, 0);
        Assert.InRange(differences.Max(), 0, most);
        Assert.InRange(differences.Average(), 0, mean);
    }

    // Kinds that ImageSharp does not read, or reads wrongly.
    [Theory]
    [MemberData(nameof(Refused))]
    public void Of_kinds_that_come_out_wrong_are_refused(string name) =>
        Assert.Contains("or of a kind that is not read",
            Assert.Throws<InvalidDataException>(() => ImageFile.Decode(Of(name).File)).Message);

    // Of every kind, at every byte: refused, or said to be cut off, unless nothing is missing but what stands behind
    // the image. Strict: refused.
    [Theory]
    [MemberData(nameof(Names))]
    public void A_file_that_is_cut_off_is_refused_or_said_to_be(string name)
    {
        var file = Of(name).File;
        var whole = ImageFile.Decode(file, strict: true).Pixels;
        for (var length = 0; length < file.Length; length++)
            foreach (var strict in (bool[])[false, true])
                try
                {
                    var (picture, isWhole) = ImageCodec.Decode(file.AsMemory(0, length), ImageFile.MostPixels, strict);
                    Assert.True(strict ? isWhole : !isWhole || picture.Pixels.AsSpan().SequenceEqual(whole),
                        $"{length} of {file.Length} bytes");
                    Assert.True(!strict || picture.Pixels.AsSpan().SequenceEqual(whole),
                        $"{length} of {file.Length} bytes, strict");
                }
                catch (InvalidDataException)
                {
                }
        Assert.Equal(whole, ImageFile.Decode((byte[])[.. file, 1, 2, 3]).Pixels);   // cameras put previews there
    }
}
