using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>What is kept of a folder of images, and when it is made again.</summary>
public sealed class ImageCacheTests : FolderOfImages
{
    private string CacheFile => Assert.Single(Directory.GetFiles(Cache));

    [Fact]
    public void The_cache_is_used_as_long_as_the_files_are_the_same()
    {
        WriteCatsAndDogs();
        WriteBytes("cats/broken.png", [7]);
        var expected = Contents(Load(cached: true).Train).ToList();
        // What is in the cache is what is seen: another image of the same length and time is not.
        var dog = Path.Combine(Images, "dogs", "0.png");
        var (time, bytes) = (File.GetLastWriteTimeUtc(dog), File.ReadAllBytes(dog));
        File.WriteAllBytes(dog, new byte[bytes.Length]);
        File.SetLastWriteTimeUtc(dog, time);
        notices.Clear();
        Assert.Equal(expected, Contents(Load(cached: true).Train));
        Assert.Contains("broken.png", Assert.Single(notices));   // still named
        File.SetLastWriteTimeUtc(dog, time.AddSeconds(1));
        notices.Clear();
        Load(cached: true);
        Assert.Equal(2, notices.Count);
        File.WriteAllBytes(dog, bytes);
        Assert.Equal(expected, Contents(Load(cached: true).Train));
        // Another size is another cache.
        Assert.Equal(2, ImageFolder.Load(Images, 2, Cache).Train.Height);
        Assert.Equal(expected, Contents(Load(cached: true).Train));
        _ = CacheFile;
    }

    // Takes a file of one byte for a grey pixel, brighter by so much; does something before.
    private class OneByte(int more = 0, Action<byte>? before = null) : IImageDecoder
    {
        public bool Recognizes(ReadOnlySpan<byte> beginning) => beginning.Length == 1;

        public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels)
        {
            before?.Invoke(file.Span[0]);
            return new(1, 1, 1, [(byte)(file.Span[0] + more)]);
        }
    }

    private sealed class Brighter() : OneByte(more: 100);

    [Fact]
    public void The_cache_is_of_what_links_lead_to()
    {
        Write("cats/a.png", 1);
        Write("dogs/b.png", 2);
        var elsewhere = Path.Combine(folder, "elsewhere.png");
        foreach (var level in (byte[])[10, 20])   // with pictures of different lengths
        {
            File.WriteAllBytes(elsewhere,
                ImageFile.Encode(new Picture(level, level, 3, [.. Enumerable.Repeat(level, 3 * level * level)])));
            foreach (var link in (string[])["cats/aa.png", "dogs/bb.png"])
                if (level == 10) File.CreateSymbolicLink(Path.Combine(Images, link), elsewhere);
            var (train, test) = Load(cached: true);
            Assert.Equal([1, 2, level, level], ((ImageDataset[])[train, test]).SelectMany(Contents)
                .Select(image => (int)image.Level).Order());
        }
    }

    private IEnumerable<int> Levels(IImageDecoder decoder) =>
        ImageFolder.Load(Images, Side, Cache, [decoder]) is var (train, test)
        ? Contents(train).Concat(Contents(test)).Select(image => (int)image.Level).Order() : [];

    [Fact]
    public void A_file_that_changes_while_the_images_are_read_is_read_again_the_next_time()
    {
        string[] names = ["a/1.png", "a/2.png", "b/1.png", "b/2.png"];
        foreach (var (i, name) in names.Index()) WriteBytes(name, [(byte)i]);
        Assert.Equal([0, 1, 2, 3], Levels(new OneByte(before: level =>
        {
            if (level != 0) return;
            WriteBytes(names[0], [77]);
            File.SetLastWriteTimeUtc(Path.Combine(Images, names[0]),
                new DateTime(2020, 2, 2, 0, 0, 0, DateTimeKind.Utc));
        })));
        Assert.Equal([1, 2, 3, 77], Levels(new OneByte()));
    }

    [Fact]
    public void The_cache_is_of_the_decoders_that_read_the_files()
    {
        foreach (var (i, name) in ((string[])["a/1.png", "a/2.png", "b/1.png", "b/2.png"]).Index())
            WriteBytes(name, [(byte)i]);
        Assert.Equal([0, 1, 2, 3], Levels(new OneByte()));
        Assert.Equal([100, 101, 102, 103], Levels(new Brighter()));
        Assert.Equal([0, 1, 2, 3], Levels(new OneByte()));
    }

    [Fact]
    public void A_damaged_cache_is_made_again()
    {
        Write("a/1.png", 1);
        Write("a/2.png", 2);
        Write("b/3.png", 3);
        var expected = Contents(Load(cached: true).Train).ToList();
        var whole = File.ReadAllBytes(CacheFile);
        var random = new Random(1);
        for (var i = 0; i < 60; i++)
        {
            var changed = i % 2 == 0 ? whole[..random.Next(whole.Length)] : [.. whole, .. new byte[i % 3]];
            if (changed.Length >= whole.Length) changed[random.Next(whole.Length)] ^= 64;
            File.WriteAllBytes(CacheFile, changed);
            notices.Clear();
            Assert.Equal(expected, Contents(Load(cached: true).Train));
            Assert.Equal(whole, File.ReadAllBytes(CacheFile));
            // Damage of the key looks like other files; all else is noticed.
            if (changed.Length < 64 || changed.AsSpan(32, 32).SequenceEqual(whole.AsSpan(32, 32)))
                Assert.Contains("is damaged",
                Assert.Single(notices));
        }
    }

    [Fact]
    public void What_a_killed_process_left_of_a_cache_is_removed()
    {
        Write("a/1.png", 1);
        Write("a/2.png", 2);
        Write("b/3.png", 3);
        Load(cached: true);
        var (left, other) = ($"{CacheFile}.0a1b2c3d.xyz", Path.Combine(Cache, "images-0123456789abcdef.cache"));
        var anothers = $"{CacheFile}.1a1b2c3d.xyz";   // of a process that is writing now
        foreach (var file in (string[])[left, other, anothers]) File.WriteAllText(file, "half of it");
        File.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddDays(-1.1));
        Write("b/4.png", 4);
        Load(cached: true);
        Assert.False(File.Exists(left));
        Assert.True(File.Exists(anothers));
        Assert.True(File.Exists(other));
    }

    [Fact]
    public void A_cache_that_cannot_be_written_is_a_notice()
    {
        Write("a/1.png", 1);
        Write("a/2.png", 2);
        Write("b/3.png", 3);
        File.WriteAllText(Cache, "a file where the folder should be");
        Assert.Equal(2, Load(cached: true).Train.Count);
        Assert.Contains("not kept", Assert.Single(notices));
    }
}
