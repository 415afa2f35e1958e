using Tapegrad.Layers.Files;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>The machine's disk, but for what fails on it.</summary>
internal sealed class FailingDisk(Exception? atFlush = null, Exception? atFolder = null, Exception? atDelete = null)
    : IDisk
{
    public Stream Create(string path) => Disk.Own.Create(path);

    public void Flush(Stream file) => Do(atFlush, () => Disk.Own.Flush(file));

    public void Move(string from, string to) => Disk.Own.Move(from, to);

    public void FlushFolder(string path) => Do(atFolder, () => Disk.Own.FlushFolder(path));

    public IEnumerable<string> List(string folder) => Disk.Own.List(folder);

    public void Delete(string path) => Do(atDelete, () => Disk.Own.Delete(path));

    private static void Do(Exception? error, Action action)
    {
        if (error is not null) throw error;
        action();
    }
}
