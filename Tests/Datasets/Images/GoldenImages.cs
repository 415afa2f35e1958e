using System.Text.Json;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

/// <summary>A file that another program wrote, and what yet another reads from it; no picture where it is to be refused.</summary>
internal sealed record GoldenImage(string Name, byte[] File, Picture? Picture);

/// <summary>The images of Golden/images.json; Golden/README.md says where they come from.</summary>
public sealed class GoldenImages
{
    internal static GoldenImage[] All { get; } = [.. JsonDocument.Parse(File.ReadAllText(
        Path.Combine(AppContext.BaseDirectory, "Golden", "images.json"))).RootElement.EnumerateArray().Select(Read)];

    private static GoldenImage Read(JsonElement image)
    {
        int Number(string name) => image.GetProperty(name).GetInt32();
        return new GoldenImage(image.GetProperty("name").GetString()!, image.GetProperty("file").GetBytesFromBase64(),
            image.TryGetProperty("pixels", out var pixels)
                ? new Picture(Number("height"), Number("width"), Number("channels"), pixels.GetBytesFromBase64()) : null);
    }

    public static TheoryData<string> Names => [.. All.Where(image => image.Picture is not null).Select(image => image.Name)];

    // libjpeg's transform is in whole numbers and within a level of the exact one; a level of Cb is up to 1.8 levels of blue.
    [Theory]
    [MemberData(nameof(Names))]
    public void Are_what_libjpeg_and_libpng_read(string name)
    {
        var image = All.Single(image => image.Name == name);
        var (expected, found) = (image.Picture!, ImageFile.Decode(image.File));
        Assert.Equal((expected.Height, expected.Width, expected.Channels), (found.Height, found.Width, found.Channels));
        int[] differences = [.. expected.Pixels.Zip(found.Pixels, (a, b) => Math.Abs(a - b))];
        Assert.InRange(differences.Max(), 0, name.StartsWith("PNG") ? 0 : 2);
        Assert.InRange(differences.Average(), 0, 0.1);
    }
}
