using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace Tapegrad.Layers.Files;

/// <summary>
/// The header of a safetensors file, read strictly. See <see cref="SafetensorsFile"/> for the layout.
/// </summary>
/// <remarks>
/// A number's place is checked against its shape, the neighbours and the file's end before anybody asks for memory to
/// hold it.
/// </remarks>
internal ref struct SafetensorsHeader
{
    /// <summary>The key of the texts, and the beginning of those of them that hold a tensor's hash.</summary>
    public const string MetadataKey = "__metadata__", HashKey = "sha256:";

    private const int LengthBytes = 8;
    private const long MaximumLength = 100_000_000;   // the format's own limit
    private const string Damaged =
        "The file is damaged, cut short, or not in the safetensors format: fetch it again, or save it again with the "
            + "program that made it.";
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true);

    private readonly string path;
    private readonly long dataStart;
    private readonly long dataLength;
    private Utf8JsonReader json;

    private SafetensorsHeader(string path, ReadOnlySpan<byte> header, long fileLength)
    {
        this.path = path;
        dataStart = LengthBytes + header.Length;
        dataLength = fileLength - dataStart;
        json = new Utf8JsonReader(header, new JsonReaderOptions { MaxDepth = 3 });   // names, fields, lists
    }

    private readonly long Here => LengthBytes + json.TokenStartIndex;

    /// <summary>The entries in the order of their bytes, and the metadata.</summary>
    public static (SafetensorsEntry[] Entries, Dictionary<string, string> Metadata) Read(string path, Stream stream)
    {
        var fileLength = stream.Length;
        if (fileLength < LengthBytes)
            throw Broken(path, fileLength,
                $"the file has {fileLength} bytes; the first {LengthBytes} should hold the length of the header.");
        var prefix = new byte[LengthBytes];
        stream.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaximumLength)
            throw Broken(path, 0, $"the header is said to have {length} bytes; at most {MaximumLength} are allowed.");
        if ((long)length > fileLength - LengthBytes)
            throw Broken(path, 0,
                $"the header is said to have {length} bytes, but only {fileLength - LengthBytes} follow.");
        var header = new byte[length];
        stream.ReadExactly(header);
        if (header is not [(byte)'{', ..]) throw Broken(path, LengthBytes, "the header does not start with '{'.");
        try
        {
            StrictUtf8.GetCharCount(header);
        }
        catch (DecoderFallbackException error)
        {
            throw Broken(path, LengthBytes + error.Index, "the header is not valid UTF-8.");
        }
        return new SafetensorsHeader(path, header, fileLength).ReadAll();
    }

    private (SafetensorsEntry[], Dictionary<string, string>) ReadAll()
    {
        var entries = new List<SafetensorsEntry>();
        var metadata = new Dictionary<string, string>();
        var hashes = new Dictionary<string, string>();
        var names = new HashSet<string>();
        Advance();
        while (NextKey(names, out var name))
        {
            if (name == MetadataKey) ReadMetadata(metadata, hashes);
            else entries.Add(ReadEntry(name));
        }
        Advance(atEnd: true);
        foreach (var name in hashes.Keys)
            if (name == MetadataKey || !names.Contains(name))
                throw Broken(LengthBytes,
                    $"the metadata hold a hash of '{NamedArray.Show(name)}', which is not there.");
        return (Arrange(entries.ConvertAll(entry => entry with { Sha256 = hashes.GetValueOrDefault(entry.Name) })),
            metadata);
    }

    private void ReadMetadata(Dictionary<string, string> metadata, Dictionary<string, string> hashes)
    {
        Expect(JsonTokenType.StartObject, $"{MetadataKey} should be an object of strings.");
        var keys = new HashSet<string>();
        while (NextKey(keys, out var key))
        {
            Expect(JsonTokenType.String, $"the metadata '{NamedArray.Show(key)}' should be a string.");
            var text = Text();
            if (!key.StartsWith(HashKey, StringComparison.Ordinal)) metadata[key] = text;
            else if (text.Length == 64 && text.All(char.IsAsciiHexDigitLower)) hashes[key[HashKey.Length..]] = text;
            else throw Broken($"the metadata '{NamedArray.Show(key)}' should be a hash of 64 hexadecimal digits.");
        }
    }

    private SafetensorsEntry ReadEntry(string name)
    {
        var start = Here;
        if (!NamedArray.IsName(name))
            throw Broken(start, name == "" ? "a tensor's name is empty." : "a tensor's name holds control characters.");
        var shown = NamedArray.Show(name);
        Expect(JsonTokenType.StartObject,
            $"the tensor '{shown}' should be an object with dtype, shape and data_offsets.");
        SafetensorsType? type = null;
        Shape? shape = null;
        List<long>? offsets = null;
        var fields = new HashSet<string>();
        while (NextKey(fields, out var field))
        {
            switch (field)
            {
                case "dtype":
                    type = ReadType(shown);
                    break;
                case "shape":
                    shape = ReadShape(shown);
                    break;
                case "data_offsets":
                    offsets = ReadNumbers($"data_offsets of '{shown}'", 2, "numbers: begin and end");
                    if (offsets.Count != 2)
                        throw Broken($"data_offsets of '{shown}' holds {offsets.Count} numbers, not 2: begin and end.");
                    break;
                default:
                    throw Broken($"the tensor '{shown}' has an unknown field '{NamedArray.Show(field)}'.");
            }
        }
        if (type is null || shape is null || offsets is null)
            throw Broken(start,
                $"the tensor '{shown}' has no {(type is null ? "dtype" : shape is null ? "shape" : "data_offsets")}.");
        var (begin, end) = (offsets[0], offsets[1]);
        if (shape.Value.Count > Array.MaxLength)
            throw Broken(start,
                $"the tensor '{shown}' of shape {shape} has {shape.Value.Count} numbers; {Array.MaxLength} are "
                    + "possible.");
        var size = (long)shape.Value.Count * SafetensorsFile.SizeOf(type.Value);
        if (begin > end || end - begin != size)
            throw Broken(start,
                $"the tensor '{shown}' of type {type} and shape {shape} needs {size} bytes; its data_offsets are "
                    + $"{begin} and {end}.");
        if (end > dataLength)
            throw Broken(start,
                $"the tensor '{shown}' should end at byte {end} of the numbers, but only {dataLength} bytes are there.");
        return new SafetensorsEntry(name, type.Value, shape.Value, dataStart + begin, size);
    }

    private SafetensorsType ReadType(string shown)
    {
        Expect(JsonTokenType.String, $"the dtype of '{shown}' should be a string.");
        var text = Text();
        foreach (var type in Enum.GetValues<SafetensorsType>())
            if (text == type.ToString()) return type;
        throw Broken(Here, $"the tensor '{shown}' has the dtype '{NamedArray.Show(text)}'; known are "
            + $"{string.Join(", ", Enum.GetNames<SafetensorsType>())}.",
            "Convert the tensor in the program that made the file.");
    }

    private Shape ReadShape(string shown)
    {
        var start = Here;
        var lengths = ReadNumbers($"the shape of '{shown}'", Shape.MaximumRank, "axes");
        if (lengths.Any(length => length > int.MaxValue))
            throw Broken(start, $"the shape of '{shown}' holds a length above {int.MaxValue}.");
        try
        {
            return new Shape([.. lengths.Select(length => (int)length)]);
        }
        catch (ShapeException error)
        {
            throw Broken(start, $"the tensor '{shown}': {error.Message}");
        }
    }

    private List<long> ReadNumbers(string what, int most, string unit)
    {
        Expect(JsonTokenType.StartArray, $"{what} should be a list of numbers.");
        var numbers = new List<long>();
        while (true)
        {
            Advance();
            if (json.TokenType == JsonTokenType.EndArray) return numbers;
            if (json.TokenType != JsonTokenType.Number) throw Broken($"{what} holds something that is not a number.");
            if (numbers.Count == most) throw Broken($"{what} has more than {most} {unit}.");
            var digits = json.ValueSpan;
            if (digits[0] == '-') throw Broken($"{what} holds a negative number.");
            if (digits.IndexOfAny(".eE"u8) >= 0) throw Broken($"{what} holds a number that is not whole.");
            if (!json.TryGetInt64(out var number)) throw Broken($"{what} holds a number that is too large.");
            numbers.Add(number);
        }
    }

    // Every byte of the numbers belongs to exactly one tensor.
    private readonly SafetensorsEntry[] Arrange(List<SafetensorsEntry> entries)
    {
        // empty ones in the keys' order
        SafetensorsEntry[] sorted = [.. entries.OrderBy(entry => entry.Offset).ThenBy(entry => entry.Length)];
        var position = dataStart;
        for (var i = 0; i < sorted.Length; i++)
        {
            var entry = sorted[i];
            if (entry.Offset < position)
                throw Broken(entry.Offset,
                    $"the tensors '{NamedArray.Show(sorted[i - 1].Name)}' and '{NamedArray.Show(entry.Name)}' overlap.");
            if (entry.Offset > position)
                throw Broken(position,
                    $"{entry.Offset - position} bytes before the tensor '{NamedArray.Show(entry.Name)}' belong to no "
                        + "tensor.");
            position += entry.Length;
        }
        if (position < dataStart + dataLength)
            throw Broken(position, $"{dataStart + dataLength - position} bytes at the end belong to no tensor.");
        return sorted;
    }

    // The next key of the object that was entered; false at its end.
    private bool NextKey(HashSet<string> before, [NotNullWhen(true)] out string? key)
    {
        Advance();
        key = null;
        if (json.TokenType == JsonTokenType.EndObject) return false;
        key = Text();
        if (!before.Add(key)) throw Broken($"the key '{NamedArray.Show(key)}' is there twice.");
        return true;
    }

    private void Expect(JsonTokenType token, string otherwise)
    {
        Advance();
        if (json.TokenType != token) throw Broken(otherwise);
    }

    private void Advance(bool atEnd = false)
    {
        try
        {
            if (json.Read() == atEnd)
                throw Broken(atEnd ? "something follows the header's closing '}'." : "the header ends too early.");
        }
        catch (JsonException error)
        {
            throw Broken(LengthBytes + json.BytesConsumed,
                $"the header is not valid JSON: {error.Message.Split(" LineNumber")[0]}");
        }
    }

    private readonly string Text()
    {
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw Broken("a string holds half of a surrogate pair, which is not text.");
        }
    }

    private readonly InvalidDataException Broken(string what) => Broken(Here, what);

    private readonly InvalidDataException Broken(long offset, string what, string remedy = Damaged) =>
        Broken(path, offset, what, remedy);

    private static InvalidDataException Broken(string path, long offset, string what, string remedy = Damaged) =>
        new($"{path}: at byte {offset}: {what} {remedy}");
}
