using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>The download, against a server on loopback that serves a small archive, rightly and wrongly.</summary>
public sealed class DownloadTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("tapegrad-download").FullName;

    public void Dispose() => Directory.Delete(root, recursive: true);

    private string Target => Path.Combine(root, "data");

    // ---- the archive ---------------------------------------------------------------------------------------------------------------------

    private static readonly Dictionary<string, long> Files = new() { ["one.bin"] = 1000, ["two.bin"] = 70_000 };

    // Bytes that do not compress, so that the archive is about as long as its files.
    private static byte[] Contents(string name, long length)
    {
        var (bytes, random) = (new byte[length], new RandomSource(name.Length + length));
        for (var i = 0; i < bytes.Length; i++) bytes[i] = (byte)random.Bits(i);
        return bytes;
    }

    private static TarEntry Entry(string name, long length) =>
        new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Contents(Path.GetFileName(name), length)) };

    private static TarEntry Link(TarEntryType type, string name, string to) => new PaxTarEntry(type, name) { LinkName = to };

    private static TarEntry Subfolder(string name) => new PaxTarEntry(TarEntryType.Directory, name);

    private static TarEntry[] RightEntries() =>
        [Subfolder("set/"), Entry("set/one.bin", 1000), Entry("set/readme.html", 30), Entry("set/two.bin", 70_000)];

    private static byte[] Archive(params TarEntry[] entries)
    {
        var bytes = new MemoryStream();
        using (var tar = new TarWriter(new GZipStream(bytes, CompressionLevel.Fastest)))
            foreach (var entry in entries) tar.WriteEntry(entry);
        return bytes.ToArray();
    }

    private static ArchiveDownload Order(Uri address, byte[] expected) =>
        new(address, Convert.ToHexStringLower(MD5.HashData(expected)), "set", Files, ["readme.html"]);

    private Task DownloadAsync(LoopbackServer server, byte[] expected, Action<long, long?>? progress = null, CancellationToken stop = default) =>
        Order(server.Address, expected).RunAsync(Target, progress, stop);

    // The error's message; whatever went wrong, nothing must be left behind.
    private async Task<string> FailsAsync<TException>(LoopbackServer server, byte[] expected) where TException : Exception
    {
        var error = await Assert.ThrowsAsync<TException>(() => DownloadAsync(server, expected));
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
        return error.Message;
    }

    private void IsComplete(string folder)
    {
        Assert.Equal(["one.bin", "two.bin"], Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path)).Order());
        foreach (var (name, length) in Files) Assert.Equal(Contents(name, length), File.ReadAllBytes(Path.Combine(folder, name)));
    }

    // ---- what goes right -----------------------------------------------------------------------------------------------------------------

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Puts_the_files_in_place_and_nothing_else(bool lengthIsTold)
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, lengthIsTold ? archive.Length : null);
        var progress = new List<(long Bytes, long? Total)>();
        await DownloadAsync(server, archive, (bytes, total) => progress.Add((bytes, total)));
        IsComplete(Target);
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(root));
        Assert.Equal(archive.Length, progress[^1].Bytes);
        Assert.Equal(progress.Select(p => p.Bytes).Order().Distinct(), progress.Select(p => p.Bytes));
        Assert.All(progress, p => Assert.Equal(lengthIsTold ? archive.Length : null, p.Total));
    }

    [Fact]
    public async Task Takes_an_empty_folder_and_makes_the_folders_above()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, archive.Length);
        Directory.CreateDirectory(Target);
        await DownloadAsync(server, archive);
        IsComplete(Target);
        var deep = Path.Combine(root, "a", "b", "c");
        await Order(server.Address, archive).RunAsync(deep + Path.DirectorySeparatorChar, null, default);
        IsComplete(deep);
    }

    [Fact]
    public void The_dataset_is_the_one_of_the_home_page()
    {
        // Address and MD5 sum: https://www.cs.toronto.edu/~kriz/cifar.html; six files of 10,000 records of 3073 bytes.
        Assert.Equal("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", Cifar10.Archive.Address.AbsoluteUri);
        Assert.Equal("c32a1d4ab5d03f1284b67883e8d87530", Cifar10.Archive.Md5);
        Assert.Equal("cifar-10-batches-bin", Cifar10.Archive.Folder);
        Assert.Equal(["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"],
            Cifar10.Archive.Files.Keys.Order());
        Assert.All(Cifar10.Archive.Files.Values, length => Assert.Equal(30_730_000, length));
        Assert.Equal(["batches.meta.txt", "readme.html"], Cifar10.Archive.Ignored);
    }

    // ---- what stands in the way ----------------------------------------------------------------------------------------------------------

    [Fact]
    public async Task Never_replaces_what_is_there()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, archive.Length);
        Directory.CreateDirectory(Target);
        var precious = Path.Combine(Target, "one.bin");
        File.WriteAllText(precious, "mine");
        Assert.Contains(Target, (await Assert.ThrowsAsync<IOException>(() => DownloadAsync(server, archive))).Message);
        Assert.Equal("mine", File.ReadAllText(precious));
        await Assert.ThrowsAsync<IOException>(() => Order(server.Address, archive).RunAsync(precious, null, default));
        Assert.Equal("mine", File.ReadAllText(precious));
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(root));
        Assert.Equal([precious], Directory.EnumerateFileSystemEntries(Target));
        Assert.Equal(0, server.Requests);   // nobody downloads 170 MB to be told so
    }

    [Fact]
    public async Task Removes_the_folders_that_it_made_when_it_fails()
    {
        using var server = new LoopbackServer([], 0, "404 Not Found");
        var error = await Assert.ThrowsAsync<IOException>(() => Order(server.Address, []).RunAsync(Path.Combine(root, "a", "b", "c"), null, default));
        Assert.Contains("404 (Not Found)", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    [Fact]
    public async Task An_empty_folder_survives_a_failure()
    {
        using var server = new LoopbackServer([], 0, "500 Oops");
        Directory.CreateDirectory(Target);
        await Assert.ThrowsAsync<IOException>(() => DownloadAsync(server, []));
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(root));
    }

    [Fact]
    public async Task Says_that_nobody_answers()
    {
        // Taken, so that no other program listens there, and nobody listens.
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var address = new Uri($"http://127.0.0.1:{((IPEndPoint)silent.LocalEndPoint!).Port}/");
        var error = await Assert.ThrowsAsync<IOException>(() => Order(address, []).RunAsync(Target, null, default));
        Assert.Contains($"{address} could not be downloaded", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    [Fact]
    public async Task Gives_up_on_a_silent_server()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive[..500], archive.Length, hangs: true);
        var clock = new Clock();
        var order = Order(server.Address, archive) with { Time = clock };
        // Nothing more comes, and a minute goes by.
        var error = await Assert.ThrowsAsync<IOException>(() => order.RunAsync(Target, (_, _) => clock.Advance(60), default));
        Assert.Contains("sent nothing for 60 seconds, after ", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    // It may take any time in all, as long as something comes within a minute.
    [Fact]
    public async Task Waits_for_a_slow_server()
    {
        var archive = Archive(RightEntries());
        var (clock, pieces) = (new Clock(), 0);
        using var server = new LoopbackServer(archive, archive.Length);
        void Linger(long bytes, long? total)
        {
            pieces++;
            clock.Advance(59);
        }
        await (Order(server.Address, archive) with { Time = clock }).RunAsync(Target, Linger, default);
        Assert.True(pieces >= 2, "the archive is longer than what is read at once");
        IsComplete(Target);
    }

    [Fact]
    public async Task Ends_when_it_is_cancelled()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive[..500], archive.Length, hangs: true);
        using var cancellation = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => DownloadAsync(server, archive, (_, _) => cancellation.Cancel(), cancellation.Token));
        Assert.Empty(Directory.EnumerateFileSystemEntries(root));
    }

    // ---- a server that lies --------------------------------------------------------------------------------------------------------------

    [Fact]
    public async Task Notices_a_connection_that_is_cut_off()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive[..30_000], archive.Length);
        Assert.Contains("after 30000 bytes", await FailsAsync<IOException>(server, archive));
    }

    [Fact]
    public async Task Notices_a_connection_that_is_cut_off_without_a_promised_length()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive[..30_000], null);
        Assert.Contains("sent 30000 bytes with the MD5 sum", await FailsAsync<InvalidDataException>(server, archive));
    }

    [Fact]
    public async Task Notices_a_length_that_is_too_small()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, archive.Length - 1);
        Assert.Contains($"sent {archive.Length - 1} bytes with the MD5 sum", await FailsAsync<InvalidDataException>(server, archive));
    }

    [Fact]
    public async Task Notices_a_length_that_is_too_large()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, archive.Length + 1);
        Assert.Contains($"after {archive.Length} bytes", await FailsAsync<IOException>(server, archive));
    }

    // The most that the archive may have: its files' 71,000 bytes and a mebibyte.
    private const long Most = 71_000 + (1 << 20);

    [Fact]
    public async Task Refuses_more_than_the_archive_can_have_before_and_while_it_comes()
    {
        var tooMuch = new byte[Most + 1];
        using (var server = new LoopbackServer([], Most + 1))
            Assert.Contains($"offers {Most + 1} bytes", await FailsAsync<InvalidDataException>(server, tooMuch));
        using (var server = new LoopbackServer(tooMuch, null))
            Assert.Contains($"sent more than the {Most} bytes", await FailsAsync<InvalidDataException>(server, tooMuch));
    }

    [Fact]
    public async Task Notices_another_file()
    {
        var archive = Archive(RightEntries());
        var other = archive.ToArray();
        other[20_000] ^= 1;
        using var server = new LoopbackServer(other, other.Length);
        Assert.Contains($"not {Convert.ToHexStringLower(MD5.HashData(archive))}", await FailsAsync<InvalidDataException>(server, archive));
    }

    // ---- an archive that is not what it should be, with the right sum --------------------------------------------------------------------

    private async Task RefusesAsync(string reason, params TarEntry[] entries)
    {
        var archive = Archive(entries);
        using var server = new LoopbackServer(archive, archive.Length);
        Assert.Contains(reason, await FailsAsync<InvalidDataException>(server, archive));
    }

    [Theory]
    [InlineData("set/three.bin")]
    [InlineData("one.bin")]
    [InlineData("other/one.bin")]
    [InlineData("set/../one.bin")]
    [InlineData("set/../../evil.bin")]
    [InlineData("../evil.bin")]
    [InlineData("/evil.bin")]
    [InlineData("set/one.bin/evil")]
    [InlineData("SET/ONE.BIN")]
    public Task Refuses_an_entry_of_another_name(string name) =>
        RefusesAsync($"the entry {name} does not belong to it", [.. RightEntries(), Entry(name, 1000)]);

    [Theory]
    [InlineData(999)]
    [InlineData(1001)]
    [InlineData(0)]
    public Task Refuses_an_entry_of_another_length(long length) =>
        RefusesAsync($"the entry set/one.bin has {length} bytes, not 1000", Entry("set/one.bin", length), Entry("set/two.bin", 70_000));

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    public Task Refuses_links(TarEntryType type) =>
        RefusesAsync($"the entry set/one.bin is not a plain file but a {type}", Entry("set/two.bin", 70_000), Link(type, "set/one.bin", "two.bin"));

    [Fact]
    public Task Refuses_another_folder() =>
        RefusesAsync("the entry set/deep/ is not a plain file but a Directory", [.. RightEntries(), Subfolder("set/deep/")]);

    [Fact]
    public Task Refuses_an_entry_that_is_there_twice() =>
        RefusesAsync("the entry set/one.bin is there twice", [.. RightEntries(), Entry("set/one.bin", 1000)]);

    [Fact]
    public Task Refuses_an_archive_without_one_of_the_files() => RefusesAsync("two.bin is not in it", Entry("set/one.bin", 1000));

    [Fact]
    public Task Refuses_an_archive_that_unpacks_to_too_much()
    {
        var zeros = new PaxTarEntry(TarEntryType.RegularFile, "set/readme.html") { DataStream = new MemoryStream(new byte[2 << 20]) };
        return RefusesAsync($"unpacks to more than {Most} bytes", [.. RightEntries(), zeros]);
    }

    [Fact]
    public async Task Refuses_what_is_no_archive()
    {
        var page = "<html>Please log in</html>"u8.ToArray();
        using var server = new LoopbackServer(page, page.Length);
        await FailsAsync<InvalidDataException>(server, page);
    }

    /// <summary>A clock that goes when the test says so.</summary>
    private sealed class Clock : TimeProvider
    {
        private readonly List<Timer> timers = [];
        private double now;   // seconds

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            var timer = new Timer(this, () => callback(state));
            timer.Change(dueTime, period);
            lock (timers) timers.Add(timer);
            return timer;
        }

        public void Advance(double seconds)
        {
            now += seconds;
            Timer[] due;
            lock (timers) due = [.. timers.Where(timer => timer.Due <= now)];
            foreach (var timer in due) timer.Ring();
        }

        private sealed class Timer(Clock clock, Action ring) : ITimer
        {
            public double Due { get; private set; }

            public void Ring()
            {
                Due = double.PositiveInfinity;
                ring();
            }

            public bool Change(TimeSpan dueTime, TimeSpan period)
            {
                Due = dueTime == Timeout.InfiniteTimeSpan ? double.PositiveInfinity : clock.now + dueTime.TotalSeconds;
                return true;
            }

            public void Dispose() => Due = double.PositiveInfinity;

            public ValueTask DisposeAsync()
            {
                Dispose();
                return ValueTask.CompletedTask;
            }
        }
    }
}
