using SixLabors.ImageSharp;
using SixLabors.ImageSharp.Formats;
using SixLabors.ImageSharp.Formats.Bmp;
using SixLabors.ImageSharp.Formats.Gif;
using SixLabors.ImageSharp.Formats.Jpeg;
using SixLabors.ImageSharp.Formats.Png;
using SixLabors.ImageSharp.Formats.Tiff;
using SixLabors.ImageSharp.Formats.Tiff.Constants;
using SixLabors.ImageSharp.Formats.Webp;
using SixLabors.ImageSharp.Memory;
using SixLabors.ImageSharp.Metadata;
using SixLabors.ImageSharp.Metadata.Profiles.Exif;
using SixLabors.ImageSharp.PixelFormats;
using SixLabors.ImageSharp.Processing;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// The one place that SixLabors.ImageSharp is used in: six formats, one thread an image, and memory by what the file
/// may need.
/// </summary>
internal static class ImageCodec
{
    // A byte holds at most so many pixels: Deflate unfolds one to 1032 (four matches of 258), and a pixel may be one
    // bit. A small image may be said in fewer bytes than that, being of one colour; a large one would be a promise of
    // memory that its file does not keep.
    private const long MostPixelsPerByte = 8 * 4 * 258, SmallImage = 1 << 18;

    // An image as it is and as it is turned, 4 bytes a pixel each, and a decoder's numbers: 2 bytes for each of four
    // components.
    private const long BytesPerPixel = 16;

    // Beside that: what stands in the file, unpacked once, and tables.
    private const long BytesPerByte = 16, Tables = 4 << 20;

    /// <summary>Of the library, so that what another one read is not taken from a cache.</summary>
    public static string Version { get; } = typeof(Image).Assembly.GetName().ToString();

    public static (Picture Picture, bool IsWhole) Decode(ReadOnlyMemory<byte> file, long mostPixels, bool strict)
    {
        if (file.IsEmpty) throw new InvalidDataException("the file is empty.");
        var forNow = BytesPerByte * file.Length + Tables;
        if (Image.DetectFormat(Formats(forNow), file.Span) is not { } format)
            throw new InvalidDataException("the file begins with "
                + $"{Convert.ToHexString(file.Span[..Math.Min(8, file.Length)])}; "
                + "JPEG, PNG, WebP, BMP, GIF and TIFF are read. Convert it to one of these.");
        var structure = format switch
        {
            JpegFormat => ImageStructure.OfJpeg(file.Span),
            PngFormat => ImageStructure.OfPng(file.Span),
            WebpFormat => ImageStructure.OfWebp(file.Span),
            BmpFormat => ImageStructure.OfBmp(file.Span),
            GifFormat => ImageStructure.OfGif(file.Span),
            _ => new ImageStructure(true),   // a TIFF's places are looked at when it is read
        };
        if (structure.Flaw is { } flaw) throw Refusal(format, $"{flaw}.");
        if (strict && !structure.IsWhole)
            throw new InvalidDataException($"{format.Name}: the file is cut off. Copy it again.");
        var bytes = file.ToArray();
        var info = Guard(format, structure, () => Image.Identify(Formats(forNow), new MemoryStream(bytes)))
            ?? throw Refusal(format, "it has no size.");
        var pixels = (long)info.Width * info.Height;
        if (pixels > mostPixels)
            throw new InvalidDataException($"{format.Name}: an image of {info.Width}x{info.Height} pixels, more than "
                + $"the {mostPixels} that are read.");
        if (pixels > SmallImage + MostPixelsPerByte * file.Length)
            throw new InvalidDataException($"{format.Name}: an image of {info.Width}x{info.Height} pixels, and the "
                + $"{file.Length} bytes cannot hold so many.");
        // A JPEG's units may be 32 pixels wide and high.
        var padded = (info.Width + 31L & ~31) * (info.Height + 31L & ~31);
        return Guard(format, structure, () =>
        {
            using var image = Image.Load<Rgba32>(Formats(forNow + BytesPerPixel * padded), bytes);
            if (format is TiffFormat) CheckTiff(image.Frames.RootFrame.Metadata, file.Length);
            Turn(image, structure.Exif);
            var picture = new byte[4 * image.Width * image.Height];
            image.CopyPixelDataTo(picture);
            return (new Picture(image.Height, image.Width, 4, picture), structure.IsWhole);
        });
    }

    public static byte[] Encode(Picture picture, string ending)
    {
        var formats = Formats(long.MaxValue);
        if (formats.ImageFormatsManager.FindFormatByFileExtension(ending) is not { } format)
            throw new ArgumentException($"no image is called '{ending}': .png, .jpg, .webp, .bmp, .gif and .tif are "
                + "written.", nameof(ending));
        using var image = picture.Channels switch
        {
            1 => (Image)Image.LoadPixelData<L8>(formats, picture.Pixels, picture.Width, picture.Height),
            2 => Image.LoadPixelData<La16>(formats, picture.Pixels, picture.Width, picture.Height),
            3 => Image.LoadPixelData<Rgb24>(formats, picture.Pixels, picture.Width, picture.Height),
            _ => Image.LoadPixelData<Rgba32>(formats, picture.Pixels, picture.Width, picture.Height),
        };
        using var file = new MemoryStream();
        image.Save(file, formats.ImageFormatsManager.FindEncoder(format));
        return file.ToArray();
    }

    private static Configuration Formats(long mostMemory)
    {
        var formats = new Configuration(new JpegConfigurationModule(), new PngConfigurationModule(),
            new WebpConfigurationModule(),
            new BmpConfigurationModule(), new GifConfigurationModule(), new TiffConfigurationModule())
        {
            MaxDegreeOfParallelism = 1,   // images are decoded side by side
            MemoryAllocator = new ImageMemory(mostMemory),
        };
        // A few bytes of compressed text in a PNG unfold to gigabytes.
        formats.ImageFormatsManager.SetDecoder(PngFormat.Instance, new PngDecoder { IgnoreMetadata = true });
        formats.ImageFormatsManager.SetDecoder(GifFormat.Instance,
            new GifDecoder { DecodingMode = FrameDecodingMode.First, IgnoreMetadata = true });
        formats.ImageFormatsManager.SetDecoder(TiffFormat.Instance,
            new TiffDecoder { DecodingMode = FrameDecodingMode.First });
        return formats;
    }

    // ImageSharp 2.1.13 gives wrong pixels for fax codes, for planes with differences and for floats with differences,
    // and zeros for what is cut off; found beside libtiff. What is left is what photographs and scans are.
    private static void CheckTiff(ImageFrameMetadata frame, long length)
    {
        var (tags, compression) = (frame.ExifProfile, frame.GetTiffMetadata().Compression);
        if (compression is not (TiffCompression.None or TiffCompression.Lzw or TiffCompression.Deflate
            or TiffCompression.OldDeflate
            or TiffCompression.PackBits))
            throw new InvalidDataException($"its compression, {compression}, is not read");
        if (tags.GetValue(ExifTag.PlanarConfiguration)?.Value is not (null or 1))
            throw new InvalidDataException("its colours lie in planes");
        if (tags.GetValue(ExifTag.SampleFormat)?.Value.Any(kind => kind != 1) == true)
            throw new InvalidDataException("its samples are not whole numbers");
        var (offsets, counts) = (tags.GetValue(ExifTag.StripOffsets)!.Value,
            tags.GetValue(ExifTag.StripByteCounts)!.Value);
        if (offsets.Zip(counts, (offset, count) => (long)(uint)offset + (uint)count).Any(end => end > length))
            throw new InvalidDataException("the file is cut off");
    }

    // As the scene was. A TIFF notes it at its image; what is unclear turns nothing, since the image can be seen
    // without it.
    private static void Turn(Image<Rgba32> image, byte[]? exif)
    {
        var noted = exif is not null ? new ExifProfile(exif) : image.Metadata.ExifProfile
            ?? image.Frames.RootFrame.Metadata.ExifProfile;
        if (noted?.GetValue(ExifTag.Orientation) is not { DataType: ExifDataType.Short } orientation) return;
        image.Metadata.ExifProfile = new ExifProfile();
        image.Metadata.ExifProfile.SetValue(ExifTag.Orientation, orientation.Value);
        image.Mutate(turned => turned.AutoOrient());
    }

    // A decoder that meets damage fails as it happens: by an index, a cast, a null reference. Whatever it is, this file
    // is not read.
    private static T Guard<T>(IImageFormat format, ImageStructure structure, Func<T> read)
    {
        try
        {
            return read();
        }
        catch (Exception error) when (error is not OutOfMemoryException)
        {
            if (!structure.IsWhole)
                throw new InvalidDataException($"{format.Name}: the file is cut off, too early to show an image. Copy "
                    + "it again.", error);
            // What the library says of a file, and not what the runtime says of the library.
            var why = error.GetBaseException() is ImageFormatException or InvalidMemoryOperationException
                or InvalidDataException or NotSupportedException
                ? $"{error.GetBaseException().Message.ReplaceLineEndings(" ").TrimEnd('.', '!')}."
                : "it cannot be decoded.";
            throw Refusal(format, why, error);
        }
    }

    private static InvalidDataException Refusal(IImageFormat format, string why, Exception? error = null) =>
        new($"{format.Name}: {why} It is damaged, or of a kind that is not read: open it in another program, and save "
            + "it again.", error);
}
