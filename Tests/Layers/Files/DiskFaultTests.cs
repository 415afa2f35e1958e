using System.Diagnostics;
using System.IO.Pipes;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>
/// Full disks, read-only folders, files that shrink: a documented exception, and the old file as it was.
/// </summary>
public sealed class DiskFaultTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("faults").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private static readonly NamedArray Large = new("large", new Shape(1_000_000), new byte[1_000_000]);

    private static readonly (string Name, Action<string> Write)[] Writers =
    [
        ("old.safetensors", path => SafetensorsFile.Write(path, [Large])),
        ("old.npz", path => NumpyFile.WriteArchive(path, [Large])),
        ("old.npy", path => NumpyFile.Write(path, Large.Shape, Large.Values)),
    ];

    private static void CheckFailedWrites(string folder)
    {
        foreach (var (name, write) in Writers)
        {
            var error = Assert.Throws<IOException>(() => write(Path.Combine(folder, name)));
            Assert.StartsWith($"{Path.Combine(folder, name)}: cannot be written: ", error.Message);
        }
        CheckOldFiles(folder);
    }

    private static void WriteOldFiles(string folder)
    {
        foreach (var (name, _) in Writers) File.WriteAllText(Path.Combine(folder, name), "old");
    }

    private static void CheckOldFiles(string folder)
    {
        Assert.Equal(Writers.Select(writer => writer.Name).Order(),
            Directory.GetFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order());
        Assert.All(Writers, writer => Assert.Equal("old", File.ReadAllText(Path.Combine(folder, writer.Name))));
    }

    [Fact]
    public void AFullDiskLeavesTheOldFile()
    {
        using var disk = SmallDisk.Mount();
        if (disk is null) return;   // the next test fills a quota instead
        WriteOldFiles(disk.Folder);
        CheckFailedWrites(disk.Folder);
    }

    // A process that may write files of 64 KB only: what any user can have. The signal that comes with the error is
    // left aside, as a full disk sends none.
    [Theory]
    [InlineData("npz")]
    [InlineData("safetensors")]
    public void AFileThatMayNotGrowLeavesTheOldFile(string extension)
    {
        if (OperatingSystem.IsWindows()) return;
        // 'convert' goes from one format to another
        var source = Path.Combine(folder, extension == "npz" ? "from.safetensors" : "from.npz");
        ArrayFile.Write(source, [Large]);
        var target = Path.Combine(folder, $"old.{extension}");
        File.WriteAllText(target, "old");
        using var process =
            Process.Start(new ProcessStartInfo("bash", ["-c", "trap '' XFSZ; ulimit -f 64; exec dotnet \"$@\"", "bash",
            Path.Combine(AppContext.BaseDirectory, "cifar10.dll"), "convert", "--from", source, "--to", target])
            {
                RedirectStandardError = true,
                Environment =
                // the runtime's own files would be too large
                { ["DOTNET_EnableDiagnostics"] = "0", ["DOTNET_EnableWriteXorExecute"] = "0" },
            })!;
        var error = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 1, error);
        Assert.StartsWith($"error: {target}: cannot be written: ", error);
        Assert.Equal("old", File.ReadAllText(target));
        Assert.Equal(2, Directory.GetFileSystemEntries(folder).Length);
    }

    [Fact]
    public void AReadOnlyFolderLeavesTheOldFile()
    {
        if (OperatingSystem.IsWindows()) return;
        // Permissions do not stop the administrator; a disk that is mounted for reading does.
        using var disk = SmallDisk.Mount();
        var place = disk?.Folder ?? Directory.CreateDirectory(Path.Combine(folder, "read-only")).FullName;
        WriteOldFiles(place);
        if (disk is not null) disk.MakeReadOnly();
        else if (Environment.IsPrivilegedProcess) return;
        else File.SetUnixFileMode(place, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        CheckFailedWrites(place);
        if (disk is null)
            File.SetUnixFileMode(place, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    [Fact]
    public void TheFirstErrorIsTheOneThatIsTold()
    {
        var path = Path.Combine(folder, "file");
        var disk = new FailingDisk(atFlush: new IOException("No space left."),
            atDelete: new UnauthorizedAccessException("Denied."));
        var error = Assert.Throws<IOException>(() => AtomicFile.Write(path, stream => stream.WriteByte(1), disk));
        Assert.StartsWith($"{path}: cannot be written: No space left.", error.Message);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public void AFileIsSaidToBeWrittenWhereItIs()
    {
        var path = Path.Combine(folder, "file");
        File.WriteAllText(path, "old");
        var error = Assert.Throws<IOException>(() =>
            AtomicFile.Write(path, stream => stream.WriteByte(1), new FailingDisk(atFolder: new IOException("Gone."))));
        Assert.StartsWith($"{path}: is written, but may be lost with the power: Gone.", error.Message);
        Assert.Equal([1], File.ReadAllBytes(path));
        Assert.Equal([path], Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void WhatIsNoFileIsNotReplaced()
    {
        if (OperatingSystem.IsWindows()) return;   // there such things have names of their own
        var (pipe, link, file) = (Path.Combine(folder, "pipe"), Path.Combine(folder, "link"),
            Path.Combine(folder, "empty"));
        using (var made = Process.Start("mkfifo", pipe)) made.WaitForExit();
        File.CreateSymbolicLink(link, "/dev/null");
        foreach (var path in (string[])[pipe, link])
        {
            var error = Assert.Throws<IOException>(() => AtomicFile.Write(path, stream => stream.WriteByte(1)));
            Assert.StartsWith($"{path}: cannot be written: it is a pipe or a device", error.Message);
        }
        Assert.Equal([link, pipe], Directory.GetFileSystemEntries(folder).Order());
        Assert.Equal("/dev/null", new FileInfo(link).LinkTarget);
        File.WriteAllBytes(file, []);
        AtomicFile.Write(file, stream => stream.WriteByte(1));
        Assert.Equal([1], File.ReadAllBytes(file));
    }

    // Linux counts the bytes that a thread removed before they came to the disk: none where they were flushed to it.
    [Fact]
    public void WhatIsFlushedIsOnTheDisk()
    {
        if (!OperatingSystem.IsLinux()) return;
        if (Lost(flushed: false) < 1_000_000) return;   // a disk in memory, or one that was faster
        Assert.Equal(0, Lost(flushed: true));

        long Lost(bool flushed)
        {
            var path = Path.Combine(folder, "file");
            using (var stream = Disk.Own.Create(path))
            {
                stream.Write(new byte[1_000_000]);
                stream.Flush();
                if (flushed) Disk.Own.Flush(stream);
            }
            var before = Cancelled();
            File.Delete(path);
            return Cancelled() - before;
        }

        static long Cancelled() =>
            long.Parse(File.ReadLines("/proc/thread-self/io").Single(line => line.StartsWith("cancelled"))
                .Split(' ')[1]);
    }

    // That a folder's names come to the disk nothing tells but a loss of power; that the system was asked, its refusal
    // does.
    [Fact]
    public void AFolderThatCannotBeFlushedIsNamed()
    {
        if (OperatingSystem.IsWindows()) return;
        var missing = Path.Combine(folder, "missing");
        Assert.StartsWith($"{missing}: the folder cannot be opened: ",
            Assert.Throws<IOException>(() => Disk.Own.FlushFolder(missing)).Message);
        Disk.Own.FlushFolder(folder);
    }

    [Fact]
    public void AFileThatShrinksWhileItIsReadIsRefused()
    {
        if (OperatingSystem.IsWindows()) return;   // there nobody can shrink a file that is being read
        foreach (var (name, write) in Writers)
        {
            var path = Path.Combine(folder, name);
            write(path);
            var whole = File.ReadAllBytes(path);
            using var done = new CancellationTokenSource();
            var shrinking = new Thread(() =>
            {
                var random = new Random(1);
                using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                while (!done.IsCancellationRequested)
                {
                    stream.SetLength(random.Next(whole.Length));
                    stream.Position = 0;
                    stream.Write(whole);
                }
            });
            shrinking.Start();
            try
            {
                for (var round = 0; round < 30; round++)
                {
                    try
                    {
                        Assert.Equal(Large.Shape, Assert.Single(ArrayFile.Read(path)).Shape);
                    }
                    catch (Exception error) when (error is IOException or InvalidDataException)
                    {
                        Assert.StartsWith(path, error.Message);
                    }
                }
            }
            finally
            {
                done.Cancel();
                shrinking.Join();
            }
        }
    }

    [Fact]
    public void AFileThatEndsBeforeItsLengthIsNamed()
    {
        var path = Path.Combine(folder, "short.npy");
        File.WriteAllBytes(path, [1]);
        var error = Assert.Throws<IOException>(() => ReadableFile.Read<int>(path, stream =>
        {
            stream.ReadExactly(new byte[2]);
            return 0;
        }));
        Assert.StartsWith($"{path}: the file ends too early: it was cut short after it was opened.", error.Message);
        Assert.Contains("cannot be read: gone",
            Assert.Throws<IOException>(() => ReadableFile.Read<int>(path, _ => throw new IOException("gone"))).Message);
    }

    [Fact]
    public void APipeIsNotAFile()
    {
        if (!OperatingSystem.IsLinux()) return;
        using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        var path = $"/proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()}";
        Assert.Contains("it is a pipe or a device",
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(path)).Message);
    }
}
