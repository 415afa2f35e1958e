using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>Folders of images: which are found, held apart and left out, and what the cache keeps.</summary>
public sealed class ImageFolderTests : IDisposable
{
    private const int Side = 4;
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-folder").FullName;
    private readonly List<string> notices = [];

    public ImageFolderTests() => Notices.Raised += Note;

    public void Dispose()
    {
        Notices.Raised -= Note;
        Directory.Delete(folder, recursive: true);
    }

    // Those of this test: others run at the same time.
    private void Note(string notice)
    {
        lock (notices)
            if (notice.Contains(folder, StringComparison.Ordinal)) notices.Add(notice);
    }

    private string Images => Path.Combine(folder, "images");

    private string Cache => Path.Combine(folder, "cache");

    // A picture of one level all over, by which it is known again.
    private void Write(string name, byte level, int height = Side, int width = Side, int channels = 3) =>
        WriteBytes(name, PngEncoder.Encode(new Picture(height, width, channels, [.. Enumerable.Repeat(level, height * width * channels)])));

    private void WriteBytes(string name, byte[] bytes)
    {
        var path = Path.Combine(Images, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }

    private (ImageDataset Train, ImageDataset Test) Load(bool cached = false) => ImageFolder.Load(Images, Side, cached ? Cache : null);

    private static IEnumerable<(byte Level, int Label)> Contents(ImageDataset dataset) =>
        Enumerable.Range(0, dataset.Count).Select(i => (dataset.Image(i)[0], dataset.Labels[i]));

    // Ten cats of levels 0 to 9, five dogs of levels 100 to 104.
    private void WriteCatsAndDogs()
    {
        for (byte i = 0; i < 10; i++) Write($"cats/{(i % 2 == 0 ? "" : "more/")}{i}.png", i, height: 3 + i, width: 5, channels: 1 + i % 2 * 2);
        for (byte i = 0; i < 5; i++) Write($"dogs/{i}.png", (byte)(100 + i), channels: 3);
    }

    [Fact]
    public void Holds_a_fifth_of_each_class_apart()
    {
        WriteCatsAndDogs();
        Assert.Equal((4, true), (ImageFolder.Load(Images, 32).Train.Augment.Padding, ImageFolder.Load(Images, 32).Train.Augment.Flips));
        Assert.True(ImageFolder.IsIn(Images));
        var (train, test) = Load();
        Assert.Equal((10, 5), (train.Count, test.Count));
        Assert.Equal(["cats", "dogs"], train.ClassNames);
        Assert.Equal(("ImageFolder", Side, Side, 3), (train.Name, train.Height, train.Width, train.Channels));
        Assert.Equal(Enumerable.Range(0, 10).Concat(Enumerable.Range(100, 5)), Contents(train).Concat(Contents(test)).Select(image =>
            (int)image.Level).Order());
        Assert.All(Contents(train).Concat(Contents(test)), image => Assert.Equal(image.Level < 100 ? 0 : 1, image.Label));
        Assert.Equal(Contents(train).Average(image => image.Level / 255.0), train.Mean[0], 1e-12);
        Assert.Equal((train.Mean, train.Std), (test.Mean, test.Std));
        Assert.Equal(Contents(test), Contents(Load().Test));
        Assert.Equal(new Augment { Padding = 0, Flips = true }, train.Augment);
        // Other files do not move them.
        for (byte i = 0; i < 30; i++) Write($"cats/new{i}.png", (byte)(50 + i));
        Assert.Empty(Contents(test).Except(Contents(Load().Test)));
        Assert.Empty(Contents(train).Except(Contents(Load().Train)));
    }

    // SHA-256 as a number from 0 to 1, by other arithmetic than the library's.
    private static bool IsInLowestFifth(string name) =>
        5 * new BigInteger(SHA256.HashData(Encoding.UTF8.GetBytes(name)), isUnsigned: true, isBigEndian: true) < BigInteger.One << 256;

    [Fact]
    public void An_image_is_tested_on_by_the_hash_of_its_name_and_each_side_has_one()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            string[] names =
                [.. Enumerable.Range(0, random.Next(20)).Select(_ => $"{(random.Next(2) == 0 ? "" : "more/")}{random.Next(10_000)}.png").Distinct()];
            var (apart, expected) = (ImageFolder.HeldApart(names), names.Where(IsInLowestFifth).ToArray());
            if (expected.Length > 0 && expected.Length < names.Length) Assert.Equal(expected.Order(), apart.Order());
            else Assert.Equal(names.Length < 2 ? 0 : expected.Length == 0 ? 1 : names.Length - 1, apart.Count);
            Assert.Empty(apart.Except(names));
        }
        string[] many = [.. Enumerable.Range(0, 2000).Select(i => $"{i}.jpg")];
        Assert.InRange(ImageFolder.HeldApart(many).Count, 310, 490);   // 400, with a deviation of 18
    }

    // So that a limit takes some of each: the third image of any class comes after the second of every class that has two.
    [Theory]
    [InlineData("", "")]
    [InlineData("train/", "test/")]
    public void The_classes_take_turns(string train, string test)
    {
        foreach (var part in new[] { train, test }.Distinct())
            foreach (var (name, count) in ((string, int)[])[("ants", 12), ("bees", 5), ("cats", 9)])
                for (byte i = 0; i < count; i++) Write($"{part}{name}/{i}.png", i);
        var (trained, tested) = Load();
        foreach (var labels in new[] { trained.Labels, tested.Labels })
        {
            var turns = labels.Select((label, i) => (Turn: labels.Take(i).Count(other => other == label), label)).ToArray();
            Assert.Equal(turns.Order(), turns);
            Assert.Equal([0, 1, 2], labels.Take(3));
        }
    }

    [Fact]
    public async Task What_is_no_regular_file_is_left_out_and_named()
    {
        WriteCatsAndDogs();
        var special = SpecialFiles.In(folder);
        foreach (var (i, path) in special.Index())
            File.CreateSymbolicLink(Path.Combine(Images, "cats", $"special{i}.png"), path);
        await Task.Run(() => Load()).WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(special.Length, notices.Count);
        Assert.All(notices, notice => Assert.Contains("a pipe or a device", notice));
    }

    [Theory]
    [InlineData("test")]
    [InlineData("val")]
    [InlineData("valid")]
    [InlineData("validation")]
    public void Takes_folders_to_train_and_to_test_on_where_they_are(string name)
    {
        Write("train/a/1.png", 1);
        Write("train/b/2.png", 2);
        Write($"{name}/b/3.png", 3);
        Assert.True(ImageFolder.IsIn(Images));
        var (train, test) = Load();
        Assert.Equal([(1, 0), (2, 1)], Contents(train));
        Assert.Equal([(3, 1)], Contents(test));
        Write($"{name}/c/4.png", 4);
        Assert.Contains("has a folder 'c', but", Assert.Throws<InvalidDataException>(() => Load()).Message);
    }

    [Fact]
    public void Files_that_cannot_be_read_are_left_out_and_named()
    {
        WriteCatsAndDogs();
        for (var i = 0; i < 102; i++) WriteBytes($"cats/x{i}.png", [1, 2, 3]);
        WriteBytes("cats/.hidden", [1]);
        var (train, test) = Load();
        Assert.Equal(15, train.Count + test.Count);
        Assert.Equal(101, notices.Count);
        Assert.All(notices.Take(100), notice => Assert.Contains(".png: the file begins with 010203", notice));
        Assert.Equal(100, notices.Take(100).Distinct().Count());
        Assert.Contains("2 more files", notices[100]);
        Assert.All(Contents(train).Concat(Contents(test)), image => Assert.Equal(image.Level < 100 ? 0 : 1, image.Label));
    }

    [Fact]
    public void Links_to_files_and_to_a_class_are_followed_and_links_to_folders_inside_a_class_are_not()
    {
        Write("elsewhere/1.png", 1);
        Directory.Move(Path.Combine(Images, "elsewhere"), Path.Combine(folder, "elsewhere"));
        Write("b/2.png", 2);
        Write("b/deeper/3.png", 3);
        Directory.CreateSymbolicLink(Path.Combine(Images, "a"), Path.Combine(folder, "elsewhere"));
        File.CreateSymbolicLink(Path.Combine(folder, "elsewhere", "4.png"), Path.Combine(Images, "b", "2.png"));
        Directory.CreateSymbolicLink(Path.Combine(Images, "b", "self"), ".");
        Directory.CreateSymbolicLink(Path.Combine(Images, "b", "other"), Path.Combine(folder, "elsewhere"));
        var (train, test) = Load();
        Assert.Equal(((byte, int)[])[(1, 0), (2, 0), (2, 1), (3, 1)], Contents(train).Concat(Contents(test)).Order().ToArray());
    }

    [Fact]
    public void What_cannot_be_a_dataset_is_refused()
    {
        Assert.Throws<DirectoryNotFoundException>(() => Load());
        Assert.False(ImageFolder.IsIn(Images));
        Write("a/1.png", 1);
        Assert.False(ImageFolder.IsIn(Images));
        Assert.Contains("has 1 folders with files", Assert.Throws<InvalidDataException>(() => Load()).Message);
        WriteBytes("b/1.txt", [1]);
        Assert.False(ImageFolder.IsIn(Images));
        Assert.Contains("class b has no readable image", Assert.Throws<InvalidDataException>(() => Load()).Message);
        Write("b/1.PNG", 1);
        Assert.True(ImageFolder.IsIn(Images));
        File.Delete(Path.Combine(Images, "b", "1.txt"));
        Assert.Contains("no readable image to test on", Assert.Throws<InvalidDataException>(() => Load()).Message);
        Write("a/2.png", 1);
        Assert.Equal((2, 1), (Load().Train.Count, Load().Test.Count));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFolder.Load(Images, 0));
        foreach (var side in (int[])[30_000, 2_000_000_000, int.MaxValue])
            Assert.Contains("more than fit into memory", Assert.Throws<InvalidDataException>(() => ImageFolder.Load(Images, side)).Message);
    }

    // ---- the cache -----------------------------------------------------------------------------------------------------------------------

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
            File.WriteAllBytes(elsewhere, PngEncoder.Encode(new Picture(level, level, 3, [.. Enumerable.Repeat(level, 3 * level * level)])));
            foreach (var link in (string[])["cats/aa.png", "dogs/bb.png"])
                if (level == 10) File.CreateSymbolicLink(Path.Combine(Images, link), elsewhere);
            var (train, test) = Load(cached: true);
            Assert.Equal([1, 2, level, level], ((ImageDataset[])[train, test]).SelectMany(Contents).Select(image => (int)image.Level).Order());
        }
    }

    private IEnumerable<int> Levels(IImageDecoder decoder) => ImageFolder.Load(Images, Side, Cache, [decoder]) is var (train, test)
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
            File.SetLastWriteTimeUtc(Path.Combine(Images, names[0]), new DateTime(2020, 2, 2, 0, 0, 0, DateTimeKind.Utc));
        })));
        Assert.Equal([1, 2, 3, 77], Levels(new OneByte()));
    }

    [Fact]
    public void The_cache_is_of_the_decoders_that_read_the_files()
    {
        foreach (var (i, name) in ((string[])["a/1.png", "a/2.png", "b/1.png", "b/2.png"]).Index()) WriteBytes(name, [(byte)i]);
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
            if (changed.Length < 64 || changed.AsSpan(32, 32).SequenceEqual(whole.AsSpan(32, 32))) Assert.Contains("is damaged",
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
        foreach (var file in (string[])[left, other]) File.WriteAllText(file, "half of it");
        Write("b/4.png", 4);
        Load(cached: true);
        Assert.False(File.Exists(left));
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
