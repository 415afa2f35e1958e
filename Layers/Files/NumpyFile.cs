using System.IO.Compression;

namespace Tapegrad.Layers.Files;

/// <summary>
/// NumPy's files: .npy, one array (<see cref="NumpyHeader"/>, then the numbers), and .npz, a ZIP archive of those.
/// Bools, whole numbers and floats, in either order of bytes and of axes; objects, which are pickled, are refused.
/// Reading is strict: every byte of a .npy is accounted for, and every CRC of a .npz is verified. Writing is
/// deterministic: little-endian, row-major, not compressed, and without the time. Written here because no package is
/// known that reads them so strictly; the ZIP archive is the runtime's.
/// </summary>
public static class NumpyFile
{
    private const string Extension = ".npy";

    // How many bytes one byte can stand for in Deflate (RFC 1951): a match of 258 bytes, the longest, takes a code for
    // its length and one for its distance, each of one bit at least; so one byte holds four.
    private const long MostExpansion = 4 * 258;

    /// <summary>Reads a .npy file.</summary>
    /// <returns>The array, under the file's name without extension.</returns>
    /// <exception cref="InvalidDataException">The file is not a well-formed .npy file; the message says where and
    /// what.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static NamedArray Read(string path) => ReadableFile.Read(path, stream =>
        Read(path, Path.GetFileNameWithoutExtension(path), stream, stream.Length));

    /// <summary>Writes a .npy file. It is replaced in one step, or not at all.</summary>
    /// <exception cref="ArgumentException">The values are not the shape's in number or of a type that files do not
    /// hold.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, Shape shape, Array values)
    {
        NamedArray array = new("array", shape, values);
        NamedArray.Check([array]);
        AtomicFile.Write(path, stream => Write(stream, array));
    }

    /// <summary>Reads a .npz file: the arrays in its order, under their names in it without <c>.npy</c>.</summary>
    /// <exception cref="InvalidDataException">The file is not a well-formed .npz file; the message says where and
    /// what.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<NamedArray> ReadArchive(string path) => ReadableFile.Read(path, stream =>
    {
        using var archive = Guard(() => new ZipArchive(stream, ZipArchiveMode.Read));
        var entries = Guard(() => archive.Entries);
        if (entries.Sum(entry => (decimal)entry.CompressedLength) > stream.Length)
            throw Refused("its entries together are longer than the file: they overlap.");
        var names = new HashSet<string>();
        var arrays = new List<NamedArray>();
        foreach (var entry in entries)
        {
            var name = entry.FullName.EndsWith(Extension, StringComparison.Ordinal)
                ? entry.FullName[..^Extension.Length]
                : throw Refused($"the entry '{NamedArray.Show(entry.FullName)}' is not a {Extension} file.");
            var shown = NamedArray.Show(name);
            if (!NamedArray.IsName(name)) throw Refused($"the name '{shown}' is empty or holds control characters.");
            if (!names.Add(name)) throw Refused($"the name '{shown}' is there twice.");
            if (entry.IsEncrypted) throw Refused($"the entry '{shown}' is encrypted.");
            if (entry.Length / MostExpansion > entry.CompressedLength)
                throw Refused($"the entry '{shown}' of {entry.CompressedLength} bytes is said to hold {entry.Length}, "
                    + "more than it can.");
            arrays.Add(Guard(() => ReadEntry(entry, name)));
        }
        return arrays;

        NamedArray ReadEntry(ZipArchiveEntry entry, string name)
        {
            using var content = entry.Open();
            var sum = 0u;
            var array = Read($"{path}, {NamedArray.Show(entry.FullName)}", name, content, entry.Length, bytes =>
                sum = Crc32.Of(bytes, sum));
            if (content.ReadByte() >= 0) throw Refused($"the entry '{NamedArray.Show(name)}' is longer than it says.");
            if (sum != entry.Crc32)
                throw Refused($"the entry '{NamedArray.Show(name)}' has not the CRC that was written with it: its "
                    + "bytes were changed since.");
            return array;
        }

        // What the library throws for an archive that breaks the rules, some of it undocumented.
        T Guard<T>(Func<T> read)
        {
            try
            {
                return read();
            }
            catch (Exception error) when (error is EndOfStreamException or ArgumentException or NotSupportedException
                || (error is InvalidDataException && !error.Message.StartsWith(path, StringComparison.Ordinal)))
            {
                throw Refused(error.Message);
            }
        }

        InvalidDataException Refused(string what) =>
            new($"{path}: {what} The file is damaged, cut short, or not a .npz archive: fetch it again, "
            + "or save it again with the program that made it.");
    });

    /// <summary>Writes a .npz file in the given order. It is replaced in one step, or not at all.</summary>
    /// <exception cref="ArgumentException">A name is empty, not text, there twice or leads out of a folder; or the
    /// values are not the shape's in number or of a type that files do not hold.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void WriteArchive(string path, IReadOnlyList<NamedArray> arrays)
    {
        NamedArray.Check(arrays);
        // Whoever unpacks the archive into a folder would write beside it.
        if (arrays.FirstOrDefault(array =>
            array.Name.Split('/', '\\').Any(part => part is "" or "." or "..")) is { } outside)
            throw new ArgumentException($"'{NamedArray.Show(outside.Name)}' cannot name a file in an archive.");
        AtomicFile.Write(path, stream =>
        {
            using var archive = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true);
            foreach (var array in arrays)
            {
                var entry = archive.CreateEntry(array.Name + Extension, CompressionLevel.NoCompression);
                // the first that a ZIP archive can hold
                entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
                using var content = entry.Open();
                Write(content, array);
            }
        });
    }

    private static NamedArray Read(string where, string name, Stream stream, long length,
        Action<ReadOnlySpan<byte>>? seen = null)
    {
        var header = NumpyHeader.Read(where, stream, length, seen);
        var values = Numbers.NewArray(header.Type, header.Shape.Count);
        var wrong = Numbers.Read(values, stream, header.IsLittleEndian, seen);
        if (wrong >= 0) throw NumpyText.Broken(where, header.Length + wrong, "a bool is neither 0 nor 1.");
        return new NamedArray(name, header.Shape, header.IsFortranOrder ? RowMajor(values, header.Shape) : values);
    }

    private static void Write(Stream stream, NamedArray array)
    {
        stream.Write(NumpyHeader.Write(array.Shape, array.Values.GetType().GetElementType()!));
        Numbers.Write(array.Values, stream.Write);
    }

    // Numbers whose first axis is the fastest, in the order in which the last one is.
    private static Array RowMajor(Array values, Shape shape)
    {
        var result = Numbers.NewArray(values.GetType().GetElementType()!, values.Length);
        var index = new int[shape.Rank];
        for (var target = 0; target < result.Length; target++)
        {
            var source = 0;
            for (var axis = shape.Rank - 1; axis >= 0; axis--) source = source * shape[axis] + index[axis];
            Array.Copy(values, source, result, target, 1);
            for (var axis = shape.Rank - 1; axis >= 0 && ++index[axis] == shape[axis]; axis--) index[axis] = 0;
        }
        return result;
    }
}
