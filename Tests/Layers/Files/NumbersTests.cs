using System.Runtime.InteropServices;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>Numbers as bytes and back, in either order of bytes, for every type that files hold.</summary>
public sealed class NumbersTests
{
    internal static readonly Type[] Types = [typeof(bool), typeof(byte), typeof(sbyte), typeof(ushort), typeof(short),
        typeof(uint), typeof(int), typeof(ulong), typeof(long), typeof(Half), typeof(float), typeof(double)];

    /// <summary>Numbers of any bits: infinities, NaN and the ends of each type among them.</summary>
    internal static Array AnyBits(Type type, int count, Random random)
    {
        var values = Array.CreateInstance(type, count);
        var bytes = MemoryMarshal.CreateSpan(ref MemoryMarshal.GetArrayDataReference(values),
            count * Numbers.SizeOf(values));
        random.NextBytes(bytes);
        if (type == typeof(bool))
            foreach (ref var value in bytes) value &= 1;
        return values;
    }

    internal static byte[] Bytes(Array values)
    {
        var bytes = new List<byte>();
        Numbers.Write(values, piece => bytes.AddRange(piece));
        return [.. bytes];
    }

    public static TheoryData<Type> AllTypes => [.. Types];

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void BytesAreReadInEitherOrder(Type type)
    {
        foreach (var count in (int[])[0, 1, 7, 150_001])   // the last one in several pieces
        {
            var values = AnyBits(type, count, new Random(count));
            var (bytes, size) = (Bytes(values), Numbers.SizeOf(values));
            Assert.Equal(count * size, bytes.Length);
            var (same, turned) = (Array.CreateInstance(type, count), Array.CreateInstance(type, count));
            var seen = new List<byte>();
            Assert.Equal(-1, Numbers.Read(same, new MemoryStream(bytes), seen: piece => seen.AddRange(piece)));
            byte[] bigEndian = [.. bytes.Chunk(size).SelectMany(number => number.Reverse())];
            Assert.Equal(-1, Numbers.Read(turned, new MemoryStream(bigEndian), littleEndian: false));
            Assert.Equal(bytes, Bytes(same));
            Assert.Equal(bytes, Bytes(turned));
            Assert.Equal(bytes, seen);
            if (count > 0) Assert.Throws<EndOfStreamException>(() => Numbers.Read(same, new MemoryStream(bytes[..^1])));
        }
    }

    [Theory]
    [MemberData(nameof(AllTypes))]
    public void NumbersAreConvertedAsByACast(Type type)
    {
        var values = AnyBits(type, 200, new Random(5));
        var expected = values.Cast<object>()
            .Select(value => value is Half half ? (double)half : Convert.ToDouble(value)).ToArray();
        Assert.Equal(expected, Numbers.Convert<double>(values));
        Assert.Equal(expected.Select(value => (float)value), Numbers.Convert<float>(values));
        if (type == typeof(float)) Assert.Same(values, Numbers.Convert<float>(values));
    }

    [Fact]
    public void TheFirstByteThatIsNoBoolIsFound()
    {
        var bytes = new byte[300_000];
        bytes[270_000] = 2;
        bytes[280_000] = 3;
        Assert.Equal(270_000, Numbers.Read(new bool[300_000], new MemoryStream(bytes)));
        Assert.Equal(-1, Numbers.Read(new bool[1000], new MemoryStream(bytes)));
    }
}
