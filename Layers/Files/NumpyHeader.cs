using System.Buffers.Binary;
using System.Text;

namespace Tapegrad.Layers.Files;

/// <summary>
/// What stands before the numbers of a .npy file, read strictly.
/// <code>
/// bytes 0 .. 5     93 'N' 'U' 'M' 'P' 'Y'
/// bytes 6, 7       version: 1.0, 2.0 or 3.0
/// then             n, the length of the text: 2 bytes in version 1.0, otherwise 4; unsigned, little-endian
/// n bytes          {'descr': '&lt;f4', 'fortran_order': False, 'shape': (2, 3), }, spaces, a line feed
/// </code>
/// The text is written in Python's notation; here it is these three keys, each once, and nothing is evaluated. Source:
/// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
/// </summary>
/// <param name="Type">Of the elements.</param>
/// <param name="IsLittleEndian">The order of the bytes of a number.</param>
/// <param name="IsFortranOrder">Whether the first axis is the fastest, not the last.</param>
/// <param name="Shape">The lengths of the axes.</param>
/// <param name="Length">How many bytes stand before the numbers.</param>
internal sealed record NumpyHeader(Type Type, bool IsLittleEndian, bool IsFortranOrder, Shape Shape, int Length)
{
    private const int MaximumLength = 1 << 16;
    private static readonly byte[] Magic = [0x93, .. "NUMPY"u8];

    private static readonly Dictionary<string, Type> Types = new()
    {
        ["b1"] = typeof(bool),
        ["u1"] = typeof(byte),
        ["i1"] = typeof(sbyte),
        ["u2"] = typeof(ushort),
        ["i2"] = typeof(short),
        ["u4"] = typeof(uint),
        ["i4"] = typeof(int),
        ["u8"] = typeof(ulong),
        ["i8"] = typeof(long),
        ["f2"] = typeof(Half),
        ["f4"] = typeof(float),
        ["f8"] = typeof(double),
    };

    /// <summary>Reads the header, and checks that exactly its numbers follow.</summary>
    /// <param name="where">The file, for messages.</param>
    /// <param name="stream">Stands at its beginning.</param>
    /// <param name="length">Of the whole.</param>
    /// <param name="seen">Is shown every byte that was read.</param>
    /// <exception cref="InvalidDataException">It is malformed.</exception>
    public static NumpyHeader Read(string where, Stream stream, long length, Action<ReadOnlySpan<byte>>? seen = null)
    {
        var taken = 0;
        var start = Take(10);
        if (!start.AsSpan().StartsWith(Magic))
            throw NumpyText.Broken(where, 0, "the first bytes are not those of a .npy file.");
        var (major, minor) = (start[6], start[7]);
        if (major is < 1 or > 3 || minor != 0)
            throw NumpyText.Broken(where, 6, $"the version is {major}.{minor}; known are 1.0, 2.0 and 3.0.");
        long count = BinaryPrimitives.ReadUInt16LittleEndian(start.AsSpan(8));
        var before = 10;
        if (major > 1)
        {
            count |= (long)BinaryPrimitives.ReadUInt16LittleEndian(Take(2)) << 16;
            before = 12;
        }
        if (count > MaximumLength)
            throw NumpyText.Broken(where, 8,
                $"the header is said to have {count} bytes; at most {MaximumLength} are allowed.");
        var text = Take((int)count);
        var header = new NumpyText(where, text, before).Read();
        if (header.Shape.Count > Array.MaxLength)
            throw NumpyText.Broken(where, before,
                $"the array of shape {header.Shape} has {header.Shape.Count} numbers; {Array.MaxLength} are possible.");
        var needed = (long)header.Shape.Count * Numbers.SizeOf(Numbers.NewArray(header.Type, 0));
        if (length - header.Length != needed)
            throw NumpyText.Broken(where, header.Length,
                $"an array of {header.Type.Name} and shape {header.Shape} needs {needed} bytes, "
                + $"but {length - header.Length} follow.");
        return header;

        // Never more than the file holds.
        byte[] Take(int bytes)
        {
            if (bytes > length - taken)
                throw NumpyText.Broken(where, taken, $"the header goes on after the end, which is at byte {length}.");
            var result = new byte[bytes];
            stream.ReadExactly(result);
            seen?.Invoke(result);
            taken += bytes;
            return result;
        }
    }

    /// <summary>The bytes of a header of version 1.0, with which the numbers start at a multiple of 64.</summary>
    public static byte[] Write(Shape shape, Type type)
    {
        var code = Types.Single(known => known.Value == type).Key;
        var lengths = shape.Rank == 1 ? $"{shape[0]}," : string.Join(", ", shape.Dimensions.ToArray());
        var text = $"{{'descr': '{(code[1] == '1' ? '|' : '<')}{code}', 'fortran_order': False, 'shape': ({lengths}), "
            + $"}}";
        var length = (10 + text.Length + 1 + 63) / 64 * 64;
        var header = new byte[length];
        Magic.CopyTo(header, 0);
        header[6] = 1;
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), (ushort)(length - 10));
        Encoding.ASCII.GetBytes(text.PadRight(length - 11) + '\n').CopyTo(header, 10);
        return header;
    }

    /// <summary>The type that a name such as f4 stands for.</summary>
    public static bool IsType(string code, out Type type) => Types.TryGetValue(code, out type!);
}
