using System.Runtime.Intrinsics;
using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;
using static Tapegrad.Laws.Formulas;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The three kinds of numbers against Math, and the lanes of a vector against single floats, bit by bit, special values
/// included.
/// </summary>
public class RealTests
{
    // What each formula means, in Math's words. The value that it has in float may differ from this by rounding only.
    public static TheoryData<string> Maps => [.. MapTable.Keys];

    public static TheoryData<string> Zips => [.. ZipTable.Keys];

    private static readonly Dictionary<string, (IMap Map, Func<double, double> Meaning, Func<float, float> InFloat)> MapTable = new()
    {
        ["negate"] = (new Negated(), x => -x, x => -x),
        ["abs"] = (new Magnitude(), Math.Abs, MathF.Abs),
        ["sqrt"] = (new Root(), Math.Sqrt, MathF.Sqrt),
        ["exp"] = (new Exponential(), Math.Exp, x => Real32.Exp(new(x)).Value),
        ["log"] = (new Logarithm(), Math.Log, x => Real32.Log(new(x)).Value),
        ["tanh"] = (new Tangent(), Math.Tanh, x => Real32.Tanh(new(x)).Value),
        ["erf"] = (new Error(), x => Real64.Erf(new(x)).Value, x => Real32.Erf(new(x)).Value),
        ["3 x + 1"] = (new Line(3, 1), x => Math.FusedMultiplyAdd(3, x, 1) + 0, x =>
            MathF.FusedMultiplyAdd(3, x, 1) + 0),
    };

    private static readonly Dictionary<string, (IZip Zip, Func<double, double, double> Meaning, Func<float, float, float> InFloat)> ZipTable = new()
    {
        ["add"] = (new Sum(), (a, b) => a + b, (a, b) => a + b),
        ["subtract"] = (new Difference(), (a, b) => a - b, (a, b) => a - b),
        ["multiply"] = (new Product(), (a, b) => a * b, (a, b) => a * b),
        ["divide"] = (new Quotient(), (a, b) => a / b, (a, b) => a / b),
        ["max"] = (new Larger(), Math.Max, MathF.Max),
        ["pow"] = (new Power(), Math.Pow, MathF.Pow),
        ["greater"] = (new IsGreater(), (a, b) => a > b ? 1 : 0, (a, b) => a > b ? 1 : 0),
        ["greater or equal"] = (new IsGreaterOrEqual(), (a, b) => a >= b ? 1 : 0, (a, b) => a >= b ? 1 : 0),
        ["equal"] = (new IsEqual(), (a, b) => a == b ? 1 : 0, (a, b) => a == b ? 1 : 0),
        ["select"] = (new Choice(), (a, b) => a != 0 ? b : 7, (a, b) => a != 0 ? b : 7),
        ["fused multiply-add"] = (new Fused(), (a, b) => Math.FusedMultiplyAdd(a, b, a), (a, b) =>
            MathF.FusedMultiplyAdd(a, b, a)),
    };

    // Special values and ordinary ones.
    private static readonly float[] Values = [.. Numbers.Special, .. Numbers.Random(40, seed: 1).Select(x => (float)x)];

    [Theory]
    [MemberData(nameof(Maps))]
    public void AMapMeansWhatMathSays(string name)
    {
        var (map, meaning, inFloat) = MapTable[name];
        foreach (var x in Values)
        {
            Assert.Equal(meaning(x), map.Apply(new Real64(x)).Value);
            Assert.Equal(inFloat(x), map.Apply(new Real32(x)).Value);
            MapsLanes<Real32x8>(map, x, inFloat, name);
            MapsLanes<Real32x16>(map, x, inFloat, name);
        }
    }

    private static void MapsLanes<TLanes>(IMap map, float x, Func<float, float> inFloat, string name)
        where TLanes : struct, ILanes<TLanes>
    {
        for (var lane = 0; lane < TLanes.Count; lane++)
        {
            // The other lanes hold something else, so that a formula that mixes lanes shows.
            var lanes = map.Apply(With<TLanes>(0.75f, lane, x));
            AssertSameBits(inFloat(x), lanes[lane], $"{name} of {x}, lane {lane}");
            AssertSameBits(inFloat(0.75f), lanes[(lane + 1) % TLanes.Count], $"{name} beside {x}");
        }
    }

    // Equal numbers but for one.
    private static unsafe TLanes With<TLanes>(float others, int lane, float one) where TLanes : struct, ILanes<TLanes>
    {
        var numbers = stackalloc float[TLanes.Count];
        new Span<float>(numbers, TLanes.Count).Fill(others);
        numbers[lane] = one;
        return TLanes.Load(numbers);
    }

    [Theory]
    [MemberData(nameof(Zips))]
    public void AZipMeansWhatMathSays(string name)
    {
        var (zip, meaning, inFloat) = ZipTable[name];
        foreach (var a in Values)
            foreach (var b in Values)
            {
                Assert.Equal(meaning(a, b), zip.Apply(new Real64(a), new Real64(b)).Value);
                Assert.Equal(inFloat(a, b), zip.Apply(new Real32(a), new Real32(b)).Value);
                ZipsLanes<Real32x8>(zip, a, b, inFloat, name);
                ZipsLanes<Real32x16>(zip, a, b, inFloat, name);
            }
    }

    private static void ZipsLanes<TLanes>(IZip zip, float a, float b, Func<float, float, float> inFloat, string name)
        where TLanes : struct, ILanes<TLanes>
    {
        var place = TLanes.Count - 5;
        var lanes = zip.Apply(With<TLanes>(0.75f, place, a), With<TLanes>(0.5f, place, b));
        AssertSameBits(inFloat(a, b), lanes[place], $"{name} of {a} and {b}");
        AssertSameBits(inFloat(0.75f, 0.5f), lanes[place + 1], $"{name} beside {a} and {b}");
    }

    [Fact]
    public void ConstantsAreRoundedToTheNearest()
    {
        Assert.Equal(0.1, Real64.Of(0.1).Value);
        Assert.Equal(0.1f, Real32.Of(0.1).Value);
        Assert.Equal(Vector256.Create(0.1f), Real32x8.Of(0.1).Value);
        Assert.Equal(Vector512.Create(0.1f), Real32x16.Of(0.1).Value);
        Assert.Equal((0.0, 1.0), (Zero<Real64>().Value, One<Real64>().Value));
        Assert.Equal((Vector256<float>.Zero, Vector256<float>.One), (Zero<Real32x8>().Value, One<Real32x8>().Value));
        Assert.Equal((Vector512<float>.Zero, Vector512<float>.One), (Zero<Real32x16>().Value, One<Real32x16>().Value));
    }

    [Fact]
    public void MaxPrefersNaNAndThePositiveZero()
    {
        Assert.True(double.IsNaN(Real64.Max(new(double.NaN), new(1)).Value));
        Assert.True(double.IsNaN(Real64.Max(new(1), new(double.NaN)).Value));
        Assert.True(double.IsPositive(Real64.Max(new(-0.0), new(0.0)).Value));
        Assert.True(double.IsPositive(Real64.Max(new(0.0), new(-0.0)).Value));
    }

    private static T Zero<T>() where T : struct, IReal<T> => T.Zero;

    private static T One<T>() where T : struct, IReal<T> => T.One;

    // Which of the many NaNs comes out is the processor's affair.
    private static void AssertSameBits(float expected, float actual, string what) => Assert.True(
        float.IsNaN(expected) && float.IsNaN(actual)
        || BitConverter.SingleToUInt32Bits(expected) == BitConverter.SingleToUInt32Bits(actual),
        $"{what}: {expected:R} expected, {actual:R} found");
}
