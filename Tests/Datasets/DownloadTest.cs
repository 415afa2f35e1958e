using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>
/// A small archive, which a server on loopback serves rightly and wrongly, and what is to become of it.
/// </summary>
public abstract class DownloadTest : IDisposable
{
    /// <summary>A folder that is empty at first.</summary>
    internal string Root { get; } = Directory.CreateTempSubdirectory("tapegrad-download").FullName;

    public void Dispose()
    {
        Directory.Delete(Root, recursive: true);
        GC.SuppressFinalize(this);
    }

    internal string Target => Path.Combine(Root, "data");

    // ---- the archive ------------------------------------------------------------------------------------------------

    private static readonly Dictionary<string, long> Files = new() { ["one.bin"] = 1000, ["two.bin"] = 70_000 };

    /// <summary>The most bytes that the archive can have.</summary>
    internal const long Most = 71_000 + (1 << 20);

    // Bytes that do not compress, so that the archive is about as long as its files.
    private static byte[] Contents(string name, long length)
    {
        var (bytes, random) = (new byte[length], new RandomSource(name.Length + length));
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)random.Bits(i);
        return bytes;
    }

    internal static TarEntry Entry(string name, long length) =>
        new PaxTarEntry(TarEntryType.RegularFile,
            name)
        { DataStream = new MemoryStream(Contents(Path.GetFileName(name), length)) };

    internal static TarEntry Link(TarEntryType type, string name, string to) =>
        new PaxTarEntry(type, name) { LinkName = to };

    internal static TarEntry Subfolder(string name) => new PaxTarEntry(TarEntryType.Directory, name);

    internal static TarEntry[] RightEntries() =>
        [Subfolder("set/"), Entry("set/one.bin", 1000), Entry("set/readme.html", 30), Entry("set/two.bin", 70_000)];

    internal static byte[] Archive(params TarEntry[] entries)
    {
        var bytes = new MemoryStream();
        using (var tar = new TarWriter(new GZipStream(bytes, CompressionLevel.Fastest)))
            foreach (var entry in entries) tar.WriteEntry(entry);
        return bytes.ToArray();
    }

    internal static ArchiveDownload Order(Uri address, byte[] expected) =>
        new(address, Convert.ToHexStringLower(MD5.HashData(expected)), "set", Files, ["readme.html"]);

    internal Task DownloadAsync(LoopbackServer server, byte[] expected, Action<long, long?>? progress = null,
        CancellationToken stop = default) =>
        Order(server.Address, expected).RunAsync(Target, progress, stop);

    // The error's message; whatever went wrong, nothing must be left behind.
    internal async Task<string> FailsAsync<TException>(LoopbackServer server, byte[] expected)
        where TException : Exception
    {
        var error = await Assert.ThrowsAsync<TException>(() => DownloadAsync(server, expected));
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
        return error.Message;
    }

    internal void IsComplete(string folder)
    {
        Assert.Equal(["one.bin", "two.bin"], Directory.EnumerateFileSystemEntries(folder)
            .Select(path => Path.GetFileName(path)).Order());
        foreach (var (name, length) in Files)
            Assert.Equal(Contents(name, length), File.ReadAllBytes(Path.Combine(folder, name)));
    }
}
