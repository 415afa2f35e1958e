namespace Tapegrad.Layers.Files;

/// <summary>Opens files for readers, and words what stands in the way.</summary>
internal static class ReadableFile
{
    /// <exception cref="InvalidDataException">It is empty, or a pipe or a device, which has no length.</exception>
    /// <exception cref="IOException">There is no such file, or it cannot be read; the message says which and
    /// why.</exception>
    public static FileStream Open(string path)
    {
        if (Directory.Exists(path))
            throw new IOException($"{path}: cannot be read: it is a folder. Give the name of a file in it.");
        try
        {
            return RegularFile.Open(path, FileShare.Read | FileShare.Delete);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new FileNotFoundException($"{path}: there is no such file. Check the name.", path, error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
    }

    /// <summary>Reads a file as a whole.</summary>
    /// <exception cref="IOException">It cannot be read, or was cut short meanwhile.</exception>
    public static T Read<T>(string path, Func<FileStream, T> read)
    {
        using var stream = Open(path);
        try
        {
            return read(stream);
        }
        catch (EndOfStreamException error)
        {
            throw CutShort(path, " too early", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
    }

    public static IOException Unreadable(string path, Exception error) =>
        new($"{path}: cannot be read: {error.Message} Check that the disk is there and that you may read the file.",
            error);

    /// <summary>Of a file that ended before the length it had when it was opened.</summary>
    /// <param name="path">The file.</param>
    /// <param name="where">Where it ends, such as " inside the tensor x".</param>
    /// <param name="error">What the disk said.</param>
    public static IOException CutShort(string path, string where, Exception error) =>
        new($"{path}: the file ends{where}: it was cut short after it was opened. Is another program writing it? Read "
            + "it again when that has finished.", error);
}
