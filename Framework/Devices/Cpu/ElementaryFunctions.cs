using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// e^x, the natural logarithm, the hyperbolic tangent and the error function of eight floats at once: each argument is
/// brought near 0 or 1, exactly, and there a few terms of the function's series are enough. Off by at most 1.25 units
/// in the last place (erf: 2.5, tanh: 3).
/// </summary>
/// <remarks>
/// Sums, products and fused multiply-adds are exactly rounded everywhere, so the bits are the same on any processor and
/// any operating system, which those of the system's own library are not. (Argument reduction: Cody and Waite, 1980;
/// the logarithm's rearrangement: fdlibm, 1993.)
/// </remarks>
internal static class ElementaryFunctions
{
    // ln 2 in two parts: an integer of up to nine bits times the first has no rounding error.
    private const float Ln2High = 0.693359375f, Ln2Low = -2.12194440054690583e-4f;
    private const float LeastNormal = 1.17549435e-38f;
    private const int MantissaBits = 23, Bias = 127;

    /// <summary>
    /// x = n ln 2 + r with |r| at most ln 2 / 2, so e^x = 2^n e^r, and e^r = 1 + r + r^2/2! + .. + r^7/7!; the next
    /// term is below 2^-27.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Exp(Vector256<float> x)
    {
        // further out all is 0 or infinite
        x = Vector256.Max(Vector256.Min(x, Vector256.Create(89f)), Vector256.Create(-104f));
        var n = Vector256.Round(x * (float)(1 / Math.Log(2)));
        var r = Fused(n, -Ln2High, x);
        r = Fused(n, -Ln2Low, r);
        var tail = Series(r, [1 / 5040f, 1 / 720f, 1 / 120f, 1 / 24f, 1 / 6f, 1 / 2f]);
        var power = Vector256.FusedMultiplyAdd(r * r, tail, r) + Vector256.Create(1f);
        // 2^n in two steps: each is an ordinary number, and where e^x is not, the last product rounds, once.
        var whole = Vector256.ConvertToInt32(n);
        var half = whole >> 1;
        return power * PowerOfTwo(half) * PowerOfTwo(whole - half);
    }

    /// <summary>
    /// x = 2^n m with m from sqrt(1/2) to sqrt(2), so log x = n ln 2 + log m. With f = m - 1 and s = f / (2 + f),
    /// log m = 2 artanh s = 2 (s + s^3/3 + .. + s^11/11) = f - (f^2/2 - s (f^2/2 + s^2 (2/3 + .. + 2 s^8/11))), where
    /// the largest part, f, is exact.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Log(Vector256<float> x)
    {
        // Subnormal numbers have no exponent of their own until they are multiplied.
        var isTiny = Vector256.LessThan(x, Vector256.Create(LeastNormal));
        var scaled = Vector256.ConditionalSelect(isTiny, x * (1 << MantissaBits), x);
        var bits = scaled.AsInt32() - Vector256.Create(BitConverter.SingleToInt32Bits(MathF.Sqrt(0.5f)));
        var exponent = bits >> MantissaBits;
        var m = (scaled.AsInt32() - (exponent << MantissaBits)).AsSingle();
        var n = Vector256.ConvertToSingle(exponent - (isTiny.AsInt32() & Vector256.Create(MantissaBits)));
        var f = m - Vector256.Create(1f);
        var s = f / (f + Vector256.Create(2f));
        var halfSquare = f * f * 0.5f;
        var rest = s * s * Series(s * s, [2 / 11f, 2 / 9f, 2 / 7f, 2 / 5f, 2 / 3f]);
        var correction = Fused(n, Ln2Low, s * (halfSquare + rest));
        var log = Fused(n, Ln2High, f - (halfSquare - correction));
        var infinite = Vector256.Equals(x, Vector256.Create(float.PositiveInfinity));
        log = Vector256.ConditionalSelect(infinite, x, log);
        log = Vector256.ConditionalSelect(Vector256.Equals(x, Vector256<float>.Zero),
            Vector256.Create(float.NegativeInfinity), log);
        return Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(x, Vector256<float>.Zero), log,
            Vector256.Create(float.NaN));
    }

    /// <summary>
    /// sign(x) (1 - 2 / (e^2|x| + 1)); near 0, where that would lose digits, x - x^3/3 + 2 x^5/15 - ..
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Tanh(Vector256<float> x)
    {
        var size = Vector256.Abs(x);
        var far = Vector256.Create(1f) - Vector256.Create(2f) / (Exp(size + size) + Vector256.Create(1f));
        var square = x * x;
        var near = Vector256.FusedMultiplyAdd(x * square,
            Series(square, [21844 / 6081075f, -1382 / 155925f, 62 / 2835f, -17 / 315f, 2 / 15f, -1 / 3f]), x);
        var tanh = Vector256.ConditionalSelect(Vector256.LessThan(size, Vector256.Create(0.35f)), near, far);
        return Vector256.ConditionalSelect(Vector256.Create(-0f), x, tanh);   // the sign bit of x
    }

    /// <summary>
    /// Below 1 the series 2/sqrt(pi) (x - x^3/3 + x^5/10 - ..), with k! (2k + 1) below the k-th term. From there on
    /// 1 - e^(-x^2) t p(t), where t = 1 / (1 + x/2) and p is a polynomial fitted to (1 - erf x) e^(x^2) / t at
    /// Chebyshev's places between 1 and 4, with a relative error below 2e-7 of what is at most 0.16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Erf(Vector256<float> x)
    {
        const double scale = 1.1283791670955126;   // 2 / sqrt(pi)
        var (size, square) = (Vector256.Abs(x), x * x);
        var near = x * Series(square,
            [(float)(scale / 76204800), (float)(-scale / 6894720), (float)(scale / 685440), (float)(-scale / 75600),
            (float)(scale / 9360), (float)(-scale / 1320), (float)(scale / 216), (float)(-scale / 42),
            (float)(scale / 10), (float)(-scale / 3),
            (float)scale]);
        var t = Vector256.Create(1f) / Fused(size, 0.5f, Vector256.Create(1f));
        var far = Vector256.Create(1f) - Exp(-square) * t
            * Series(t, [-0.102823572f, 0.0889649297f, 0.2249226f, 0.216601471f, 0.28951687f, 0.281420215f]);
        var erf = Vector256.ConditionalSelect(Vector256.LessThan(size, Vector256.Create(1f)), near, far);
        return Vector256.ConditionalSelect(Vector256.Create(-0f), x, erf);   // the sign bit of x
    }

    // The polynomial with these coefficients, the highest power's first (Horner's rule).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Series(Vector256<float> x, ReadOnlySpan<float> coefficients)
    {
        var sum = Vector256.Create(coefficients[0]);
        for (var i = 1; i < coefficients.Length; i++)
            sum = Vector256.FusedMultiplyAdd(sum, x, Vector256.Create(coefficients[i]));
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Fused(Vector256<float> a, float b, Vector256<float> c) =>
        Vector256.FusedMultiplyAdd(a, Vector256.Create(b), c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PowerOfTwo(Vector256<int> n) =>
        ((n + Vector256.Create(Bias)) << MantissaBits).AsSingle();
}
