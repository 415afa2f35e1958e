namespace Tapegrad.Datasets.Images;

/// <summary>
/// Image files, whatever their kind: that is told by how they begin, not by their name. JPEG (baseline or progressive;
/// grey, RGB, CMYK, YCCK), PNG, WebP (with loss, not animated), BMP, the first image of a GIF or a TIFF; other kinds by
/// an <see cref="IImageDecoder"/>.
/// </summary>
/// <remarks>
/// Turned as the camera was held (Exif 2.3, tag 0x0112). The size is looked up and checked before pixels are made. The
/// same file gives the same bytes for any number of threads.
/// </remarks>
public static class ImageFile
{
    /// <summary>64 million: more than cameras make, and 256 MB of colours with opacity.</summary>
    public const long MostPixels = 1 << 26;

    // No kind needs more: 16 bits for each of four samples. And a little text beside them.
    private const long MostBytesPerPixel = 8, Text = 1 << 20;

    internal const string CutOff = "the file is cut off: its image is used as far as it goes.";

    /// <summary>
    /// Reads an image: [height, width, 4], red, green, blue and opacity, unless a decoder of one's own says otherwise.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="decoders">For other kinds of files; tried in turn, before those that are here, until one recognizes
    /// the file.</param>
    /// <param name="mostPixels">A larger image is refused before memory is taken for it. At most
    /// <see cref="MostPixels"/>.</param>
    /// <param name="strict">Whether an image that is cut off is refused. If not, a notice names it.</param>
    /// <exception cref="InvalidDataException">It is no image, a damaged one, or of a kind that is not read: the message
    /// says what.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static Picture Read(string path, IReadOnlyList<IImageDecoder>? decoders = null, long mostPixels = MostPixels,
        bool strict = false)
    {
        var (picture, isWhole) = ReadAny(path, decoders, mostPixels, strict);
        if (!isWhole) Notices.Raise($"{path}: {CutOff}");
        return picture;
    }

    /// <summary>Like <see cref="Read"/>, for bytes that are in memory.</summary>
    /// <inheritdoc cref="Read"/>
    public static Picture Decode(ReadOnlyMemory<byte> file, IReadOnlyList<IImageDecoder>? decoders = null,
        long mostPixels = MostPixels, bool strict = false)
    {
        var (picture, isWhole) = DecodeAny(file, decoders, mostPixels, strict);
        if (!isWhole) Notices.Raise($"an image of {file.Length} bytes: {CutOff}");
        return picture;
    }

    /// <summary>The bytes of a file with this image.</summary>
    /// <param name="picture">The image.</param>
    /// <param name="ending">How such files are called: .png, .jpg, .webp, .bmp, .gif or .tif. JPEG, WebP, BMP and GIF
    /// do not keep all.</param>
    /// <exception cref="ArgumentException">The ending is not one of these.</exception>
    public static byte[] Encode(Picture picture, string ending = ".png") => ImageCodec.Encode(picture, ending);

    /// <summary>
    /// Like <see cref="Read"/>, without the notice: whether the file is whole is the caller's to say.
    /// </summary>
    internal static (Picture Picture, bool IsWhole) ReadAny(string path, IReadOnlyList<IImageDecoder>? decoders,
        long mostPixels, bool strict)
    {
        using var stream = RegularFile.Open(path);
        if (stream.Length > MostBytesPerPixel * mostPixels + Text)
            throw new InvalidDataException($"{path} has {stream.Length} bytes: too many for an image of at most "
                + $"{mostPixels} pixels.");
        var file = new byte[stream.Length];
        stream.ReadExactly(file);
        try
        {
            return DecodeAny(file, decoders, mostPixels, strict);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    private static (Picture Picture, bool IsWhole) DecodeAny(ReadOnlyMemory<byte> file,
        IReadOnlyList<IImageDecoder>? decoders, long mostPixels, bool strict)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mostPixels, MostPixels);
        foreach (var decoder in decoders ?? [])
            if (decoder.Recognizes(file.Span)) return (decoder.Decode(file, mostPixels), true);
        return ImageCodec.Decode(file, mostPixels, strict);
    }
}
