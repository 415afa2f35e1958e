using System.Text.RegularExpressions;

namespace Tapegrad.Layers.Files;

/// <summary>
/// Writes a file so that a reader finds the old contents or the new ones, whole, whatever happens in between, a loss of
/// power included: into a sibling with a name of its own, flushed to the disk, then renamed, and the folder flushed. A
/// write that fails leaves the old file as it was, and no sibling where it can be removed; a process that is killed may
/// leave one, for <see cref="RemoveSiblings"/>. Written here because the runtime renames in one step but flushes no
/// folder.
/// </summary>
public static partial class AtomicFile
{
    /// <summary>Replaces a file, or makes a new one.</summary>
    /// <param name="path">In a folder that exists.</param>
    /// <param name="write">Writes the contents.</param>
    /// <param name="disk">Null for the machine's own.</param>
    /// <exception cref="IOException">The file cannot be written, or is written but not flushed; the message says which
    /// and why.</exception>
    public static void Write(string path, Action<Stream> write, IDisk? disk = null)
    {
        disk ??= Disk.Own;
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (Directory.Exists(path))
            throw new IOException($"{path}: cannot be written: it is a folder. Give the name of a file in it.");
        if (!Directory.Exists(folder))
            throw new IOException($"{path}: cannot be written: there is no folder {folder}. Create it first.");
        if (Disk.IsSpecial(path))
            throw new IOException($"{path}: cannot be written: it is a pipe or a device, which a file would replace. "
                + "Give the name of a file.");
        // On the same disk as the target: only there is a rename one step.
        var sibling = Path.Combine(folder, SiblingOf(Path.GetFileName(path)));
        try
        {
            using (var stream = disk.Create(sibling))
            {
                write(stream);
                disk.Flush(stream);
            }
            disk.Move(sibling, path);
        }
        catch (Exception error)
        {
            Discard(sibling, disk);
            // The last is what .NET throws where a file may not grow so long: a limit of the file system (4 GB on FAT),
            // or of the user's.
            if (error is IOException or UnauthorizedAccessException or ArgumentOutOfRangeException)
                throw new IOException($"{path}: cannot be written: {error.Message} Check the folder's permissions and "
                    + "the free space.", error);
            throw;
        }
        try
        {
            disk.FlushFolder(folder);
        }
        catch (IOException error)
        {
            throw new IOException($"{path}: is written, but may be lost with the power: {error.Message}", error);
        }
    }

    /// <summary>
    /// Removes a file after something went wrong, where that can be done: what went wrong says more than that it
    /// cannot.
    /// </summary>
    /// <param name="path">The file; it may not be there.</param>
    /// <param name="disk">Null for the machine's own.</param>
    public static void Discard(string path, IDisk? disk = null)
    {
        try
        {
            (disk ?? Disk.Own).Delete(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // it stays
        }
    }

    /// <summary>Removes what killed processes left beside files of some names. Nobody may be writing one.</summary>
    /// <param name="folder">Where the files are.</param>
    /// <param name="isName">Whether a file's name is one of them.</param>
    /// <param name="disk">Null for the machine's own.</param>
    public static void RemoveSiblings(string folder, Func<string, bool> isName, IDisk? disk = null)
    {
        disk ??= Disk.Own;
        var left = from sibling in disk.List(folder)
                   let match = Sibling().Match(sibling)
                   where match.Success && isName(match.Groups[1].Value)
                   select sibling;
        foreach (var sibling in left.ToArray()) disk.Delete(Path.Combine(folder, sibling));
    }

    private static string SiblingOf(string name) => $".{name}.{Path.GetRandomFileName()}";

    // Nothing else is called so: the folder may hold a person's own hidden files.
    [GeneratedRegex("^[.](.*)[.][a-z0-9]{8}[.][a-z0-9]{3}$", RegexOptions.Singleline)]
    private static partial Regex Sibling();
}
