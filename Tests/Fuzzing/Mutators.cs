using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>Makes another file of a file, by chance. The input stays as it is.</summary>
internal delegate byte[] Mutator(byte[] input, Random random);

/// <summary>
/// Damages that concern every format. Places are drawn from the whole file and, as often, from its first and its last
/// 128 bytes, where formats keep what their readers must not believe.
/// </summary>
internal static class Mutators
{
    private const int LongestPiece = 256, Edge = 128;

    // Where counts, sizes and offsets break: the ends of each type, and their neighbours.
    private static readonly long[] Interesting =
    [
        0, 1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 63, 64, 100, 127, 128, 255, 256, 1000, 4096, 32767, 32768, 65535, 65536,
        1_000_000, 16_777_216, 1 << 30, int.MaxValue - 1, int.MaxValue, 1L << 31, uint.MaxValue, 1L << 32, 1L << 40,
        1L << 62, long.MaxValue - 7, long.MaxValue, -1, -2, -128, -129, -32768, -32769, int.MinValue, int.MinValue - 1L,
        long.MinValue,
    ];

    /// <summary>All of them; <paramref name="valid"/> are the files that are spliced.</summary>
    public static Mutator[] Common(IReadOnlyList<byte[]> valid) =>
    [
        FlipBit, SetByte, SetNumber, AddToNumber, ChangeDecimal, CutOff, InsertNoise, DuplicatePiece, MovePiece,
        DeletePiece, FillPiece,
        (input, random) => Splice(input, valid[random.Next(valid.Count)], random),
    ];

    /// <summary>A whole number at which readers break.</summary>
    public static long InterestingNumber(Random random) => Interesting[random.Next(Interesting.Length)];

    /// <summary>A piece of an array replaced by another, of any length.</summary>
    public static byte[] Replace(byte[] input, Range piece, ReadOnlySpan<byte> by)
    {
        var (start, length) = piece.GetOffsetAndLength(input.Length);
        return [.. input.AsSpan(0, start), .. by, .. input.AsSpan(start + length)];
    }

    private static byte[] FlipBit(byte[] input, Random random)
    {
        if (input.Length == 0) return input;
        var at = Place(input.Length, random);
        return Replace(input, at..(at + 1), [(byte)(input[at] ^ (1 << random.Next(8)))]);
    }

    private static byte[] SetByte(byte[] input, Random random)
    {
        if (input.Length == 0) return input;
        var at = Place(input.Length, random);
        return Replace(input, at..(at + 1), [(byte)random.Next(256)]);
    }

    private static byte[] SetNumber(byte[] input, Random random)
    {
        var number = random.Next(4) == 0 ? input.Length + random.Next(-2, 3) : InterestingNumber(random);
        return ChangeNumber(input, random, _ => number);
    }

    private static byte[] AddToNumber(byte[] input, Random random)
    {
        var amount = random.Next(-16, 17);
        return ChangeNumber(input, random, number => number + amount);
    }

    // 1, 2, 4 or 8 bytes, in either order.
    private static byte[] ChangeNumber(byte[] input, Random random, Func<long, long> change)
    {
        var size = 1 << random.Next(4);
        if (input.Length < size) return input;
        var at = Place(input.Length - size + 1, random);
        var bytes = new byte[8];
        input.AsSpan(at, size).CopyTo(bytes);
        var bigEndian = random.Next(2) == 0;
        if (bigEndian) bytes.AsSpan(0, size).Reverse();
        BinaryPrimitives.WriteInt64LittleEndian(bytes, change(BinaryPrimitives.ReadInt64LittleEndian(bytes)));
        if (bigEndian) bytes.AsSpan(0, size).Reverse();
        return Replace(input, at..(at + size), bytes.AsSpan(0, size));
    }

    // A number that is written in digits.
    private static byte[] ChangeDecimal(byte[] input, Random random)
    {
        if (input.Length == 0) return input;
        var from = Place(input.Length, random);
        var found = input.AsSpan(from).IndexOfAnyInRange((byte)'0', (byte)'9');
        if (found < 0) return input;
        var start = from + found;
        var length = input.AsSpan(start).IndexOfAnyExceptInRange((byte)'0', (byte)'9') is var end and >= 0 ? end
            : input.Length - start;
        return Replace(input, start..(start + length),
            Encoding.ASCII.GetBytes(InterestingNumber(random).ToString(CultureInfo.InvariantCulture)));
    }

    private static byte[] CutOff(byte[] input, Random random) => input[..random.Next(input.Length + 1)];

    private static byte[] InsertNoise(byte[] input, Random random)
    {
        var noise = new byte[random.Next(1, 17)];
        random.NextBytes(noise);
        var at = Place(input.Length + 1, random);
        return Replace(input, at..at, noise);
    }

    private static byte[] DuplicatePiece(byte[] input, Random random)
    {
        var piece = Piece(input.Length, random);
        return Replace(input, piece.End..piece.End, input[piece]);
    }

    private static byte[] MovePiece(byte[] input, Random random)
    {
        var piece = Piece(input.Length, random);
        var rest = Replace(input, piece, []);
        var at = Place(rest.Length + 1, random);
        return Replace(rest, at..at, input[piece]);
    }

    private static byte[] DeletePiece(byte[] input, Random random) => Replace(input, Piece(input.Length, random), []);

    private static byte[] FillPiece(byte[] input, Random random)
    {
        var piece = Piece(input.Length, random);
        var filled = new byte[input[piece].Length];
        Array.Fill(filled, (byte)(random.Next(3) switch { 0 => 0, 1 => 255, _ => random.Next(256) }));
        return Replace(input, piece, filled);
    }

    // The beginning of one, the end of another.
    private static byte[] Splice(byte[] first, byte[] second, Random random) =>
        [.. first.AsSpan(0, Place(first.Length + 1, random)), .. second.AsSpan(Place(second.Length + 1, random))];

    private static int Place(int length, Random random) => random.Next(3) switch
    {
        0 => random.Next(length),
        1 => random.Next(Math.Min(length, Edge)),
        _ => length - 1 - random.Next(Math.Min(length, Edge)),
    };

    private static Range Piece(int length, Random random)
    {
        var start = Place(length + 1, random);
        return start..Math.Min(length, start + random.Next(1, LongestPiece + 1));
    }
}
