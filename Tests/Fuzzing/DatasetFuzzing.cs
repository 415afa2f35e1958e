using Tapegrad.Datasets;
using Tapegrad.Tests.Datasets;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>Damaged IDX and CIFAR files, and files that become shorter while they are read.</summary>
public sealed class DatasetFuzzing(ITestOutputHelper output) : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-fuzz").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData("IDX", "")]
    [InlineData("IDX, compressed", ".gz")]
    public void Idx_files(string format, string ending)
    {
        var path = Path.Combine(folder, $"images{ending}");
        byte[][] valid = [IdxTests.Encode(0x803, [4, 3, 5], [.. Enumerable.Range(0, 60).Select(i =>
            (byte)(7 * i))]), IdxTests.Encode(0x803, [0, 28, 28], [])];
        if (ending != "") valid = Array.ConvertAll(valid, IdxTests.Gzip);
        var fuzzer = new Fuzzer(format, valid, file =>
        {
            File.WriteAllBytes(path, file);
            Idx.Read(path, 3);
        })
        { MayAllocate = input => (1 << 20) + 1032L * input.Length };
        foreach (var file in valid) fuzzer.CutEverywhere(file);
        fuzzer.Run(output);
    }

    [Fact]
    public void Cifar_files()
    {
        var path = Path.Combine(folder, "test.bin");
        byte[] record = [.. new byte[] { 3, 7 }, .. Enumerable.Range(0, 3072).Select(i => (byte)i)];
        File.WriteAllBytes(Path.Combine(folder, "train.bin"), record);
        var fuzzer = new Fuzzer("CIFAR", [record], file =>
        {
            File.WriteAllBytes(path, file);
            Cifar100.Load(folder, 1, 1);
        });
        fuzzer.Run(output);
        File.WriteAllBytes(path, record);
        using var file = File.Open(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        for (var length = record.Length - 1; length >= 0; length--)   // every beginning, without writing each anew
        {
            file.SetLength(length);
            Assert.Throws<InvalidDataException>(() => Cifar100.Load(folder, 1, 1));
        }
    }

    // Another thread cuts it off and makes it longer, over and over.
    [Fact]
    public async Task A_file_that_shrinks_while_it_is_read_is_refused_or_was_read_whole()
    {
        var path = Path.Combine(folder, "images");
        var whole = IdxTests.Encode(0x803, [4000, 28, 28], new byte[4000 * 28 * 28]);
        using var stop = new CancellationTokenSource();
        File.WriteAllBytes(path, whole);
        var changing = Task.Run(() =>
        {
            for (var i = 1; !stop.IsCancellationRequested; i++)
            {
                using var file = File.Open(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                file.SetLength(i % 2 == 0 ? whole.Length : 16 + i % 4000 * 784L);
            }
        });
        var (read, refused) = (0, 0);
        for (var i = 0; i < 300; i++)
            try
            {
                Assert.Equal(4000 * 784, Idx.Read(path, 3).Bytes.Length);
                read++;
            }
            catch (Exception error) when (error is InvalidDataException or IOException)
            {
                refused++;
            }
        stop.Cancel();
        await changing;
        Assert.Equal(300, read + refused);
        Assert.True(refused > 0);
    }
}
