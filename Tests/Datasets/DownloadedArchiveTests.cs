using System.Formats.Tar;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>An archive that is not what it should be, with the right sum.</summary>
public sealed class DownloadedArchiveTests : DownloadTest
{
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
        RefusesAsync($"the entry set/one.bin has {length} bytes, not 1000", Entry("set/one.bin", length),
            Entry("set/two.bin", 70_000));

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    public Task Refuses_links(TarEntryType type) =>
        RefusesAsync($"the entry set/one.bin is not a plain file but a {type}", Entry("set/two.bin", 70_000),
            Link(type, "set/one.bin", "two.bin"));

    [Fact]
    public Task Refuses_another_folder() =>
        RefusesAsync("the entry set/deep/ is not a plain file but a Directory",
            [.. RightEntries(), Subfolder("set/deep/")]);

    [Fact]
    public Task Refuses_an_entry_that_is_there_twice() =>
        RefusesAsync("the entry set/one.bin is there twice", [.. RightEntries(), Entry("set/one.bin", 1000)]);

    [Fact]
    public Task Refuses_an_archive_without_one_of_the_files() =>
        RefusesAsync("two.bin is not in it", Entry("set/one.bin", 1000));

    [Fact]
    public Task Refuses_an_archive_that_unpacks_to_too_much()
    {
        var zeros = new PaxTarEntry(TarEntryType.RegularFile,
            "set/readme.html")
        { DataStream = new MemoryStream(new byte[2 << 20]) };
        return RefusesAsync($"unpacks to more than {Most} bytes", [.. RightEntries(), zeros]);
    }

    [Fact]
    public async Task Refuses_what_is_no_archive()
    {
        var page = "<html>Please log in</html>"u8.ToArray();
        using var server = new LoopbackServer(page, page.Length);
        await FailsAsync<InvalidDataException>(server, page);
    }
}
