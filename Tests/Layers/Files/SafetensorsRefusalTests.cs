using System.Buffers.Binary;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>Nothing malformed is let in: each refusal in one line, with the byte where it is known.</summary>
public sealed class SafetensorsRefusalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("safetensors").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

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
        for (var length = 1; length < SafetensorsTests.ByHand.Length; length++)
            Refused(SafetensorsTests.ByHand[..length], length < 8 ? $"the file has {length} bytes" : "");
        Refused([.. SafetensorsTests.ByHand, 0], "1 bytes at the end belong to no tensor",
            SafetensorsTests.ByHand.Length);
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
        Assert.Contains("at most 100000000",
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
    }

    // A shape may have 2^31 - 1 numbers, an array a few less.
    [Fact]
    public void MoreNumbersThanAnArrayHoldsAreRefused()
    {
        var header = System.Text.Encoding.UTF8.GetBytes($$$"""{"a":{"dtype":"U8","shape":[{{{int.MaxValue}}}],"data_offsets":[0,{{{int.MaxValue}}}]}}""");
        using (var stream = File.Create(FilePath))
        {
            stream.Write(BitConverter.GetBytes((long)header.Length));
            stream.Write(header);
            stream.SetLength(8L + header.Length + int.MaxValue);   // a hole
        }
        Assert.Contains($"{int.MaxValue} numbers",
            Assert.Throws<InvalidDataException>(() => SafetensorsFile.Open(FilePath)).Message);
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
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""",
        "'a' is there twice", 61)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""",
        "'a' is there twice", 61)]
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
    [InlineData("""{"a":{"dtype":"F8_E4M3","shape":[],"data_offsets":[0,4]}}""",
        "dtype 'F8_E4M3'; known are BOOL, U8, I8, U16, I16, U32, I32, U64, I64, F16, BF16, F32, F64. Convert", 22)]
    [InlineData("""{"a":{"dtype":"f32","shape":[],"data_offsets":[0,4]}}""", "dtype 'f32'", 22)]
    [InlineData("""{"a":{"dtype":"0","shape":[],"data_offsets":[0,4]}}""", "dtype '0'", 22)]
    [InlineData("""{"a":{"dtype":0,"shape":[],"data_offsets":[0,4]}}""", "dtype of 'a' should be a string", 22)]
    [InlineData("""{"a":{"dtype":null,"shape":[],"data_offsets":[0,4]}}""", "dtype of 'a' should be a string", 22)]
    [InlineData("""{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}""", "the shape of 'a' should be a list", 36)]
    [InlineData("""{"a":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}""", "the shape of 'a' should be a list", 36)]
    [InlineData("""{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}""", "the shape of 'a' holds something that "
        + "is not a number", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "the shape of 'a' holds a negative "
        + "number", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}""", "the shape of 'a' holds a number that "
        + "is not whole", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}""", "the shape of 'a' holds a number that "
        + "is not whole", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[18446744073709551617],"data_offsets":[0,4]}}""",
        "the shape of 'a' holds a number that is too large", 37)]
    [InlineData("""{"a":{"dtype":"F32","shape":[4294967297],"data_offsets":[0,4]}}""", "length above 2147483647", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[65536,65536],"data_offsets":[0,4]}}""", "more than 2147483647 elements", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2147483647,2147483647,4],"data_offsets":[0,4]}}""", "more than "
        + "2147483647 elements", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}""", "more than 8 axes", 53)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[4]}}""", "holds 1 numbers, not 2", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4,4]}}""", "more than 2 numbers", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[-4,0]}}""", "data_offsets of 'a' holds a negative "
        + "number", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4.0]}}""", "data_offsets of 'a' holds a number "
        + "that is not whole", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":"0,4"}}""", "data_offsets of 'a' should be a list", null)]
    // Offsets against shape and type, the end, and each other. Four bytes of numbers follow the header.
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "needs 8 bytes; its data_offsets are 0 "
        + "and 4", 9)]
    [InlineData("""{"a":{"dtype":"F64","shape":[],"data_offsets":[0,4]}}""", "needs 8 bytes; its data_offsets are 0 "
        + "and 4", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,4]}}""", "needs 0 bytes", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}""", "needs 4 bytes; its data_offsets are 4 "
        + "and 0", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}""", "should end at byte 8 of the numbers, "
        + "but only 4", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[0],"data_offsets":[5,5]}}""", "should end at byte 5", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[9223372036854775803,9223372036854775807]}}""",
        "should end at byte 9223372036854775807", 9)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""",
        "'a' and 'b' overlap", null)]
    [InlineData("""{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0],"data_offsets":[2,2]}}""",
        "'a' and 'b' overlap", null)]
    [InlineData("""{"b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}""", "4 bytes before the tensor 'b' belong to "
        + "no tensor", null)]
    [InlineData("{}", "4 bytes at the end belong to no tensor", 10)]
    // Names and metadata.
    [InlineData("""{"":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "name is empty", 9)]
    [InlineData("""{"a\nb":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}""", "control characters", 9)]
    [InlineData("""{"__metadata__":[]}""", "should be an object of strings", 24)]
    [InlineData("""{"__metadata__":{"k":1}}""", "the metadata 'k' should be a string", 29)]
    [InlineData("""{"__metadata__":{"k":null}}""", "the metadata 'k' should be a string", 29)]
    [InlineData("""{"__metadata__":{"k\n":["1"]}}""", "the metadata 'k?' should be a string", 31)]
    [InlineData("""{"__metadata__":{"k":"\udc00"}}""", "half of a surrogate pair", 29)]
    // Hashes.
    [InlineData("""{"__metadata__":{"sha256:a":"00"}}""", "'sha256:a' should be a hash of 64 hexadecimal digits", 36)]
    [InlineData("""{"__metadata__":{"sha256:a":"000000000000000000000000000000000000000000000000000000000000000G"}}""", "hash of 64", 36)]
    [InlineData("""{"__metadata__":{"sha256:a":"000000000000000000000000000000000000000000000000000000000000000A"}}""", "hash of 64", 36)]
    [InlineData("""{"__metadata__":{"sha256:a":"0000000000000000000000000000000000000000000000000000000000000000"}}""",
        "a hash of 'a', which is not there", 8)]
    [InlineData("""{"__metadata__":{"sha256:__metadata__":"0000000000000000000000000000000000000000000000000000000000000000"}}""",
        "which is not there", 8)]
    public void AMalformedHeaderIsRefused(string header, string what, int? offset) =>
        Refused(SafetensorsTests.Assemble(header, new byte[4]), what, offset);

    [Fact]
    public void GapsBetweenTensorsAreRefused()
    {
        const string header = """{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[6,10]}}""";
        Refused(SafetensorsTests.Assemble(header, new byte[10]), "2 bytes before the tensor 'b' belong to no tensor",
            8 + header.Length + 4);
        Refused(SafetensorsTests.Assemble(header.Replace("[6,10]", "[2,6]"), new byte[6]), "'a' and 'b' overlap",
            8 + header.Length - 1 + 2);
        File.WriteAllBytes(FilePath, SafetensorsTests.Assemble(header.Replace("[6,10]", "[4,8]"), new byte[8]));
        SafetensorsFile.Open(FilePath).Dispose();
    }

    [Fact]
    public void AHeaderThatIsNotTextIsRefused() =>
        Refused(SafetensorsTests.Assemble([.. "{\"a"u8, 0xC3, 0x28, .. "\":{}}"u8], []), "not valid UTF-8", 8 + 3);

    [Fact]
    public void NothingIsAllocatedForNumbersThatAreNotThere()
    {
        var bytes = SafetensorsTests.Assemble("""{"a":{"dtype":"F32","shape":[536870911],"data_offsets":[0,2147483644]}}""", new byte[4]);
        Refused(bytes, "should end at byte 2147483644");
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(bytes, "should end at byte 2147483644");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }
}
