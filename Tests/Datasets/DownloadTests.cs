using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>The download, against servers that are right, slow, silent, or lie.</summary>
public sealed class DownloadTests : DownloadTest
{
    // ---- what goes right --------------------------------------------------------------------------------------------

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
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(Root));
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
        var deep = Path.Combine(Root, "a", "b", "c");
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
        Assert.Equal(["data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
            "data_batch_5.bin", "test_batch.bin"], Cifar10.Archive.Files.Keys.Order());
        Assert.All(Cifar10.Archive.Files.Values, length => Assert.Equal(30_730_000, length));
        Assert.Equal(["batches.meta.txt", "readme.html"], Cifar10.Archive.Ignored);
    }

    // ---- what stands in the way -------------------------------------------------------------------------------------

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
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(Root));
        Assert.Equal([precious], Directory.EnumerateFileSystemEntries(Target));
        Assert.Equal(0, server.Requests);   // nobody downloads 170 MB to be told so
    }

    [Fact]
    public async Task Removes_the_folders_that_it_made_when_it_fails()
    {
        using var server = new LoopbackServer([], 0, "404 Not Found");
        var error = await Assert.ThrowsAsync<IOException>(() =>
            Order(server.Address, []).RunAsync(Path.Combine(Root, "a", "b", "c"), null, default));
        Assert.Contains("404 (Not Found)", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
    }

    [Fact]
    public async Task An_empty_folder_survives_a_failure()
    {
        using var server = new LoopbackServer([], 0, "500 Oops");
        Directory.CreateDirectory(Target);
        await Assert.ThrowsAsync<IOException>(() => DownloadAsync(server, []));
        Assert.Equal([Target], Directory.EnumerateFileSystemEntries(Root));
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
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
    }

    [Fact]
    public async Task Gives_up_on_a_silent_server()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive[..500], archive.Length, hangs: true);
        var clock = new Clock();
        var order = Order(server.Address, archive) with { Time = clock };
        // Nothing more comes, and a minute goes by.
        var error = await Assert.ThrowsAsync<IOException>(() =>
            order.RunAsync(Target, (_, _) => clock.Advance(60), default));
        Assert.Contains("sent nothing for 60 seconds, after ", error.Message);
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
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
        Assert.Empty(Directory.EnumerateFileSystemEntries(Root));
    }

    // ---- a server that lies -----------------------------------------------------------------------------------------

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
        Assert.Contains($"sent {archive.Length - 1} bytes with the MD5 sum",
            await FailsAsync<InvalidDataException>(server, archive));
    }

    [Fact]
    public async Task Notices_a_length_that_is_too_large()
    {
        var archive = Archive(RightEntries());
        using var server = new LoopbackServer(archive, archive.Length + 1);
        Assert.Contains($"after {archive.Length} bytes", await FailsAsync<IOException>(server, archive));
    }

    // The most that the archive may have: its files' 71,000 bytes and a mebibyte.
    [Fact]
    public async Task Refuses_more_than_the_archive_can_have_before_and_while_it_comes()
    {
        var tooMuch = new byte[Most + 1];
        using (var server = new LoopbackServer([], Most + 1))
            Assert.Contains($"offers {Most + 1} bytes", await FailsAsync<InvalidDataException>(server, tooMuch));
        using (var server = new LoopbackServer(tooMuch, null))
            Assert.Contains($"sent more than the {Most} bytes",
                await FailsAsync<InvalidDataException>(server, tooMuch));
    }

    [Fact]
    public async Task Notices_another_file()
    {
        var archive = Archive(RightEntries());
        var other = archive.ToArray();
        other[20_000] ^= 1;
        using var server = new LoopbackServer(other, other.Length);
        Assert.Contains($"not {Convert.ToHexStringLower(MD5.HashData(archive))}",
            await FailsAsync<InvalidDataException>(server, archive));
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
