using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public sealed class Cifar100Tests : IDisposable
{
    private const int TrainRecords = 5, TestRecords = 2;
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-cifar").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string PathOf(string file) => Path.Combine(folder, file);

    // Record i: coarse label 19, fine label 33 i modulo 100; plane c at row y and column x holds a byte that tells all
    // of them.
    private static byte Level(int record, int y, int x, int c) => (byte)(7 * y + 3 * x + 50 * c + 11 * record);

    private void Write(string file, int records)
    {
        using var stream = File.Create(PathOf(file));
        for (var record = 0; record < records; record++)
        {
            stream.WriteByte(19);
            stream.WriteByte((byte)(33 * record % 100));
            for (var c = 0; c < 3; c++)
                for (var y = 0; y < 32; y++)
                    for (var x = 0; x < 32; x++) stream.WriteByte(Level(record, y, x, c));
        }
    }

    private (ImageDataset Train, ImageDataset Test) Load() => Cifar100.Load(folder, TrainRecords, TestRecords);

    [Fact]
    public void Reads_the_fine_label_and_the_image_behind_two_bytes()
    {
        Write("train.bin", TrainRecords);
        Assert.False(Cifar100.IsIn(folder));
        Write("test.bin", TestRecords);
        Assert.True(Cifar100.IsIn(folder));
        var (train, test) = Load();
        Assert.Equal((TrainRecords, TestRecords), (train.Count, test.Count));
        foreach (var dataset in (ImageDataset[])[train, test])
            for (var record = 0; record < dataset.Count; record++)
            {
                Assert.Equal(33 * record % 100, dataset.Labels[record]);
                for (var i = 0; i < 3072; i++)
                    Assert.Equal(Level(record, i / 96, i / 3 % 32, i % 3), dataset.Image(record)[i]);
            }
    }

    [Fact]
    public void Has_a_hundred_classes_in_the_order_of_their_names()
    {
        Write("train.bin", TrainRecords);
        Write("test.bin", TestRecords);
        var (train, test) = Load();
        Assert.Equal((100, 100), (train.Classes, test.ClassNames.Distinct().Count()));
        Assert.Equal(train.ClassNames.Order(StringComparer.Ordinal), train.ClassNames);
        Assert.Equal(("apple", "clock", "worm"), (train.ClassNames[0], train.ClassNames[22], train.ClassNames[99]));
        Assert.Equal((Cifar100.Mean, Cifar100.Std, "CIFAR-100"), (test.Mean, test.Std, test.Name));
        File.WriteAllLines(PathOf("fine_label_names.txt"), Enumerable.Range(0, 100).Select(i => $"class {i}"));
        Assert.Equal("class 99", Load().Train.ClassNames[99]);
        File.WriteAllLines(PathOf("fine_label_names.txt"), ["one"]);
        Assert.Contains("1 class names, not 100", Assert.Throws<InvalidDataException>(() => Load()).Message);
    }

    [Fact]
    public void Says_what_is_wrong_with_a_file_and_where()
    {
        Write("train.bin", TrainRecords);
        Assert.Contains("test.bin is missing", Assert.Throws<FileNotFoundException>(() => Load()).Message);
        Write("test.bin", TestRecords);
        using (var stream = File.OpenWrite(PathOf("train.bin")))
        {
            stream.Seek(2 * 3074 + 1, SeekOrigin.Begin);
            stream.WriteByte(100);
        }
        var error = Assert.Throws<InvalidDataException>(() => Load()).Message;
        Assert.Contains($"the label 100 at byte {2 * 3074 + 1} (record 2); labels are 0 to 99", error);
        using (var stream = File.OpenWrite(PathOf("test.bin"))) stream.SetLength(3074 + 5);
        Assert.Contains("record 1, which begins at byte 3074, is cut off",
            Assert.Throws<InvalidDataException>(() => Load()).Message);
        Assert.Throws<DirectoryNotFoundException>(() => Cifar100.Load(PathOf("nowhere")));
    }
}
