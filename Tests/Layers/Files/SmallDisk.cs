using System.Diagnostics;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>
/// A disk of 256 KB in memory, for faults that a big one does not have. Mounting takes a right that the administrator
/// has, and a container's may not: then <see cref="Mount"/> gives null. Disposing removes it.
/// </summary>
internal sealed class SmallDisk : IDisposable
{
    private SmallDisk(string folder) => Folder = folder;

    public string Folder { get; }

    public static SmallDisk? Mount()
    {
        if (!OperatingSystem.IsLinux() || !Environment.IsPrivilegedProcess) return null;
        var folder = Directory.CreateTempSubdirectory("small-disk-").FullName;
        if (Run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder)) return new SmallDisk(folder);
        Directory.Delete(folder);
        return null;
    }

    public void MakeReadOnly()
    {
        if (!Run("mount", "-o", "remount,ro", Folder)) throw new InvalidOperationException("remounting failed");
    }

    public void Dispose()
    {
        Run("umount", Folder);
        Directory.Delete(Folder);
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }
}
