using Tapegrad.Datasets;
using Tapegrad.Tests.Datasets;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>Damaged IDX and CIFAR files, and files that become shorter while they are read.</summary>
public sealed class DatasetFuzzing(ITestOutputHelper output) : IDisposable
{
    private readonly string folder = Fuzzer.NewFolder();

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

    /// <summary>
    /// A file that somebody changes between two reads: after <paramref name="before"/> bytes it has another length,
    /// filled up with zeros.
    /// </summary>
    private sealed class ChangingFile(byte[] content, int before, int length) : MemoryStream(content)
    {
        private const int Most = 5;   // bytes a read, as a stream may: so that there is something between them
        private int read;

        public bool HasChanged { get; private set; }

        // All other ways to read a stream lead here.
        public override int Read(byte[] buffer, int offset, int count)
        {
            if (read >= before && !HasChanged)
            {
                SetLength(length);
                HasChanged = true;
            }
            count = base.Read(buffer, offset, Math.Min(count, HasChanged ? Most : Math.Min(Most, before - read)));
            read += count;
            return count;
        }

        public override int ReadByte()
        {
            var one = new byte[1];
            return Read(one, 0, 1) == 0 ? -1 : one[0];
        }
    }

    // Every place at which a small file can change, and every length that it can have then: no race decides what is
    // tried.
    [Theory]
    [InlineData("")]
    [InlineData(".gz")]
    public void A_file_that_changes_while_it_is_read_is_refused_or_was_read_whole(string ending)
    {
        byte[] pixels = [.. Enumerable.Range(1, 12).Select(i => (byte)(17 * i))];
        var whole = IdxTests.Encode(0x803, [2, 2, 3], pixels);
        if (ending != "") whole = IdxTests.Gzip(whole);
        var (unchanged, refused, readBefore) = (0, 0, 0);
        // The end of a compressed file is read twice: eight bytes of checksum.
        for (var before = 0; before <= whole.Length + 10; before++)
            for (var length = 0; length <= whole.Length + 3; length++)
            {
                // A stream that can grow: one that is given an array cannot.
                byte[] spare = [.. whole, 0, 0, 0];
                var file = new ChangingFile(spare, before, length);
                file.SetLength(whole.Length);
                var what = $"{length} bytes from byte {before} on";
                try
                {
                    var (lengths, bytes) = Idx.Read(file, $"images{ending}", 3);
                    Assert.Equal([2, 2, 3], lengths);
                    Assert.Equal(pixels, bytes);
                    // Right numbers of a file that was another one before they were all read, its length included,
                    // would be luck.
                    if (!file.HasChanged) unchanged++;
                    else if (length == whole.Length || before >= whole.Length) readBefore++;
                    else Assert.Fail($"read as if nothing were wrong: {what}");
                }
                catch (InvalidDataException error)
                {
                    Assert.StartsWith($"IDX: images{ending}: ", error.Message);
                    Assert.True(file.HasChanged && length != whole.Length, $"refused, and whole: {what}");
                    refused++;
                }
            }
        // All three happen, whichever way a reader asks for its bytes.
        Assert.True(unchanged > 0 && refused > whole.Length && readBefore > 0,
            $"{unchanged} unchanged, {refused} refused, {readBefore} read before");
    }
}
