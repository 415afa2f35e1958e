using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tapegrad.Layers.Files;

/// <summary>
/// Numbers as bytes and back: in pieces, because a span of bytes ends at 2 GiB and an array of double does not.
/// </summary>
internal static class Numbers
{
    private const int PieceBytes = 1 << 18;   // a multiple of the size of every type

    /// <summary>The number of bytes of one element; 0 for an array that no file holds.</summary>
    public static int SizeOf(Array values) => Known.GetValueOrDefault(values.GetType()).Size;

    /// <summary>An array of one of the types that files hold, by the type of its elements.</summary>
    public static Array NewArray(Type element, int count) => Creators[element](count);

    // By exact type: to a pattern an array of an enumeration is one of its numbers.
    private static readonly Dictionary<Type, (int Size, Func<int, Array> Create)> Known = new()
    {
        [typeof(bool[])] = (1, count => new bool[count]),
        [typeof(byte[])] = (1, count => new byte[count]),
        [typeof(sbyte[])] = (1, count => new sbyte[count]),
        [typeof(ushort[])] = (2, count => new ushort[count]),
        [typeof(short[])] = (2, count => new short[count]),
        [typeof(Half[])] = (2, count => new Half[count]),
        [typeof(uint[])] = (4, count => new uint[count]),
        [typeof(int[])] = (4, count => new int[count]),
        [typeof(float[])] = (4, count => new float[count]),
        [typeof(ulong[])] = (8, count => new ulong[count]),
        [typeof(long[])] = (8, count => new long[count]),
        [typeof(double[])] = (8, count => new double[count]),
    };

    // Array.CreateInstance would need the compiler while the program runs, which one that was compiled ahead of time
    // has not.
    private static readonly Dictionary<Type, Func<int, Array>> Creators =
        Known.ToDictionary(pair => pair.Key.GetElementType()!, pair => pair.Value.Create);

    /// <summary>Fills an array from a stream.</summary>
    /// <param name="values">Of a type that files hold.</param>
    /// <param name="stream">Where its bytes follow.</param>
    /// <param name="littleEndian">The order of the bytes of one number there.</param>
    /// <param name="seen">Is shown the bytes as they stand in the stream.</param>
    /// <returns>The index of the first bool that is neither 0 nor 1 (the others are then undefined); otherwise
    /// -1.</returns>
    /// <exception cref="EndOfStreamException">The stream ends too early.</exception>
    public static int Read(Array values, Stream stream, bool littleEndian = true,
        Action<ReadOnlySpan<byte>>? seen = null)
    {
        var size = SizeOf(values);
        for (var start = 0L; start < values.Length; start += PieceBytes / size)
        {
            var piece = Piece(values, (int)start, size);
            stream.ReadExactly(piece);
            seen?.Invoke(piece);
            if (littleEndian != BitConverter.IsLittleEndian) ReverseBytes(piece, size);
            if (values is not bool[] || piece.IndexOfAnyExcept<byte>(0, 1) is not (>= 0 and var at)) continue;
            piece.Clear();   // no other bit pattern is a bool
            return (int)start + at;
        }
        return -1;
    }

    /// <summary>Shows the bytes of an array, little-endian, piece by piece.</summary>
    public static void Write(Array values, Action<ReadOnlySpan<byte>> target)
    {
        var size = SizeOf(values);
        var reversed = BitConverter.IsLittleEndian ? [] : new byte[PieceBytes];
        for (var start = 0L; start < values.Length; start += PieceBytes / size)
        {
            var piece = Piece(values, (int)start, size);
            if (!BitConverter.IsLittleEndian)
            {
                piece.CopyTo(reversed);
                piece = reversed.AsSpan(0, piece.Length);
                ReverseBytes(piece, size);
            }
            target(piece);
        }
    }

    /// <summary>
    /// The numbers in another type, rounded or cut as a cast would; the same array where it has that type.
    /// </summary>
    public static T[] Convert<T>(Array values) where T : INumberBase<T>
    {
        // By exact type: to the runtime an int[] is a uint[] too.
        if (values.GetType() == typeof(T[])) return (T[])values;
        if (values is bool[] flags) return Array.ConvertAll(flags, flag => flag ? T.One : T.Zero);
        return Type.GetTypeCode(values.GetType().GetElementType()) switch
        {
            TypeCode.Byte => From<byte>(),
            TypeCode.SByte => From<sbyte>(),
            TypeCode.UInt16 => From<ushort>(),
            TypeCode.Int16 => From<short>(),
            TypeCode.UInt32 => From<uint>(),
            TypeCode.Int32 => From<int>(),
            TypeCode.UInt64 => From<ulong>(),
            TypeCode.Int64 => From<long>(),
            TypeCode.Single => From<float>(),
            TypeCode.Double => From<double>(),
            _ => From<Half>(),
        };

        T[] From<TFrom>() where TFrom : INumberBase<TFrom> => Array.ConvertAll((TFrom[])values, T.CreateTruncating);
    }

    private static Span<byte> Piece(Array values, int start, int size)
    {
        var count = Math.Min(values.Length - start, PieceBytes / size);
        return MemoryMarshal.CreateSpan(ref Unsafe.AddByteOffset(ref MemoryMarshal.GetArrayDataReference(values),
            (nint)start * size), count * size);
    }

    private static void ReverseBytes(Span<byte> bytes, int size)
    {
        for (; !bytes.IsEmpty; bytes = bytes[size..]) bytes[..size].Reverse();
    }
}
