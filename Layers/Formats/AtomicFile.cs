namespace Tapegrad.Layers.Formats;

/// <summary>
/// Writes a file so that a reader finds the old contents or the new ones, whole, whatever happens in between: into a sibling with
/// a name of its own, flushed to the disk, then renamed. A write that fails leaves the old file as it was, and no sibling.
/// </summary>
internal static class AtomicFile
{
    /// <exception cref="IOException">The file cannot be written; the message says which and why.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path));
        if (Directory.Exists(path)) throw new IOException($"{path}: cannot be written: it is a folder. Give the name of a file in it.");
        if (!Directory.Exists(folder)) throw new IOException($"{path}: cannot be written: there is no folder {folder}. Create it first.");
        // On the same disk as the target: only there is a rename one step.
        var sibling = Path.Combine(folder, $".{Path.GetFileName(path)}.{Path.GetRandomFileName()}");
        try
        {
            using (var stream = new FileStream(sibling, FileMode.CreateNew, FileAccess.Write, FileShare.None))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }
            File.Move(sibling, path, overwrite: true);
        }
        catch (Exception error)
        {
            File.Delete(sibling);
            if (error is IOException or UnauthorizedAccessException)
                throw new IOException($"{path}: cannot be written: {error.Message} Check the folder's permissions and the free space.", error);
            throw;
        }
    }
}
