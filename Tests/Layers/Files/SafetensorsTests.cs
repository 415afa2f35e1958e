using System.Text;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>The layout and every type by hand; hashes; what happens to a file that cannot be read or written.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("safetensors").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    // ---- the layout, by hand ----------------------------------------------------------------------------------------

    // 137 bytes of JSON (the é has two) and seven spaces, so that the numbers start at 8 + 144; 1, -2 and 0.5 are
    // 3F800000, C0000000 and 3F000000.
    internal static readonly byte[] ByHand =
    [
        144, 0, 0, 0, 0, 0, 0, 0,
        .. """{"__metadata__":{"k":"\"é"},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"""u8,
        .. """ "a":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}       """u8[1..],
        0x00, 0x00, 0x80, 0x3F, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x00, 0x3F,
    ];

    [Fact]
    public void ReadsTheDocumentedLayout()
    {
        File.WriteAllBytes(FilePath, ByHand);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal([new("b", SafetensorsType.F32, new Shape(1, 2), 152, 8),
            new("a", SafetensorsType.F32, Shape.Scalar, 160, 4)], file.Entries);
        Assert.Equal([KeyValuePair.Create("k", "\"é")], file.Metadata);
        Assert.Equal([1f, -2f], file.ReadFloats(file.Entries[0]));
        Assert.Equal([0.5], file.ReadDoubles(file.Entries[1]));
    }

    [Fact]
    public void WritesTheDocumentedLayout()
    {
        SafetensorsFile.Write(FilePath,
            [new("b", new Shape(1, 2), new float[] { 1, -2 }), new("a", Shape.Scalar, new[] { 0.5f })],
            new Dictionary<string, string> { ["k"] = "\"é" });
        // The text "k" is followed by the hashes, which sha256sum gives for the last 4 bytes and for the 8 before them.
        const string hashes = ",\"sha256:a\":\"d99e58435243d9fef9c88273b8d553b4fba4d0baf8009d29eae74fa99e0d9f57\""
            + ",\"sha256:b\":\"ee4ac73c2bd27756ab82780f27c73a7bc4d3f0bb6acb37e008bc27eccd7e588b\"}";
        var header = Encoding.UTF8.GetString(ByHand.AsSpan(8, 144)).TrimEnd().Replace("é\"}", "é\"" + hashes);
        while (Encoding.UTF8.GetByteCount(header) % 8 != 0) header += ' ';
        Assert.Equal(Assemble(header, ByHand[^12..]), File.ReadAllBytes(FilePath));
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal([KeyValuePair.Create("k", "\"é")], file.Metadata);
        Assert.Equal("d99e58435243d9fef9c88273b8d553b4fba4d0baf8009d29eae74fa99e0d9f57", file.Entries[1].Sha256);
    }

    [Fact]
    public void ReadsDoubles()
    {
        // 1/3 = 3FD5555555555555, whose nearest float is 0.33333334; the keys stand in another order than the bytes.
        byte[] third = [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xD5, 0x3F];
        const string header = """{"y":{"data_offsets":[8,12],"shape":[1],"dtype":"F32"}, "x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}""";
        File.WriteAllBytes(FilePath, Assemble(header, [.. third, 0, 0, 0x40, 0x40]));
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(["x", "y"], file.Entries.Select(entry => entry.Name));
        Assert.Equal(SafetensorsType.F64, file.Entries[0].Type);
        Assert.Equal([1.0 / 3], file.ReadDoubles(file.Entries[0]));
        Assert.Equal([1f / 3], file.ReadFloats(file.Entries[0]));
        Assert.Equal([3.0], file.ReadDoubles(file.Entries[1]));
        Assert.Empty(file.Metadata);
    }

    internal static byte[] Assemble(string header, byte[] data) => Assemble(Encoding.UTF8.GetBytes(header), data);

    internal static byte[] Assemble(byte[] header, byte[] data) =>
        [.. BitConverter.GetBytes((long)header.Length), .. header, .. data];

    // ---- types ------------------------------------------------------------------------------------------------------

    // Each number's bytes by hand: 1.5 = 3E00 in half precision and 3FC0 in bfloat16, -2 = C000 in both.
    [Theory]
    [InlineData("BOOL", "0100", typeof(bool), 1, 0)]
    [InlineData("U8", "01FF", typeof(byte), 1, 255)]
    [InlineData("I8", "01FF", typeof(sbyte), 1, -1)]
    [InlineData("U16", "0100FEFF", typeof(ushort), 1, 65534)]
    [InlineData("I16", "0100FEFF", typeof(short), 1, -2)]
    [InlineData("U32", "01000000FEFFFFFF", typeof(uint), 1, 4294967294)]
    [InlineData("I32", "01000000FEFFFFFF", typeof(int), 1, -2)]
    [InlineData("U64", "01000000000000000000000000000080", typeof(ulong), 1, 9223372036854775808)]
    [InlineData("I64", "01000000000000000000000000000080", typeof(long), 1, -9223372036854775808.0)]
    [InlineData("F16", "003E00C0", typeof(Half), 1.5, -2)]
    [InlineData("BF16", "C03F00C0", typeof(float), 1.5, -2)]
    [InlineData("F32", "0000C03F000000C0", typeof(float), 1.5, -2)]
    [InlineData("F64", "000000000000F83F00000000000000C0", typeof(double), 1.5, -2)]
    public void ReadsEveryType(string name, string bytes, Type type, double first, double second)
    {
        var data = Convert.FromHexString(bytes);
        File.WriteAllBytes(FilePath, Assemble($$$"""{"a":{"dtype":"{{{name}}}","shape":[2],"data_offsets":[0,{{{data.Length}}}]}}""", data));
        using var file = SafetensorsFile.Open(FilePath);
        var entry = Assert.Single(file.Entries);
        Assert.Equal(Enum.Parse<SafetensorsType>(name), entry.Type);
        Assert.Equal(type, file.Read(entry).GetType().GetElementType());
        Assert.Equal([first, second], file.ReadDoubles(entry));
        Assert.Equal([(float)first, (float)second], file.ReadFloats(entry));
    }

    [Fact]
    public void ABoolIsZeroOrOne()
    {
        var data = new byte[300_000];   // more than one piece
        data[299_000] = 2;
        var bytes = Assemble("""{"a":{"dtype":"BOOL","shape":[300000],"data_offsets":[0,300000]}}""", data);
        File.WriteAllBytes(FilePath, bytes);
        using var file = SafetensorsFile.Open(FilePath);
        var error = Assert.Throws<InvalidDataException>(() => file.Read(file.Entries[0]));
        Assert.Contains($"at byte {bytes.Length - 1000}: the tensor 'a' of type BOOL holds a byte that is neither 0 "
            + "nor 1", error.Message);
    }

    // ---- hashes -----------------------------------------------------------------------------------------------------

    [Fact]
    public void AChangedNumberIsFoundByItsHash()
    {
        SafetensorsFile.Write(FilePath,
            [new("a", new Shape(3), new[] { 1, 2, 3 }), new("b", Shape.Scalar, new double[] { 4 })]);
        var bytes = File.ReadAllBytes(FilePath);
        for (var at = bytes.Length - 20; at < bytes.Length; at++)
        {
            var changed = (byte[])bytes.Clone();
            changed[at] ^= 1;
            File.WriteAllBytes(FilePath, changed);
            using var file = SafetensorsFile.Open(FilePath);
            var (broken, whole) = at < bytes.Length - 8 ? (file.Entries[0], file.Entries[1])
                : (file.Entries[1], file.Entries[0]);
            file.Read(whole);
            var error = Assert.Throws<InvalidDataException>(() => file.ReadDoubles(broken));
            Assert.StartsWith($"{FilePath}: at byte {broken.Offset}: the tensor '{broken.Name}' has not the hash that "
                + "was written with it",
                error.Message);
        }
    }

    [Fact]
    public void AnEntryOfAnotherFileIsRefused()
    {
        File.WriteAllBytes(FilePath, ByHand);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Throws<ArgumentException>(() => file.ReadFloats(file.Entries[0] with { Offset = 156 }));
    }

    // ---- files that cannot be read or written -----------------------------------------------------------------------

    [Fact]
    public void AFileThatShrinksIsAnError()
    {
        if (OperatingSystem.IsWindows()) return;   // there nobody can shrink a file that is being read
        File.WriteAllBytes(FilePath, ByHand);
        using var file = SafetensorsFile.Open(FilePath);
        using (var shrinking = new FileStream(FilePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            shrinking.SetLength(ByHand.Length - 5);
        var error = Assert.Throws<IOException>(() => file.ReadFloats(file.Entries[0]));
        Assert.Contains($"{FilePath}: the file ends inside the tensor 'b'", error.Message);
    }

    [Fact]
    public void WhatCannotBeReadIsNamed()
    {
        Assert.Contains($"{FilePath}: there is no such file",
            Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(FilePath)).Message);
        var below = Path.Combine(folder, "missing", "file");
        Assert.Contains($"{below}: there is no such file",
            Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(below)).Message);
        Assert.Contains($"{folder}: cannot be read: it is a folder",
            Assert.Throws<IOException>(() => SafetensorsFile.Open(folder)).Message);
    }

    [Fact]
    public void WhatCannotBeWrittenIsNamed()
    {
        var below = Path.Combine(folder, "missing", "file");
        var error = Assert.Throws<IOException>(() => SafetensorsFile.Write(below, []));
        Assert.Contains($"{below}: cannot be written: there is no folder", error.Message);
        error = Assert.Throws<IOException>(() => SafetensorsFile.Write(folder, []));
        Assert.Contains($"{folder}: cannot be written: it is a folder", error.Message);
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void ANewFileReplacesALongerOne()
    {
        File.WriteAllBytes(FilePath, new byte[1000]);
        SafetensorsFile.Write(FilePath, []);
        Assert.Equal(Assemble("{}      ", []), File.ReadAllBytes(FilePath));
        Assert.Equal([FilePath], Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void AnOldFileSurvivesAFailedWrite()
    {
        File.WriteAllBytes(FilePath, ByHand);
        NamedArray one = new("a", Shape.Scalar, new float[] { 1 });
        void Fails(string what, NamedArray[] tensors, Dictionary<string, string>? metadata = null) =>
            Assert.Contains(what,
                Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(FilePath, tensors, metadata)).Message);
        Fails("'a' is given to two tensors", [one, one]);
        Fails("'__metadata__' is reserved", [one with { Name = "__metadata__" }]);
        Fails("a name is not empty", [one with { Name = "" }]);
        Fails("no control characters", [one with { Name = "a\nb" }]);
        Fails("half of a surrogate pair", [one with { Name = "\ud83d" }]);
        Fails("half of a surrogate pair", [one], new() { ["k"] = "\udc00" });
        Fails("'a' has the shape [2] and 1 values", [one with { Shape = new Shape(2) }]);
        Fails("'a' is of String[], which is none of the types", [one with { Values = new[] { "" } }]);
        Fails("'a' is of Single[,], which is none of the types", [one with { Values = new float[1, 1] }]);
        Fails("'a' is of Char[], which is none of the types", [one with { Values = new char[1] }]);
        // an int[], to a pattern
        Fails("'a' is of DayOfWeek[], which is none of the types", [one with { Values = new DayOfWeek[1] }]);
        Fails("'a' is of ConsoleModifiers[,], which is none of the types",
            [one with { Values = new ConsoleModifiers[1, 1] }]);
        Fails("'sha256:a' is reserved", [one], new() { ["sha256:a"] = "" });
        var inTheMiddle = Assert.Throws<IOException>(() => AtomicFile.Write(FilePath, stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("No space left on device.");
        }));
        Assert.Contains($"{FilePath}: cannot be written: No space left on device.", inTheMiddle.Message);
        Assert.Throws<InvalidOperationException>(() =>
            AtomicFile.Write(FilePath, _ => throw new InvalidOperationException()));
        Assert.Equal(ByHand, File.ReadAllBytes(FilePath));
        Assert.Equal([FilePath], Directory.GetFileSystemEntries(folder));
    }
}
