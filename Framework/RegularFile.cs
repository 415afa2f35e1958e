namespace Tapegrad;

/// <summary>
/// Opens files for readers: those that have a length. A pipe has none, and whoever opens one waits until somebody
/// writes to it, perhaps for ever; a device may never end. .NET tells neither from a file, so what has no length is not
/// opened; a file that is empty is refused along with them.
/// </summary>
public static class RegularFile
{
    /// <summary>What is known of a file; where the path is a link, of the one that it leads to.</summary>
    public static FileInfo Info(string path)
    {
        var file = new FileInfo(path);
        return file.Exists && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target : file;
    }

    /// <summary>Opens a file, unbuffered.</summary>
    /// <param name="path">The file, or a link to it.</param>
    /// <param name="share">What others may do with the file meanwhile.</param>
    /// <exception cref="InvalidDataException">It has no length.</exception>
    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be read.</exception>
    public static FileStream Open(string path, FileShare share = FileShare.Read)
    {
        if (Directory.Exists(path)) throw new IOException($"{path}: it is a folder, not a file.");
        if (Info(path) is { Exists: true, Length: 0 }) throw Refusal(path);
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, share, bufferSize: 0);
        if (stream.CanSeek) return stream;
        stream.Dispose();   // a pipe of this process, which has a name that is a link to none
        throw Refusal(path);
    }

    private static InvalidDataException Refusal(string path) =>
        new($"{path}: the file is empty, or it is a pipe or a device, which has no length. Copy what it holds into a "
            + "file, and give that one.");
}
