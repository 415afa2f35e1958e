using Tapegrad.Devices;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>Numbers in and out of a device's buffers, and the comparison of two devices.</summary>
internal static class Numbers
{
    /// <summary>Machine epsilon of float, 2^-23.</summary>
    public const double Eps = 1.1920928955078125e-7;

    /// <summary>
    /// Values that a careless kernel treats wrongly: signed zeros, infinities, NaN, subnormals, the ends of the range.
    /// </summary>
    public static readonly float[] Special =
    [
        0f, -0f, 1f, -1f, 0.5f, -2f, 3f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, float.Epsilon,
        -float.Epsilon, 1e-38f, float.MaxValue, float.MinValue, 88f, 89f, -104f, 20f, 1e-5f, -1e-5f,
    ];

    /// <summary>
    /// Numbers from about -3 to 3 that are exact in float, so that both devices start from the same ones.
    /// </summary>
    public static double[] Random(int count, long seed)
    {
        var random = new RandomSource(seed);
        var result = new double[count];
        for (var i = 0; i < count; i++) result[i] = (float)random.Normal(i);
        return result;
    }

    /// <summary>A buffer of the device with these numbers.</summary>
    public static Buffer Make(this Device device, ReadOnlySpan<double> values)
    {
        var buffer = device.Pool.CreateUnpooled(values.Length);
        device.Write(values, buffer);
        return buffer;
    }

    /// <summary>A buffer whose every element is NaN: whatever a verb does not write shows.</summary>
    public static Buffer MakeUnwritten(this Device device, int length)
    {
        var buffer = device.Pool.CreateUnpooled(length);
        device.Fill(buffer, double.NaN);
        return buffer;
    }

    /// <summary>The numbers of a buffer.</summary>
    public static double[] Read(this Device device, Buffer buffer)
    {
        var result = new double[buffer.Length];
        device.Read(buffer, result);
        return result;
    }

    /// <summary>The bits of a CPU buffer.</summary>
    public static uint[] Bits(Buffer buffer)
    {
        var result = new float[buffer.Length];
        Device.Cpu.Read(buffer, result);
        return Array.ConvertAll(result, BitConverter.SingleToUInt32Bits);
    }

    /// <summary>
    /// Runs a verb on both devices and compares: |cpu - reference| at most <paramref name="tolerance"/>(i), equal
    /// infinities, NaN with NaN.
    /// </summary>
    public static void Compare(Func<Device, double[]> verb, Func<int, double> tolerance, string what)
    {
        var (expected, actual) = (verb(Device.Reference), verb(Device.Cpu));
        Assert.True(expected.Length == actual.Length, what);
        for (var i = 0; i < expected.Length; i++)
        {
            var same = expected[i].Equals(actual[i]) || Math.Abs(expected[i] - actual[i]) <= tolerance(i)
                || expected[i] == actual[i];
            Assert.True(same,
                $"{what}, element {i}: the reference has {expected[i]:R}, the CPU {actual[i]:R}, tolerance "
                    + $"{tolerance(i):R}");
        }
    }

    /// <inheritdoc cref="Compare(Func{Device, double[]}, Func{int, double}, string)"/>
    public static void Compare(Func<Device, double[]> verb, double tolerance, string what) =>
        Compare(verb, _ => tolerance, what);
}
