using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Tapegrad.Layers.Files;

/// <summary>
/// Writes a safetensors file: the same content gives the same bytes, whatever the version of the library that escapes
/// strings elsewhere, so the few lines of JSON are our own. See <see cref="SafetensorsFile"/> for the layout.
/// </summary>
internal static class SafetensorsWriter
{
    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false,
        throwOnInvalidBytes: true);

    public static void Write(string path, IReadOnlyList<NamedArray> tensors,
        IReadOnlyDictionary<string, string> metadata, IDisk disk)
    {
        NamedArray.Check(tensors);
        var header = Header(tensors, metadata);
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var tensor in tensors) Numbers.Write(tensor.Values, stream.Write);
        }, disk);
    }

    // Padded with spaces so that the numbers start at a multiple of 8.
    private static byte[] Header(IReadOnlyList<NamedArray> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        var texts = new Dictionary<string, string>(metadata);
        foreach (var key in metadata.Keys)
            if (key.StartsWith(SafetensorsHeader.HashKey, StringComparison.Ordinal))
                throw new ArgumentException($"the metadata's key '{NamedArray.Show(key)}' is reserved: "
                    + "a tensor's hash is written without being asked for.");
        foreach (var tensor in tensors) texts[SafetensorsHeader.HashKey + tensor.Name] = Hash(tensor.Values);

        var parts = new List<string>();
        if (texts.Count > 0)
        {
            var pairs = texts.OrderBy(pair => pair.Key, StringComparer.Ordinal)
                .Select(pair => $"{Quote(pair.Key)}:{Quote(pair.Value)}");
            parts.Add($"{Quote(SafetensorsHeader.MetadataKey)}:{{{string.Join(',', pairs)}}}");
        }
        long begin = 0;
        foreach (var (name, shape, values) in tensors)
        {
            if (name == SafetensorsHeader.MetadataKey) throw new ArgumentException($"the name '{name}' is reserved.");
            var end = begin + (long)values.Length * Numbers.SizeOf(values);
            var lengths = string.Join(',', shape.Dimensions.ToArray());
            parts.Add($"{Quote(name)}:{{\"dtype\":\"{SafetensorsFile.TypeOf(values)}\",\"shape\":[{lengths}],\"data_offsets\":[{begin},{end}]}}");
            begin = end;
        }
        var header = StrictUtf8.GetBytes($"{{{string.Join(',', parts)}}}");
        var padded = new byte[(header.Length + 7) / 8 * 8];
        Array.Fill(padded, (byte)' ');
        header.CopyTo(padded, 0);
        return padded;
    }

    private static string Hash(Array values)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Numbers.Write(values, hash.AppendData);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static string Quote(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var letter in text)
            if (letter is '"' or '\\') quoted.Append('\\').Append(letter);
            else if (letter < ' ') quoted.Append($"\\u{(int)letter:x4}");
            else quoted.Append(letter);
        try
        {
            StrictUtf8.GetByteCount(text);
        }
        catch (EncoderFallbackException)
        {
            throw new ArgumentException($"'{NamedArray.Show(text)}' holds half of a surrogate pair, which cannot be "
                + "written to a file.");
        }
        return quoted.Append('"').ToString();
    }
}
