using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public sealed class Cifar10Tests : IDisposable
{
    private const int Records = 3;
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-cifar").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    // Record i of file f (0 to 5): label (f + 2 i) modulo 10; plane c at row y and column x holds a byte that tells all
    // of them.
    private static int Label(int file, int record) => (file + 2 * record) % 10;

    private static byte Level(int file, int record, int y, int x, int c) =>
        (byte)(7 * y + 3 * x + 50 * c + 11 * record + 17 * file);

    private void WriteAll()
    {
        for (var file = 0; file < 6; file++)
        {
            using var stream = File.Create(PathOf(file));
            for (var record = 0; record < Records; record++)
            {
                stream.WriteByte((byte)Label(file, record));
                for (var c = 0; c < 3; c++)
                    for (var y = 0; y < 32; y++)
                        for (var x = 0; x < 32; x++) stream.WriteByte(Level(file, record, y, x, c));
            }
        }
    }

    private string PathOf(int file) =>
        Path.Combine(folder, file == 5 ? "test_batch.bin" : $"data_batch_{file + 1}.bin");

    private (ImageDataset Train, ImageDataset Test) Load() => Cifar10.Load(folder, Records);

    [Fact]
    public void Reads_five_files_to_train_on_and_one_to_test_on()
    {
        WriteAll();
        var (train, test) = Load();
        Assert.Equal((15, 3), (train.Count, test.Count));
        for (var index = 0; index < 18; index++)
        {
            var (file, record) = (index / Records, index % Records);
            var (dataset, at) = index < 15 ? (train, index) : (test, index - 15);
            Assert.Equal(Label(file, record), dataset.Labels[at]);
            var image = dataset.Image(at);
            for (var y = 0; y < 32; y++)
                for (var x = 0; x < 32; x++)
                    for (var c = 0; c < 3; c++) Assert.Equal(Level(file, record, y, x, c), image[(y * 32 + x) * 3 + c]);
        }
    }

    [Fact]
    public void Links_to_the_files_are_as_good()
    {
        WriteAll();
        var expected = Load().Train;
        for (var file = 0; file < 6; file++)
        {
            var (path, elsewhere) = (PathOf(file), PathOf(file) + ".elsewhere");
            File.Move(path, elsewhere);
            File.CreateSymbolicLink(path, elsewhere);
        }
        var linked = Load().Train;
        Assert.Equal(expected.Labels, linked.Labels);
        for (var index = 0; index < linked.Count; index++) Assert.Equal(expected.Image(index), linked.Image(index));
        File.Delete($"{PathOf(2)}.elsewhere");
        Assert.Contains("data_batch_3.bin", Assert.Throws<FileNotFoundException>(() => Load()).Message);
    }

    [Fact]
    public void Has_the_name_the_classes_and_the_statistics_of_the_recipe()
    {
        WriteAll();
        var (train, test) = Load();
        foreach (var dataset in (ImageDataset[])[train, test])
        {
            Assert.Equal(("CIFAR-10", 32, 32, 3, 10),
                (dataset.Name, dataset.Height, dataset.Width, dataset.Channels, dataset.Classes));
            // The usual figures for these 50,000 images, to four places.
            Assert.Equal([0.4914, 0.4822, 0.4465], dataset.Mean);
            Assert.Equal([0.2470, 0.2435, 0.2616], dataset.Std);
            Assert.Equal(["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
                dataset.ClassNames);
        }
    }

    [Fact]
    public void Reads_other_names_where_the_folder_has_them()
    {
        WriteAll();
        var names = Path.Combine(folder, "batches.meta.txt");
        File.WriteAllText(names, "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n");
        Assert.Equal(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"], Load().Test.ClassNames);
        File.WriteAllText(names, "a\nb\n");
        Assert.Contains("2 class names, not 10", Assert.Throws<InvalidDataException>(() => Load()).Message);
    }

    [Fact]
    public void A_missing_folder_is_named()
    {
        var missing = Path.Combine(folder, "nowhere");
        Assert.Contains(missing, Assert.Throws<DirectoryNotFoundException>(() => Cifar10.Load(missing)).Message);
        Assert.False(Cifar10.IsIn(missing));
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        for (var file = 0; file < 6; file++)
        {
            WriteAll();
            Assert.True(Cifar10.IsIn(folder));
            File.Delete(PathOf(file));
            Assert.False(Cifar10.IsIn(folder));
            var error = Assert.Throws<FileNotFoundException>(() => Load());
            Assert.Contains($"{Path.GetFileName(PathOf(file))} is missing in {folder}", error.Message);
            Assert.Equal(PathOf(file), error.FileName);
        }
    }

    [Theory]
    [InlineData(0, 3 * 3073 - 1, "record 2, which begins at byte 6146, is cut off")]
    [InlineData(3, 3073 + 1, "record 1, which begins at byte 3073, is cut off")]
    [InlineData(4, 2 * 3073, "the records from byte 6146 on are missing")]
    [InlineData(5, 0, "the records from byte 0 on are missing")]
    [InlineData(2, 3 * 3073 + 1, "what lies behind byte 9219 does not belong to it")]
    [InlineData(5, 4 * 3073, "what lies behind byte 9219 does not belong to it")]
    public void A_file_of_the_wrong_length_is_named_with_the_place(int file, int length, string place)
    {
        WriteAll();
        using (var stream = File.OpenWrite(PathOf(file))) stream.SetLength(length);
        var message = Assert.Throws<InvalidDataException>(() => Load()).Message;
        Assert.Contains($"{PathOf(file)} has {length} bytes, not 9219 (3 records of 3073)", message);
        Assert.Contains(place, message);
    }

    [Theory]
    [InlineData(0, 0, 10, 0)]
    [InlineData(4, 2, 255, 6146)]
    [InlineData(5, 1, 11, 3073)]
    public void A_label_over_9_is_named_with_its_place(int file, int record, byte label, int offset)
    {
        WriteAll();
        using (var stream = File.OpenWrite(PathOf(file)))
        {
            stream.Position = offset;
            stream.WriteByte(label);
        }
        var message = Assert.Throws<InvalidDataException>(() => Load()).Message;
        Assert.Contains($"{PathOf(file)} has the label {label} at byte {offset} (record {record}); labels are 0 to 9",
            message);
    }

    [Fact]
    public void Reads_ten_thousand_records_a_file()
    {
        // Black images of class 0, but for the last record of each file.
        for (var file = 0; file < 6; file++)
        {
            using var stream = File.Create(PathOf(file));
            stream.SetLength(30_730_000);
            stream.Position = 30_730_000 - 3073;
            stream.WriteByte((byte)(4 + file));
            stream.WriteByte(200);   // red of the first pixel
        }
        var (train, test) = Cifar10.Load(folder);
        Assert.Equal((50_000, 10_000), (train.Count, test.Count));
        Assert.Equal([9_999, 19_999, 29_999, 39_999, 49_999],
            Enumerable.Range(0, 50_000).Where(i => train.Labels[i] != 0));
        Assert.Equal((4, 8, 9), (train.Labels[9_999], train.Labels[49_999], test.Labels[9_999]));
        Assert.Equal([200, 0, 0, 0], train.Image(49_999)[..4].ToArray());
        using (var stream = File.OpenWrite(PathOf(1))) stream.SetLength(30_000_000);
        // 30,000,000 = 9762 records and 1374 bytes.
        var message = Assert.Throws<InvalidDataException>(() => Cifar10.Load(folder)).Message;
        Assert.Contains("record 9762, which begins at byte 29998626, is cut off", message);
    }

    [Fact]
    public async Task Names_of_classes_that_have_no_length_are_refused()
    {
        WriteAll();
        foreach (var path in SpecialFiles.In(folder))
        {
            var names = File.CreateSymbolicLink(Path.Combine(folder, "batches.meta.txt"), path);
            Assert.Contains("batches.meta.txt: the file is empty, or it is a pipe or a device",
                await SpecialFiles.RefusalBy(() => Load()));
            names.Delete();
        }
    }
}
