using System.Buffers.Binary;
using System.Numerics;

namespace Tapegrad.Layers.Formats;

/// <summary>The type of a tensor's numbers in a file. The names are the format's own.</summary>
public enum SafetensorsType
{
    /// <summary>IEEE 754 single precision.</summary>
    F32,
    /// <summary>IEEE 754 double precision.</summary>
    F64,
}

/// <summary>One tensor in a file: its name, the type of its numbers, its shape, and the bytes of the file that hold it.</summary>
/// <param name="Name">Never empty.</param>
/// <param name="Type">The type of its numbers.</param>
/// <param name="Shape">Row-major, in the file's own order of axes.</param>
/// <param name="Offset">The position of the first byte, from the start of the file.</param>
/// <param name="Length">The number of bytes.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, Shape Shape, long Offset, long Length);

/// <summary>A named array to be written.</summary>
public sealed record SafetensorsValue(string Name, Shape Shape, float[] Values);

/// <summary>
/// The safetensors format: named arrays and a few strings, nothing that can run.
/// <code>
/// bytes 0 .. 7      n, the length of the header: unsigned, little-endian
/// bytes 8 .. 8+n-1  the header, JSON: {"__metadata__": {"key": "text", ..},
///                                      "name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..}
/// the rest          the numbers, little-endian, row-major; offsets count from byte 8+n
/// </code>
/// Reading is strict, stricter than the format's own implementation: a key that is there twice, a field too many, a byte that
/// belongs to no tensor or to two is refused before memory for a single number is taken. Writing is deterministic: the same
/// content gives the same bytes. Source: https://github.com/huggingface/safetensors#format.
/// </summary>
/// <remarks>Holds the file open until disposed. Not thread-safe.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    private const int ChunkBytes = 1 << 16;   // a multiple of the size of every type

    private readonly string path;
    private readonly FileStream stream;

    private SafetensorsFile(string path, FileStream stream)
    {
        this.path = path;
        this.stream = stream;
        (Entries, Metadata) = SafetensorsHeader.Read(path, stream);
    }

    /// <summary>The tensors, in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The strings of <c>__metadata__</c>; empty when there is none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file, and reads and checks all of it but the numbers.</summary>
    /// <exception cref="InvalidDataException">The file is not a well-formed safetensors file; the message says where and
    /// what.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (Directory.Exists(path)) throw new IOException($"{path}: cannot be read: it is a folder. Give the name of a file in it.");
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete, bufferSize: 0);
            return new SafetensorsFile(path, stream);
        }
        catch (Exception error)
        {
            stream?.Dispose();
            if (error is FileNotFoundException or DirectoryNotFoundException)
                throw new FileNotFoundException($"{path}: there is no such file. Check the name.", path, error);
            if (error is IOException or UnauthorizedAccessException) throw Unreadable(path, error);
            throw;
        }
    }

    /// <summary>The numbers of one tensor, as float; a double is rounded.</summary>
    /// <exception cref="IOException">The file cannot be read, or has been cut short since it was opened.</exception>
    public float[] ReadFloats(SafetensorsEntry entry) => Read<float>(entry);

    /// <summary>The numbers of one tensor, as double.</summary>
    /// <exception cref="IOException">The file cannot be read, or has been cut short since it was opened.</exception>
    public double[] ReadDoubles(SafetensorsEntry entry) => Read<double>(entry);

    /// <summary>Writes tensors in the given order, as F32. The file is replaced in one step, or not at all.</summary>
    /// <exception cref="ArgumentException">A name is empty, not text, reserved, or there twice; or the number of values is not
    /// the shape's.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<SafetensorsValue> tensors, IReadOnlyDictionary<string, string>? metadata = null) =>
        Write(path, tensors, metadata, Disk.Own);

    internal static void Write(string path, IReadOnlyList<SafetensorsValue> tensors, IReadOnlyDictionary<string, string>? metadata, IDisk disk)
    {
        var header = SafetensorsHeader.Write(tensors, metadata ?? new Dictionary<string, string>());
        AtomicFile.Write(path, stream =>
        {
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            stream.Write(length);
            stream.Write(header);
            foreach (var tensor in tensors) Write(stream, tensor.Values);
        }, disk);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => stream.Dispose();

    /// <summary>The number of bytes of one number.</summary>
    internal static int SizeOf(SafetensorsType type) => type switch
    {
        SafetensorsType.F32 => sizeof(float),
        SafetensorsType.F64 => sizeof(double),
        _ => throw new ArgumentOutOfRangeException(nameof(type)),
    };

    // A further type needs its name above, its size, and its line in the switch below.
    private T[] Read<T>(SafetensorsEntry entry) where T : INumberBase<T>
    {
        if (!Entries.Contains(entry)) throw new ArgumentException($"{path}: the tensor '{entry.Name}' is not an entry of this file.", nameof(entry));
        var result = new T[entry.Shape.Count];
        var size = SizeOf(entry.Type);
        var chunk = new byte[ChunkBytes];
        var done = 0;
        try
        {
            stream.Position = entry.Offset;
            while (done < result.Length)
            {
                var count = Math.Min(chunk.Length / size, result.Length - done);
                stream.ReadExactly(chunk, 0, count * size);
                for (var i = 0; i < count; i++)
                {
                    var bytes = chunk.AsSpan(i * size);
                    result[done++] = entry.Type == SafetensorsType.F32
                        ? T.CreateTruncating(BinaryPrimitives.ReadSingleLittleEndian(bytes))
                        : T.CreateTruncating(BinaryPrimitives.ReadDoubleLittleEndian(bytes));
                }
            }
        }
        catch (EndOfStreamException error)
        {
            throw new IOException($"{path}: the file ends inside the tensor '{entry.Name}' (bytes {entry.Offset} to "
                + $"{entry.Offset + entry.Length}): it was cut short after it was opened. Is another program writing it? "
                + "Read it again when that has finished.", error);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
        return result;
    }

    private static void Write(Stream stream, float[] values)
    {
        var chunk = new byte[ChunkBytes];
        for (var done = 0; done < values.Length; done += chunk.Length / sizeof(float))
        {
            var count = Math.Min(chunk.Length / sizeof(float), values.Length - done);
            for (var i = 0; i < count; i++) BinaryPrimitives.WriteSingleLittleEndian(chunk.AsSpan(sizeof(float) * i), values[done + i]);
            stream.Write(chunk, 0, sizeof(float) * count);
        }
    }

    private static IOException Unreadable(string path, Exception error) =>
        new($"{path}: cannot be read: {error.Message} Check that the disk is there and that you may read the file.", error);
}
