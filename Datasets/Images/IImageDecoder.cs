namespace Tapegrad.Datasets.Images;

/// <summary>
/// Reads a kind of image file that <see cref="ImageFile"/> does not: a list of these is given to it, or to
/// <see cref="ImageFolder"/>.
/// </summary>
/// <remarks>Used from several threads at once.</remarks>
public interface IImageDecoder
{
    /// <summary>Whether a file that begins like this is of the kind that it reads.</summary>
    bool Recognizes(ReadOnlySpan<byte> beginning);

    /// <summary>The image in a file's bytes.</summary>
    /// <param name="file">All bytes of the file.</param>
    /// <param name="mostPixels">How many pixels the image may have; a larger one is refused before memory is taken for
    /// it.</param>
    /// <exception cref="InvalidDataException">The file is not well-formed, too large, or of a kind that is not read:
    /// the message says what and where.</exception>
    Picture Decode(ReadOnlyMemory<byte> file, long mostPixels);
}
