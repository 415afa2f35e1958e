using System.Buffers.Binary;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Layers.Formats;
using Xunit;

namespace Tapegrad.Tests.Layers.Formats;

/// <summary>What is written is read back, equal content has equal bytes, and nothing malformed is let in.</summary>
public sealed class SafetensorsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("safetensors").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    // ---- the layout, by hand -------------------------------------------------------------------------------------------------------------

    // 137 bytes of JSON (the é has two) and seven spaces, so that the numbers start at 8 + 144; 1, -2 and 0.5 are 3F800000, C0000000 and 3F000000.
    private static readonly byte[] ByHand =
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
        Assert.Equal([new("b", SafetensorsType.F32, new Shape(1, 2), 152, 8), new("a", SafetensorsType.F32, Shape.Scalar, 160, 4)], file.Entries);
        Assert.Equal([KeyValuePair.Create("k", "\"é")], file.Metadata);
        Assert.Equal([1f, -2f], file.ReadFloats(file.Entries[0]));
        Assert.Equal([0.5], file.ReadDoubles(file.Entries[1]));
    }

    [Fact]
    public void WritesTheDocumentedLayout()
    {
        SafetensorsFile.Write(FilePath, [new("b", new Shape(1, 2), [1, -2]), new("a", Shape.Scalar, [0.5f])],
            new Dictionary<string, string> { ["k"] = "\"é" });
        Assert.Equal(ByHand, File.ReadAllBytes(FilePath));
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

    // ---- round trips ---------------------------------------------------------------------------------------------------------------------

    private sealed record Content(SafetensorsValue[] Tensors, Dictionary<string, string> Metadata)
    {
        public override string ToString() => string.Join("; ", Tensors.Select(tensor => $"'{tensor.Name}' {tensor.Shape}"))
            + " | " + string.Join("; ", Metadata.Select(pair => $"'{pair.Key}' = '{pair.Value}'"));
    }

    private static readonly Gen<string> Words =
        Gen.Elements("a", "weight", ".", "0", " ", "é", "漢", "😀", "\"", "\\", "/", "'", "{", "}", ":", "\u00a0", "\u2028", "\ue000")
            .NonEmptyListOf().Select(string.Concat);

    private static readonly Gen<string> AnyText = Gen.OneOf(Words, Gen.Constant(""), Words.Select(word => word + "\n\t\u0001\u007f"));

    private static readonly Gen<SafetensorsValue> Tensors =
        from name in Words
        from rank in Gen.Choose(0, Shape.MaximumRank)
        from lengths in Gen.ListOf(Gen.Frequency((1, Gen.Constant(0)), (8, Gen.Constant(1)), (3, Gen.Elements(2, 3, 5))), rank)
        from bits in Gen.ListOf(Gen.Choose(int.MinValue, int.MaxValue), new Shape([.. lengths]).Count)
        select new SafetensorsValue(name, new Shape([.. lengths]), [.. bits.Select(BitConverter.Int32BitsToSingle)]);

    private static readonly Gen<KeyValuePair<string, string>> Pairs = AnyText.Two().Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2));

    private static readonly Arbitrary<Content> Contents = Arb.From(
        from tensors in Tensors.ListOf()
        from metadata in Pairs.ListOf()
        select new Content([.. tensors.DistinctBy(tensor => tensor.Name)], metadata.DistinctBy(pair => pair.Key).ToDictionary()),
        content =>
        [
            .. content.Tensors.Select(drop => content with { Tensors = [.. content.Tensors.Where(tensor => tensor != drop)] }),
            .. content.Metadata.Keys.Select(drop => content with { Metadata = content.Metadata.Where(pair => pair.Key != drop).ToDictionary() }),
        ]);

    [Fact]
    public void WhatIsWrittenIsReadBack() => Prop.ForAll(Contents, content =>
    {
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(content.Tensors.Length, file.Entries.Count);
        Assert.Equal(content.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal), file.Metadata);   // sorted in the file
        foreach (var tensor in content.Tensors)
        {
            var entry = file.Entries.Single(entry => entry.Name == tensor.Name);
            Assert.Equal(tensor.Shape, entry.Shape);
            Assert.Equal(tensor.Values.Select(BitConverter.SingleToInt32Bits), file.ReadFloats(entry).Select(BitConverter.SingleToInt32Bits));
            Assert.Equal(tensor.Values.Select(value => (double)value), file.ReadDoubles(entry));
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void TensorsKeepTheirOrder() => Prop.ForAll(Contents, content =>
    {
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        using var file = SafetensorsFile.Open(FilePath);
        var filled = content.Tensors.Where(tensor => tensor.Values.Length > 0).Select(tensor => tensor.Name);
        Assert.Equal(filled, file.Entries.Where(entry => entry.Length > 0).Select(entry => entry.Name));
        Assert.Equal(0, (8 + BitConverter.ToInt64(File.ReadAllBytes(FilePath))) % 8);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void EqualContentHasEqualBytes() => Prop.ForAll(Contents, content =>
    {
        var other = Path.Combine(folder, "other");
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        SafetensorsFile.Write(other, content.Tensors, content.Metadata.Reverse().ToDictionary());
        Assert.Equal(File.ReadAllBytes(FilePath), File.ReadAllBytes(other));
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void TensorsLongerThanOneChunkAreWhole()
    {
        var values = Enumerable.Range(0, 100_003).Select(i => i * 0.5f).ToArray();   // 400,012 bytes: six chunks of 2^16 and a rest
        SafetensorsValue[] tensors = [new("first", new Shape(1), [7]), new("long", new Shape(values.Length), values), new("last", new Shape(1), [9])];
        SafetensorsFile.Write(FilePath, tensors);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(values, file.ReadFloats(file.Entries[1]));
        Assert.Equal(values.Select(value => (double)value), file.ReadDoubles(file.Entries[1]));
        Assert.Equal([9f], file.ReadFloats(file.Entries[2]));
        Assert.Equal([7f], file.ReadFloats(file.Entries[0]));
    }

    [Fact]
    public void AnEntryOfAnotherFileIsRefused()
    {
        File.WriteAllBytes(FilePath, ByHand);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Throws<ArgumentException>(() => file.ReadFloats(file.Entries[0] with { Offset = 156 }));
    }

    // ---- damage --------------------------------------------------------------------------------------------------------------------------

    private static byte[] Assemble(string header, byte[] data) => Assemble(Encoding.UTF8.GetBytes(header), data);

    private static byte[] Assemble(byte[] header, byte[] data) => [.. BitConverter.GetBytes((long)header.Length), .. header, .. data];

    // One line that names the file and what is wrong, at the byte when it is known.
    private string Refused(byte[] bytes, string what, long? offset = null)
    {
        File.WriteAllBytes(FilePath, bytes);
        var error = Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath));
        Assert.Contains(what, error.Message);
        Assert.StartsWith($"{FilePath}: at byte {offset?.ToString() ?? ""}", error.Message);
        if (offset is not null) Assert.StartsWith($"{FilePath}: at byte {offset}: ", error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.EndsWith(".", error.Message);
        return error.Message;
    }

    [Fact]
    public void AFileCutAnywhereIsRefused()
    {
        for (var length = 0; length < ByHand.Length; length++) Refused(ByHand[..length], length < 8 ? $"the file has {length} bytes" : "");
        Refused([.. ByHand, 0], "1 bytes at the end belong to no tensor", ByHand.Length);
    }

    [Theory]
    [InlineData(ulong.MaxValue, "at most 100000000 are allowed")]
    [InlineData(1UL << 63, "at most 100000000 are allowed")]
    [InlineData(100_000_001UL, "at most 100000000 are allowed")]
    [InlineData(100_000_000UL, "only 2 follow")]
    [InlineData(3UL, "only 2 follow")]
    public void AHeaderLengthBeyondLimitOrFileIsRefused(ulong length, string what)
    {
        var bytes = new byte[10];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, length);
        "{}"u8.CopyTo(bytes.AsSpan(8));
        Assert.Contains($"{length} bytes", Refused(bytes, what, 0));
    }

    [Fact]
    public void AHeaderWithinTheFileButBeyondTheLimitIsRefused()
    {
        using (var stream = File.Create(FilePath))
        {
            stream.Write(BitConverter.GetBytes(100_000_001L));
            stream.SetLength(100_000_009);   // a hole: takes no room on the disk
        }
        Assert.Contains("at most 100000000", Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    [Theory]
    // Not an object, not JSON, not text.
    [InlineData("", "does not start with '{'", 8)]
    [InlineData("[]", "does not start with '{'", 8)]
    [InlineData("null", "does not start with '{'", 8)]
    [InlineData(" {}", "does not start with '{'", 8)]
    [InlineData("\ufeff{}", "does not start with '{'", 8)]
    [InlineData("{", "not valid JSON", 9)]
    [InlineData("{}x", "not valid JSON", 10)]
    [InlineData("{}{}", "not valid JSON", 10)]
    [InlineData("{,}", "not valid JSON", 9)]
    [InlineData("{/**/}", "not valid JSON", 9)]
    [InlineData("{'a':{}}", "not valid JSON", 9)]
    [InlineData("{}\0\0", "not valid JSON", 10)]
    [InlineData("""{"\ud83d":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "half of a surrogate pair", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}""", "depth", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}}""", "not valid JSON", null)]
    // Keys that are there twice, at every level, also when one of them is spelled with an escape.
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "'a' is there twice", 61)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "'a' is there twice", 61)]
    [InlineData("""{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "'dtype' is there twice", 28)]
    [InlineData("""{"__metadata__":{"k":"1","k":"1"}}""", "'k' is there twice", 33)]
    [InlineData("""{"__metadata__":{},"__metadata__":{}}""", "'__metadata__' is there twice", 27)]
    // Fields and their types.
    [InlineData("""{"a":1}""", "'a' should be an object", 13)]
    [InlineData("""{"a":[]}""", "'a' should be an object", 13)]
    [InlineData("""{"a":null}""", "'a' should be an object", 13)]
    [InlineData("""{"a":{}}""", "'a' has no dtype", 9)]
    [InlineData("""{"a":{"shape":[],"data_offsets":[0,4]}}""", "'a' has no dtype", 9)]
    [InlineData("""{"a":{"dtype":"F32","data_offsets":[0,4]}}""", "'a' has no shape", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[]}}""", "'a' has no data_offsets", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}""", "unknown field 'x'", 60)]
    [InlineData("""{"a":{"Dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "unknown field 'Dtype'", 14)]
    [InlineData("""{"a":{"dtype":"F16","shape":[],"data_offsets":[0,4]}}""", "dtype 'F16'; known are F32 and F64. Convert", 22)]
    [InlineData("""{"a":{"dtype":"f32","shape":[],"data_offsets":[0,4]}}""", "dtype 'f32'", 22)]
    [InlineData("""{"a":{"dtype":"0","shape":[],"data_offsets":[0,4]}}""", "dtype '0'", 22)]
    [InlineData("""{"a":{"dtype":0,"shape":[],"data_offsets":[0,4]}}""", "dtype of 'a' should be a string", 22)]
    [InlineData("""{"a":{"dtype":null,"shape":[],"data_offsets":[0,4]}}""", "dtype of 'a' should be a string", 22)]
    [InlineData("""{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}""", "the shape of 'a' should be a list", 36)]
    [InlineData("""{"a":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}""", "the shape of 'a' should be a list", 36)]
    [InlineData("""{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""", "the shape of 'a' holds something that is not a number", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "the shape of 'a' holds a negative number", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}""", "the shape of 'a' holds a number that is not whole", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}""", "the shape of 'a' holds a number that is not whole", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4]}}""", "the shape of 'a' holds a number that is too large", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967297],"data_offsets":[0,4]}}""", "length above 2147483647", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[65536,65536],"data_offsets":[0,4]}}""", "more than 2147483647 elements", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,4],"data_offsets":[0,4]}}""", "more than 2147483647 elements", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", "more than 8 axes", 53)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[4]}}""", "holds 1 numbers, not 2", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}}""", "more than 2 numbers", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[-4,0]}}""", "data_offsets of 'a' holds a negative number", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4.0]}}""", "data_offsets of 'a' holds a number that is not whole", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":"0,4"}}""", "data_offsets of 'a' should be a list", null)]
    // Offsets against shape and type, the end, and each other. Four bytes of numbers follow the header.
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "needs 8 bytes; its data_offsets are 0 and 4", 9)]
    [InlineData("""{"a":{"dtype":"F64","shape":[],"data_offsets":[0,4]}}""", "needs 8 bytes; its data_offsets are 0 and 4", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}}""", "needs 0 bytes", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}""", "needs 4 bytes; its data_offsets are 4 and 0", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "should end at byte 8 of the numbers, but only 4", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[5,5]}}""", "should end at byte 5", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[9223372036854775803,9223372036854775807]}}""", "should end at byte 9223372036854775807", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "'a' and 'b' overlap", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}""", "'a' and 'b' overlap", null)]
    [InlineData("""{"b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}""", "4 bytes before the tensor 'b' belong to no tensor", null)]
    [InlineData("{}", "4 bytes at the end belong to no tensor", 10)]
    // Names and metadata.
    [InlineData("""{"":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "name is empty", 9)]
    [InlineData("""{"a\nb":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "control characters", 9)]
    [InlineData("""{"__metadata__":[]}""", "should be an object of strings", 24)]
    [InlineData("""{"__metadata__":{"k":1}}""", "the metadata 'k' should be a string", 29)]
    [InlineData("""{"__metadata__":{"k":null}}""", "the metadata 'k' should be a string", 29)]
    [InlineData("""{"__metadata__":{"k\n":["1"]}}""", "the metadata 'k?' should be a string", 31)]
    [InlineData("""{"__metadata__":{"k":"\udc00"}}""", "half of a surrogate pair", 29)]
    public void AMalformedHeaderIsRefused(string header, string what, int? offset) => Refused(Assemble(header, new byte[4]), what, offset);

    [Fact]
    public void GapsBetweenTensorsAreRefused()
    {
        const string header = """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}}""";
        Refused(Assemble(header, new byte[10]), "2 bytes before the tensor 'b' belong to no tensor", 8 + header.Length + 4);
        Refused(Assemble(header.Replace("[6,10]", "[2,6]"), new byte[6]), "'a' and 'b' overlap", 8 + header.Length - 1 + 2);
        File.WriteAllBytes(FilePath, Assemble(header.Replace("[6,10]", "[4,8]"), new byte[8]));
        SafetensorsFile.Open(FilePath).Dispose();
    }

    [Fact]
    public void AHeaderThatIsNotTextIsRefused() =>
        Refused(Assemble([.. "{\"a"u8, 0xC3, 0x28, .. "\":{}}"u8], []), "not valid UTF-8", 8 + 3);

    [Fact]
    public void NothingIsAllocatedForNumbersThatAreNotThere()
    {
        var bytes = Assemble("""{"a":{"dtype":"F32","shape":[536870911],"data_offsets":[0,2147483644]}}""", new byte[4]);
        Refused(bytes, "should end at byte 2147483644");
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(bytes, "should end at byte 2147483644");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void FlippedBytesLoadOrAreRefusedInWords()
    {
        var random = new Random(1);
        var (loaded, refused) = (0, 0);
        for (var round = 0; round < 1000; round++)
        {
            var bytes = ByHand.ToArray();
            for (var flips = random.Next(1, 4); flips > 0; flips--) bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(FilePath, bytes);
            try
            {
                using var file = SafetensorsFile.Open(FilePath);
                Assert.Equal(12, file.Entries.Sum(entry => 4 * file.ReadFloats(entry).Length));
                loaded++;
            }
            catch (InvalidDataException error)
            {
                Assert.DoesNotContain('\n', error.Message);
                refused++;
            }
        }
        // 12 of 164 bytes are numbers and few others are free (a name, the metadata): most flips must be refused, and some must not.
        Assert.InRange(loaded, 25, 250);
        Assert.InRange(refused, 600, 1000);
    }

    // ---- files that cannot be read or written ----------------------------------------------------------------------------------------------

    [Fact]
    public void AFileThatShrinksIsAnError()
    {
        if (OperatingSystem.IsWindows()) return;   // there nobody can shrink a file that is being read
        File.WriteAllBytes(FilePath, ByHand);
        using var file = SafetensorsFile.Open(FilePath);
        using (var shrinking = new FileStream(FilePath, FileMode.Open, FileAccess.Write, FileShare.ReadWrite)) shrinking.SetLength(ByHand.Length - 5);
        var error = Assert.Throws<IOException>(() => file.ReadFloats(file.Entries[0]));
        Assert.Contains($"{FilePath}: the file ends inside the tensor 'b'", error.Message);
    }

    [Fact]
    public void WhatCannotBeReadIsNamed()
    {
        Assert.Contains($"{FilePath}: there is no such file", Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(FilePath)).Message);
        var below = Path.Combine(folder, "missing", "file");
        Assert.Contains($"{below}: there is no such file", Assert.Throws<FileNotFoundException>(() => SafetensorsFile.Open(below)).Message);
        Assert.Contains($"{folder}: cannot be read: it is a folder", Assert.Throws<IOException>(() => SafetensorsFile.Open(folder)).Message);
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
        SafetensorsValue one = new("a", Shape.Scalar, [1]);
        void Fails(string what, SafetensorsValue[] tensors, Dictionary<string, string>? metadata = null) =>
            Assert.Contains(what, Assert.Throws<ArgumentException>(() => SafetensorsFile.Write(FilePath, tensors, metadata)).Message);
        Fails("'a' is given to two tensors", [one, one]);
        Fails("'__metadata__' is reserved", [one with { Name = "__metadata__" }]);
        Fails("a name is not empty", [one with { Name = "" }]);
        Fails("no control characters", [one with { Name = "a\nb" }]);
        Fails("half of a surrogate pair", [one with { Name = "\ud83d" }]);
        Fails("half of a surrogate pair", [one], new() { ["k"] = "\udc00" });
        Fails("'a' has the shape [2] and 1 values", [one with { Shape = new Shape(2) }]);
        var inTheMiddle = Assert.Throws<IOException>(() => AtomicFile.Write(FilePath, stream =>
        {
            stream.Write(new byte[100_000]);
            throw new IOException("No space left on device.");
        }));
        Assert.Contains($"{FilePath}: cannot be written: No space left on device.", inTheMiddle.Message);
        Assert.Throws<InvalidOperationException>(() => AtomicFile.Write(FilePath, _ => throw new InvalidOperationException()));
        Assert.Equal(ByHand, File.ReadAllBytes(FilePath));
        Assert.Equal([FilePath], Directory.GetFileSystemEntries(folder));
    }
}
