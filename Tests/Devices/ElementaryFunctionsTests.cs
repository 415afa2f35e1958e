using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;
using static Tapegrad.Laws.Formulas;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Exp, Log, Tanh and Erf of floats against <see cref="Math"/> in double, in units of the last place, over the whole
/// range of floats: every 1009th of the four thousand million, and all near the places where the formulas change.
/// </summary>
public class ElementaryFunctionsTests
{
    [Fact]
    public void Exp_is_off_by_little_more_than_one_unit() =>
        Check(new Exponential(), Math.Exp, 1.25,
            [0, 1, 88.7228f, 89, -87.3365f, -103.97f, -104, MathF.Log(2) / 2, -MathF.Log(2) / 2, 20.1f]);

    [Fact]
    public void Log_is_off_by_little_more_than_one_unit() =>
        Check(new Logarithm(), Math.Log, 1.25,
            [0, 1, MathF.Sqrt(0.5f), MathF.Sqrt(2), 2, 0.5f, 1.17549435e-38f, float.MaxValue]);

    [Fact]
    public void Tanh_is_off_by_three_units_at_most() =>
        Check(new Tangent(), Math.Tanh, 3.0, [0, 0.35f, -0.35f, 1, 9.01f, -9.01f, 44.5f, 52]);

    [Fact]
    public void Erf_is_off_by_two_and_a_half_units_at_most() =>
        Check(new Error(), x => Real64.Erf(new(x)).Value, 2.5, [0, 1, -1, 0.5f, 2, 3.9f, -3.9f, 4, 6]);

    // Values from tables, and the slope 2 / sqrt(pi) e^(-x^2) everywhere.
    [Fact]
    public void Erf_in_double_has_its_values_and_its_slope()
    {
        static double Erf(double x) => Real64.Erf(new(x)).Value;
        foreach (var (x, y) in (ReadOnlySpan<(double, double)>)[(0, 0), (0.5, 0.5204998778130465),
            (1, 0.8427007929497149), (2, 0.9953222650189527),
            (3, 0.9999779095030014), (4, 0.9999999845827421), (7, 1), (double.PositiveInfinity, 1),
            (1e-20, 1.1283791670955126e-20)])
        {
            Assert.Equal(y, Erf(x), 4e-16);
            Assert.Equal(-Erf(x), Erf(-x));
        }
        Assert.True(double.IsNaN(Erf(double.NaN)));
        const double h = 1e-3;
        for (var x = -6.5; x < 6.5; x += 0.0137)
        {
            // The central difference of the fourth order is off by about h^4 times the fifth derivative over 30.
            var slope = (8 * (Erf(x + h) - Erf(x - h)) - (Erf(x + 2 * h) - Erf(x - 2 * h))) / (12 * h);
            Assert.Equal(2 / Math.Sqrt(Math.PI) * Math.Exp(-x * x), slope, 1e-11);
        }
    }

    [Fact]
    public void Special_values_are_exact()
    {
        Assert.Equal([1, 1, float.PositiveInfinity, 0, float.NaN, float.PositiveInfinity, 0, float.Epsilon],
            All(new Exponential(), 0f, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1e30f,
                -1e30f, -103.2789f));
        Assert.Equal([float.NegativeInfinity, float.NegativeInfinity, 0, float.PositiveInfinity, float.NaN, float.NaN,
            float.NaN, float.NaN], All(new Logarithm(), 0f, -0f, 1f, float.PositiveInfinity,
            float.NegativeInfinity, float.NaN, -1e-45f, -5f));
        var tanh = All(new Tangent(), 0f, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 30,
            -30, float.Epsilon);
        Assert.Equal([0, -0f, 1, -1, float.NaN, 1, -1, float.Epsilon], tanh);
        Assert.True(float.IsNegative(tanh[1]));
        var erf = All(new Error(), 0f, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 5,
            -5, 1e-38f);
        Assert.Equal([0, -0f, 1, -1, float.NaN, 1, -1, 1.1283792e-38f], erf);
        Assert.True(float.IsNegative(erf[1]));
    }

    // With eight lanes, and with sixteen, which must have the same bits.
    private static unsafe float[] All<TMap>(TMap function, params float[] xs) where TMap : struct, IMap
    {
        float* numbers = stackalloc float[Real32x16.Count], wide = stackalloc float[Real32x16.Count];
        for (var lane = 0; lane < Real32x16.Count; lane++) numbers[lane] = xs[lane % Real32x8.Count];
        Real32x16.Store(function.Apply(Real32x16.Load(numbers)), wide);
        Real32x8.Store(function.Apply(Real32x8.Load(numbers)), numbers);
        float[] result = [.. new Span<float>(numbers, Real32x8.Count)];
        for (var lane = 0; lane < Real32x16.Count; lane += Real32x8.Count)
            KernelTesting.AssertSameBits(result, [.. new Span<float>(wide + lane, Real32x8.Count)], $"of {xs[0]:R}");
        return result;
    }

    private static void Check<TMap>(TMap function, Func<double, double> meaning, double units, float[] places)
        where TMap : struct, IMap
    {
        var xs = new float[Real32x8.Count];
        for (long bits = 0; bits < 1L << 32; bits += xs.Length * 1009)
        {
            for (var i = 0; i < xs.Length; i++) xs[i] = BitConverter.UInt32BitsToSingle((uint)(bits + i * 1009));
            Compare(xs);
        }
        foreach (var place in places)
            for (var step = -4096; step < 4096; step += xs.Length)
            {
                for (var i = 0; i < xs.Length; i++)
                    xs[i] = BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(place) + step + i);
                Compare(xs);
            }

        void Compare(float[] xs)
        {
            var actual = All(function, xs);
            for (var i = 0; i < xs.Length; i++)
            {
                var expected = meaning(xs[i]);
                if (double.IsNaN(expected) && float.IsNaN(actual[i]) || actual[i] == (float)expected) continue;
                var unit = Math.Max(Math.Pow(2, Math.Floor(Math.Log2(Math.Abs(expected))) - 23), float.Epsilon);
                if (!(Math.Abs(actual[i] - expected) <= units * unit))
                    Assert.Fail($"of {xs[i]:R}: {actual[i]:R}, not {expected:R}, {(actual[i] - expected) / unit:F2} "
                        + "units");
            }
        }
    }
}
