using System.Runtime.InteropServices;

namespace Tapegrad.Layers.Files;

/// <summary>
/// What <see cref="AtomicFile"/> asks of a disk. Tests put one in its place that loses power between any two of these.
/// </summary>
public interface IDisk
{
    /// <summary>A new, empty file.</summary>
    Stream Create(string path);

    /// <summary>What was written to a file survives a loss of power from here on.</summary>
    void Flush(Stream file);

    /// <summary>Gives a file another name, in one step; a file of that name is replaced.</summary>
    void Move(string from, string to);

    /// <summary>The names in a folder survive a loss of power from here on.</summary>
    void FlushFolder(string path);

    /// <summary>The names of the files in a folder.</summary>
    IEnumerable<string> List(string folder);

    /// <summary>Removes a file, if it is there.</summary>
    void Delete(string path);
}

/// <summary>The machine's own disk.</summary>
public sealed partial class Disk : IDisk
{
    private Disk() { }

    /// <summary>The one there is.</summary>
    public static Disk Own { get; } = new();

    /// <inheritdoc/>
    public Stream Create(string path) => new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);

    /// <inheritdoc/>
    public void Flush(Stream file) => ((FileStream)file).Flush(flushToDisk: true);

    /// <inheritdoc/>
    public void Move(string from, string to) => File.Move(from, to, overwrite: true);

    /// <inheritdoc/>
    public IEnumerable<string> List(string folder) =>
        Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path));

    /// <inheritdoc/>
    public void Delete(string path) => File.Delete(path);

    /// <summary>
    /// Whether something is there that is no file: a pipe or a device, which a rename would replace as if it were one.
    /// .NET does not tell, but only files can be flushed; opened so, a pipe does not wait for its other end.
    /// </summary>
    internal static bool IsSpecial(string path)
    {
        if (OperatingSystem.IsWindows()) return false;   // there they have names of their own, in no folder
        var file = Open(path, OperatingSystem.IsLinux() ? 0x800 : 4);   // O_RDONLY | O_NONBLOCK
        if (file < 0) return false;   // nothing is there, or nothing that may be read
        var isSpecial = Synchronize(file) != 0 && Marshal.GetLastPInvokeError() == NotForThisFile;
        _ = Close(file);
        return isSpecial;
    }

    /// <inheritdoc/>
    // .NET does not open folders. Windows has no such call: its file systems keep a journal of names.
    public void FlushFolder(string path)
    {
        if (OperatingSystem.IsWindows()) return;
        var folder = Open(path, flags: 0);   // O_RDONLY
        if (folder < 0)
            throw new IOException($"{path}: the folder cannot be opened: {Marshal.GetLastPInvokeErrorMessage()}.");
        var failed = Synchronize(folder) != 0 && Marshal.GetLastPInvokeError() != NotForThisFile;
        var why = Marshal.GetLastPInvokeErrorMessage();
        _ = Close(folder);
        if (failed) throw new IOException($"{path}: the folder cannot be flushed to the disk: {why}.");
    }

    // EINVAL: pipes and devices, and on some file systems, over a network for instance, folders
    private const int NotForThisFile = 22;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(int file);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int file);
}
