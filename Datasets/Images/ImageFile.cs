namespace Tapegrad.Datasets.Images;

/// <summary>Image files, whatever their kind: that is told by how they begin, not by their name.</summary>
public static class ImageFile
{
    /// <summary>64 million: more than cameras make, and 256 MB at most.</summary>
    public const long MostPixels = 1 << 26;

    /// <summary>Those that this library has: PNG and baseline JPEG.</summary>
    public static IReadOnlyList<IImageDecoder> Decoders { get; } = [new PngDecoder(), new JpegDecoder()];

    /// <summary>Reads an image.</summary>
    /// <param name="path">The file.</param>
    /// <param name="decoders">Tried in turn, until one recognizes the file; <see cref="Decoders"/> when not given.</param>
    /// <param name="mostPixels">A larger image is refused before memory is taken for it.</param>
    /// <exception cref="InvalidDataException">It is no image, a damaged one, or of a kind that is not read: the message says what and
    /// where.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static Picture Read(string path, IReadOnlyList<IImageDecoder>? decoders = null, long mostPixels = MostPixels)
    {
        using var stream = RegularFile.Open(path);
        // No decoder needs more than 8 bytes a pixel and a little text beside them.
        if (stream.Length > 8 * mostPixels + (1 << 20))
            throw new InvalidDataException($"{path} has {stream.Length} bytes: too many for an image of at most {mostPixels} pixels.");
        var file = new byte[stream.Length];
        stream.ReadExactly(file);
        try
        {
            return Decode(file, decoders, mostPixels);
        }
        catch (InvalidDataException error)
        {
            throw new InvalidDataException($"{path}: {error.Message}", error);
        }
    }

    /// <summary>Like <see cref="Read"/>, for bytes that are in memory.</summary>
    /// <inheritdoc cref="Read"/>
    public static Picture Decode(ReadOnlyMemory<byte> file, IReadOnlyList<IImageDecoder>? decoders = null, long mostPixels = MostPixels)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(mostPixels, int.MaxValue / 4);   // an array holds no more
        foreach (var decoder in decoders ?? Decoders)
            if (decoder.Recognizes(file.Span)) return decoder.Decode(file, mostPixels);
        throw new InvalidDataException(file.IsEmpty ? "the file is empty."
            : $"the file begins with {Convert.ToHexString(file.Span[..Math.Min(8, file.Length)])}"
            + $"{KnownAs(file.Span)}; PNG and baseline JPEG are read. Convert it to one of these.");
    }

    private static string KnownAs(ReadOnlySpan<byte> file) =>
        file.StartsWith("GIF8"u8) ? ", as GIF does" : file.StartsWith("BM"u8) ? ", as BMP does"
        : file.StartsWith("RIFF"u8) && file.Length > 11 && file[8..12].SequenceEqual("WEBP"u8) ? ", as WebP does"
        : file.StartsWith("II*\0"u8) || file.StartsWith("MM\0*"u8) ? ", as TIFF does" : "";
}
