using System.Security.Cryptography;

namespace Tapegrad.Layers.Files;

/// <summary>
/// The safetensors format: named arrays and a few strings, nothing that can run.
/// <code>
/// bytes 0 .. 7      n, the length of the header: unsigned, little-endian
/// bytes 8 .. 8+n-1  the header, JSON: {"__metadata__": {"key": "text", ..},
///                                      "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..}
/// the rest          the numbers, little-endian, row-major; offsets count from byte 8+n
/// </code>
/// Reading is strict, stricter than the format's own implementation: a key that is there twice, a field too many, a
/// byte that belongs to no tensor or to two is refused before memory for a single number is taken. Writing is
/// deterministic: the same content gives the same bytes. For each tensor it writes the SHA-256 of its bytes as the
/// metadata's text <c>sha256:NAME</c>, in hexadecimal; reading verifies it where it is there. Source:
/// https://github.com/huggingface/safetensors#format. Written here: its own implementation is native code.
/// </summary>
/// <remarks>
/// Holds the file open until disposed; not thread-safe. The file is read, not mapped into memory: a file that shrinks
/// while it is mapped kills the process that touches the lost part, and no check before can prevent it.
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    private readonly string path;
    private readonly FileStream stream;
    private readonly HashSet<SafetensorsEntry> own;

    private SafetensorsFile(string path, FileStream stream)
    {
        this.path = path;
        this.stream = stream;
        (Entries, Metadata) = SafetensorsHeader.Read(path, stream);
        own = [.. Entries];
    }

    /// <summary>The tensors, in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The strings of <c>__metadata__</c> but the hashes; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file, and reads and checks all of it but the numbers.</summary>
    /// <exception cref="InvalidDataException">The file is not a well-formed safetensors file; the message says where
    /// and what.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        var stream = ReadableFile.Open(path);
        try
        {
            return new SafetensorsFile(path, stream);
        }
        catch (Exception error)
        {
            stream.Dispose();
            if (error is IOException) throw ReadableFile.Unreadable(path, error);
            throw;
        }
    }

    /// <summary>
    /// The numbers of one tensor in their own type, as <see cref="SafetensorsType"/> names it: a <c>float[]</c> for
    /// F32.
    /// </summary>
    /// <exception cref="InvalidDataException">The bytes are not those that were hashed, or a BOOL is neither 0 nor
    /// 1.</exception>
    /// <exception cref="IOException">The file cannot be read, or has been cut short since it was opened.</exception>
    public Array Read(SafetensorsEntry entry)
    {
        if (!own.Contains(entry))
            throw new ArgumentException($"{path}: the tensor '{entry.Name}' is not an entry of this file.",
                nameof(entry));
        var values = NewArray(entry.Type, entry.Shape.Count);
        using var hash = entry.Sha256 is null ? null : IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        int wrong;
        try
        {
            stream.Position = entry.Offset;
            wrong = Numbers.Read(values, stream, seen: bytes => hash?.AppendData(bytes));
        }
        catch (EndOfStreamException error)
        {
            throw ReadableFile.CutShort(path,
                $" inside the tensor '{entry.Name}' (bytes {entry.Offset} to {entry.Offset + entry.Length})", error);
        }
        catch (IOException error)
        {
            throw ReadableFile.Unreadable(path, error);
        }
        if (wrong >= 0)
            throw new InvalidDataException($"{path}: at byte {entry.Offset + wrong}: the tensor '{entry.Name}' of type "
                + "BOOL holds a byte that is neither 0 nor 1. The file is damaged: fetch it again, or save it again "
                + "with the program that made it.");
        if (hash is not null && Convert.ToHexStringLower(hash.GetHashAndReset()) != entry.Sha256)
            throw new InvalidDataException($"{path}: at byte {entry.Offset}: the tensor '{entry.Name}' has not the "
                + "hash that was written with it: its bytes were changed since. Fetch the file again, or save it again "
                + "with the program that made it.");
        return entry.Type == SafetensorsType.BF16
            ? Array.ConvertAll((ushort[])values, bits => BitConverter.Int32BitsToSingle(bits << 16)) : values;
    }

    /// <summary>The numbers of one tensor, as float; rounded where they do not fit, true is 1.</summary>
    /// <inheritdoc cref="Read"/>
    public float[] ReadFloats(SafetensorsEntry entry) => Numbers.Convert<float>(Read(entry));

    /// <summary>The numbers of one tensor, as double; true is 1.</summary>
    /// <inheritdoc cref="Read"/>
    public double[] ReadDoubles(SafetensorsEntry entry) => Numbers.Convert<double>(Read(entry));

    /// <summary>Writes tensors in the given order. The file is replaced in one step, or not at all.</summary>
    /// <exception cref="ArgumentException">A name is empty, not text, reserved, or there twice; or the values are not
    /// the shape's in number or of a type that the format does not have.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<NamedArray> tensors,
        IReadOnlyDictionary<string, string>? metadata = null) =>
        SafetensorsWriter.Write(path, tensors, metadata ?? new Dictionary<string, string>(), Disk.Own);

    /// <summary>Closes the file.</summary>
    public void Dispose() => stream.Dispose();

    // A further type needs its name above, a line here, and its size in Numbers.
    private static readonly Dictionary<SafetensorsType, Type> Types = new()
    {
        [SafetensorsType.BOOL] = typeof(bool),
        [SafetensorsType.U8] = typeof(byte),
        [SafetensorsType.I8] = typeof(sbyte),
        [SafetensorsType.U16] = typeof(ushort),
        [SafetensorsType.I16] = typeof(short),
        [SafetensorsType.U32] = typeof(uint),
        [SafetensorsType.I32] = typeof(int),
        [SafetensorsType.U64] = typeof(ulong),
        [SafetensorsType.I64] = typeof(long),
        [SafetensorsType.F16] = typeof(Half),
        [SafetensorsType.F32] = typeof(float),
        [SafetensorsType.F64] = typeof(double),
    };

    // Of BF16 its bits: .NET has no such type.
    private static Array NewArray(SafetensorsType type, int count) =>
        Numbers.NewArray(Types.GetValueOrDefault(type, typeof(ushort)), count);

    /// <summary>The number of bytes of one number.</summary>
    internal static int SizeOf(SafetensorsType type) => Numbers.SizeOf(NewArray(type, 0));

    /// <summary>What an array is written as.</summary>
    internal static SafetensorsType TypeOf(Array values) =>
        Types.Single(known => known.Value == values.GetType().GetElementType()).Key;
}
