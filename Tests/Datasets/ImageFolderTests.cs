using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Tests.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>Folders of images: which are found, held apart and left out.</summary>
public sealed class ImageFolderTests : FolderOfImages
{
    [Fact]
    public void Holds_a_fifth_of_each_class_apart()
    {
        WriteCatsAndDogs();
        Assert.Equal((4, true),
            (ImageFolder.Load(Images, 32).Train.Augment.Padding, ImageFolder.Load(Images, 32).Train.Augment.Flips));
        Assert.True(ImageFolder.IsIn(Images));
        var (train, test) = Load();
        Assert.Equal((10, 5), (train.Count, test.Count));
        Assert.Equal(["cats", "dogs"], train.ClassNames);
        Assert.Equal(("ImageFolder", Side, Side, 3), (train.Name, train.Height, train.Width, train.Channels));
        Assert.Equal(Enumerable.Range(0, 10).Concat(Enumerable.Range(100, 5)),
            Contents(train).Concat(Contents(test)).Select(image =>
            (int)image.Level).Order());
        Assert.All(Contents(train).Concat(Contents(test)), image =>
            Assert.Equal(image.Level < 100 ? 0 : 1, image.Label));
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
        5 * new BigInteger(SHA256.HashData(Encoding.UTF8.GetBytes(name)), isUnsigned: true,
            isBigEndian: true) < BigInteger.One << 256;

    [Fact]
    public void An_image_is_tested_on_by_the_hash_of_its_name_and_each_side_has_one()
    {
        var random = new Random(1);
        for (var i = 0; i < 300; i++)
        {
            string[] names =
                [.. Enumerable.Range(0, random.Next(20))
                    .Select(_ => $"{(random.Next(2) == 0 ? "" : "more/")}{random.Next(10_000)}.png").Distinct()];
            var (apart, expected) = (ImageFolder.HeldApart(names), names.Where(IsInLowestFifth).ToArray());
            if (expected.Length > 0 && expected.Length < names.Length) Assert.Equal(expected.Order(), apart.Order());
            else Assert.Equal(names.Length < 2 ? 0 : expected.Length == 0 ? 1 : names.Length - 1, apart.Count);
            Assert.Empty(apart.Except(names));
        }
        string[] many = [.. Enumerable.Range(0, 2000).Select(i => $"{i}.jpg")];
        Assert.InRange(ImageFolder.HeldApart(many).Count, 310, 490);   // 400, with a deviation of 18
    }

    // So that a limit takes some of each: the third image of any class comes after the second of every class that has
    // two.
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
            var turns = labels.Select((label, i) => (Turn: labels.Take(i).Count(other => other == label), label))
                .ToArray();
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
        await Task.Run(() => Load()).WaitAsync(Waiting.Long);
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
        File.Delete(Path.Combine(Images, name, "b", "3.png"));
        Assert.Contains($"classes' folders in {Path.Combine(Images, name)}",
            Assert.Throws<InvalidDataException>(() => Load()).Message);
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
        Assert.All(Contents(train).Concat(Contents(test)), image =>
            Assert.Equal(image.Level < 100 ? 0 : 1, image.Label));
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
        Assert.Equal(((byte, int)[])[(1, 0), (2, 0), (2, 1), (3, 1)], Contents(train).Concat(Contents(test)).Order()
            .ToArray());
    }

    // The same images would be of two classes, to train on and to test on.
    [Theory]
    [InlineData(".", "classes 'c' and 'a' ")]
    [InlineData("b", "classes 'b' and 'c' ")]
    [InlineData("b/deeper", "classes 'b' and 'c' ")]
    public void Classes_whose_folders_are_the_same_or_lie_in_one_another_are_refused(string target, string words)
    {
        foreach (var name in (string[])["a/1.png", "a/2.png", "b/3.png", "b/deeper/4.png", "b!/5.png"]) Write(name, 1);
        Load();
        Directory.CreateSymbolicLink(Path.Combine(Images, "c"), target);
        Assert.Contains(words, Assert.Throws<InvalidDataException>(() => Load()).Message);
    }

    [Fact]
    public void Folders_to_train_and_to_test_on_may_be_called_in_capitals_and_a_second_to_test_on_is_named()
    {
        foreach (var name in (string[])["TRAIN/a/1.png", "TRAIN/b/2.png", "Val/b/3.png"]) Write(name, 1);
        Assert.Equal(["a", "b"], Load().Train.ClassNames);
        Assert.Equal($"{Path.Combine(Images, "Val")}: it has no folder 'a' with files in it: this class is not tested.",
            Assert.Single(notices));
        Write("Val/a/3.png", 1);
        notices.Clear();
        Load();
        Assert.Empty(notices);
        foreach (var name in (string[])["Test/a/4.png", "Test/b/4.png"]) Write(name, 4);
        Assert.Equal([(4, 0), (4, 1)], Contents(Load().Test));
        Assert.Contains($"{Path.Combine(Images, "Val")}: not used", Assert.Single(notices));
    }

    [Fact]
    public void What_cannot_be_a_dataset_is_refused()
    {
        Assert.Throws<DirectoryNotFoundException>(() => Load());
        Assert.False(ImageFolder.IsIn(Images));
        Write("a/1.png", 1);
        Assert.False(ImageFolder.IsIn(Images));
        Assert.Contains("has only one folder, 'a', with files in it; one for each class is needed, and two classes are "
            + "the least", Assert.Throws<InvalidDataException>(() => Load()).Message);
        WriteBytes("b/1.txt", [1]);
        Assert.False(ImageFolder.IsIn(Images));
        Assert.Contains("class 'b' has no readable image", Assert.Throws<InvalidDataException>(() => Load()).Message);
        Write("b/1.PNG", 1);
        Assert.True(ImageFolder.IsIn(Images));
        File.Delete(Path.Combine(Images, "b", "1.txt"));
        Assert.Contains("no readable image to test on", Assert.Throws<InvalidDataException>(() => Load()).Message);
        Write("a/2.png", 1);
        Assert.Equal((2, 1), (Load().Train.Count, Load().Test.Count));
        notices.Clear();
        Directory.CreateDirectory(Path.Combine(Images, "c", "deeper"));
        Directory.CreateDirectory(Path.Combine(Images, ".hidden"));
        Assert.Equal(2, Load().Train.Classes);
        Assert.Contains(Path.Combine(Images, "c"), Assert.Single(notices));
        Assert.Throws<ArgumentOutOfRangeException>(() => ImageFolder.Load(Images, 0));
        foreach (var side in (int[])[30_000, 2_000_000_000, int.MaxValue])
            Assert.Contains("more than fit into memory",
                Assert.Throws<InvalidDataException>(() => ImageFolder.Load(Images, side)).Message);
    }

    // Takes a file of one byte for a grey pixel.
    private sealed class OneByte : IImageDecoder
    {
        public bool Recognizes(ReadOnlySpan<byte> beginning) => true;

        public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels) => new(1, 1, 1, file.ToArray());
    }

    // What is looked at is counted by what it allocates on this thread: a name or a path for each. Ten times as many
    // classes may take ten times as much, and twice that where other threads did less of it; each class against each
    // would take a hundred times as much.
    [Fact]
    public void The_work_grows_with_the_classes_and_not_with_their_square()
    {
        long Allocated(int classes, Action work)
        {
            for (var i = Directory.Exists(Images) ? Directory.GetDirectories(Images).Length : 0; i < classes; i++)
                foreach (var name in (string[])["a.png", "b.png"]) WriteBytes($"class {i}/{name}", [(byte)i]);
            work();
            var before = GC.GetAllocatedBytesForCurrentThread();
            work();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
        foreach (var work in (Action[])[() => Assert.True(ImageFolder.IsIn(Images)), () =>
            ImageFolder.Load(Images, Side, decoders: [new OneByte()])])
        {
            if (Directory.Exists(Images)) Directory.Delete(Images, recursive: true);
            var few = Allocated(100, work);
            Assert.InRange(Allocated(1000, work), few, 20 * few);
        }
        Assert.Equal(1000, ImageFolder.Load(Images, Side, decoders: [new OneByte()]).Test.Classes);
    }

    [Fact]
    public void Files_that_are_cut_off_are_seen_and_named_from_the_cache_too_or_left_out()
    {
        WriteCatsAndDogs();
        WriteBytes("cats/cut.jpg", GoldenImages.Of("4:2:0").File[..^200]);
        for (var i = 0; i < 2; i++)
        {
            notices.Clear();
            var (train, test) = Load(cached: true);
            Assert.Equal(16, train.Count + test.Count);
            Assert.Contains($"cut.jpg: {ImageFile.CutOff}", Assert.Single(notices));
        }
        for (var i = 0; i < 2; i++)
        {
            notices.Clear();
            var (train, test) = ImageFolder.Load(Images, Side, Cache, strict: true);
            Assert.Equal(15, train.Count + test.Count);
            Assert.Contains("left out: ", Assert.Single(notices));
        }
    }

    [Fact]
    public void Images_are_called_by_their_files()
    {
        WriteCatsAndDogs();
        WriteBytes("cats/0a.png", [7]);   // not read
        foreach (var dataset in (ImageDataset[])[Load().Train, Load().Test, Load().Train.Split(4).Held,
            Load().Test.NormalizedBy([0, 0, 0], [1, 1, 1])])
            for (var i = 0; i < dataset.Count; i++)
            {
                var level = dataset.Image(i)[0];
                Assert.Equal(level < 100 ? $"cats/{(level % 2 == 0 ? "" : "more/")}{level}.png"
                    : $"dogs/{level - 100}.png", dataset.Source(i));
            }
        Assert.Equal("numbered 7", TestImages.Numbered(9).Choose([7]).Source(0));
    }
}
