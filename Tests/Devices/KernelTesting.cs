using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// What the tests of the CPU's kernels share: buffers whose surroundings are poisoned, and comparisons of bits.
/// </summary>
internal static unsafe class KernelTesting
{
    private const int Padding = 32;   // elements behind a buffer that a kernel may read

    /// <summary>The CPU's devices with vectors of every width, whatever the processor has.</summary>
    public static CpuDevice[] Widths() => [new VectorDevice<Real32x8>(), new VectorDevice<Real32x16>()];

    /// <summary>Normal numbers, the same for the same seed.</summary>
    public static float[] Normal(int length, int seed)
    {
        var random = new RandomSource(seed);
        return [.. Enumerable.Range(0, length).Select(i => (float)random.Normal(i))];
    }

    /// <summary>
    /// A buffer with these numbers, and NaN in the padding behind them: whoever lets the padding into a result shows.
    /// </summary>
    public static Buffer Filled(float[] values) => Filled(values, float.NaN);

    /// <summary>The same with a number of one's choice in the padding.</summary>
    public static Buffer Filled(float[] values, float padding)
    {
        var buffer = new HostBuffer<float>(values.Length);
        for (var i = 0; i < Padding; i++) buffer.Pointer[values.Length + i] = padding;
        values.CopyTo(buffer.Span);
        return buffer;
    }

    /// <summary>A device whose rented buffers are full of NaN: what lay there before helps nobody.</summary>
    public static CpuDevice Poisoned(bool usesWinograd = true)
    {
        var device = CpuDevice.Create();
        device.UsesWinograd = usesWinograd;
        device.Pool.Renting = buffer => ((HostBuffer<float>)buffer).Span.Fill(float.NaN);
        return device;
    }

    /// <summary>
    /// What a kernel writes into a buffer that was full of NaN, as was this thread's scratch. It must write nothing
    /// behind it, but for so many elements of padding. It runs twice: at first, scratch may be new memory, which is 0.
    /// </summary>
    public static float[] Result(int length, Action<Buffer> compute, int padding = 0)
    {
        compute(Filled([.. Enumerable.Repeat(float.NaN, length)]));
        Scratch<float>.Piece.Fill(float.NaN);
        Scratch<double>.Piece.Fill(double.NaN);
        var buffer = (HostBuffer<float>)Filled([.. Enumerable.Repeat(float.NaN, length)]);
        compute(buffer);
        for (var i = padding; i < Padding; i++)
            Assert.True(float.IsNaN(buffer.Pointer[length + i]), $"element {i} behind the result was written");
        return buffer.Span.ToArray();
    }

    /// <summary>Equal bit by bit; of two NaNs nothing more is asked.</summary>
    public static void AssertSameBits(float[] expected, float[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var isSame = BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i]);
            if (isSame || float.IsNaN(expected[i]) && float.IsNaN(actual[i])) continue;
            Assert.Fail($"{what}: element {i} is {actual[i]:R}, not {expected[i]:R}");
        }
    }
}
