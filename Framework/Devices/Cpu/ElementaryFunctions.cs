using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// e^x, the natural logarithm, the hyperbolic tangent and the error function of all lanes at once: each argument is
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
    public static TLanes Exp<TLanes>(TLanes x) where TLanes : struct, ILanes<TLanes>
    {
        // further out all is 0 or infinite
        x = TLanes.Max(TLanes.Min(x, TLanes.Repeat(89)), TLanes.Repeat(-104));
        var n = TLanes.Round(x * TLanes.Repeat((float)(1 / Math.Log(2))));
        var r = Fused(n, -Ln2High, x);
        r = Fused(n, -Ln2Low, r);
        var tail = Series(r, [1 / 5040f, 1 / 720f, 1 / 120f, 1 / 24f, 1 / 6f, 1 / 2f]);
        var power = TLanes.FusedMultiplyAdd(r * r, tail, r) + TLanes.Repeat(1);
        // 2^n in two steps: each is an ordinary number, and where e^x is not, the last product rounds, once.
        var whole = TLanes.ToBits(n);
        var half = TLanes.ShiftRight(whole, 1);
        return power * PowerOfTwo(half) * PowerOfTwo(TLanes.SubtractBits(whole, half));
    }

    /// <summary>
    /// x = 2^n m with m from sqrt(1/2) to sqrt(2), so log x = n ln 2 + log m. With f = m - 1 and s = f / (2 + f),
    /// log m = 2 artanh s = 2 (s + s^3/3 + .. + s^11/11) = f - (f^2/2 - s (f^2/2 + s^2 (2/3 + .. + 2 s^8/11))), where
    /// the largest part, f, is exact.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Log<TLanes>(TLanes x) where TLanes : struct, ILanes<TLanes>
    {
        // Subnormal numbers have no exponent of their own until they are multiplied.
        var isTiny = TLanes.IsLess(x, TLanes.Repeat(LeastNormal));
        var scaled = TLanes.Choose(isTiny, x * TLanes.Repeat(1 << MantissaBits), x);
        var bits = TLanes.SubtractBits(scaled, TLanes.Repeat(MathF.Sqrt(0.5f)));
        var exponent = TLanes.ShiftRight(bits, MantissaBits);
        var m = TLanes.SubtractBits(scaled, TLanes.ShiftLeft(exponent, MantissaBits));
        var n = TLanes.FromBits(TLanes.SubtractBits(exponent, TLanes.And(TLanes.OfBits(MantissaBits), isTiny)));
        var f = m - TLanes.Repeat(1);
        var s = f / (f + TLanes.Repeat(2));
        var halfSquare = f * f * TLanes.Repeat(0.5f);
        var rest = s * s * Series(s * s, [2 / 11f, 2 / 9f, 2 / 7f, 2 / 5f, 2 / 3f]);
        var correction = Fused(n, Ln2Low, s * (halfSquare + rest));
        var log = Fused(n, Ln2High, f - (halfSquare - correction));
        log = TLanes.Choose(TLanes.IsEqual(x, TLanes.Repeat(float.PositiveInfinity)), x, log);
        log = TLanes.Choose(TLanes.IsEqual(x, TLanes.Zero), TLanes.Repeat(float.NegativeInfinity), log);
        return TLanes.Choose(TLanes.IsLessOrEqual(TLanes.Zero, x), log, TLanes.Repeat(float.NaN));
    }

    /// <summary>
    /// sign(x) (1 - 2 / (e^2|x| + 1)); near 0, where that would lose digits, x - x^3/3 + 2 x^5/15 - ..
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Tanh<TLanes>(TLanes x) where TLanes : struct, ILanes<TLanes>
    {
        var size = TLanes.Abs(x);
        var far = TLanes.Repeat(1) - TLanes.Repeat(2) / (Exp(size + size) + TLanes.Repeat(1));
        var square = x * x;
        var near = TLanes.FusedMultiplyAdd(x * square,
            Series(square, [21844 / 6081075f, -1382 / 155925f, 62 / 2835f, -17 / 315f, 2 / 15f, -1 / 3f]), x);
        var tanh = TLanes.Choose(TLanes.IsLess(size, TLanes.Repeat(0.35f)), near, far);
        return TLanes.Choose(TLanes.Repeat(-0f), x, tanh);   // the sign bit of x
    }

    /// <summary>
    /// Below 1 the series 2/sqrt(pi) (x - x^3/3 + x^5/10 - ..), with k! (2k + 1) below the k-th term. From there on
    /// 1 - e^(-x^2) t p(t), where t = 1 / (1 + x/2) and p is a polynomial fitted to (1 - erf x) e^(x^2) / t at
    /// Chebyshev's places between 1 and 4, with a relative error below 2e-7 of what is at most 0.16.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Erf<TLanes>(TLanes x) where TLanes : struct, ILanes<TLanes>
    {
        const double scale = 1.1283791670955126;   // 2 / sqrt(pi)
        var (size, square) = (TLanes.Abs(x), x * x);
        var near = x * Series(square,
            [(float)(scale / 76204800), (float)(-scale / 6894720), (float)(scale / 685440), (float)(-scale / 75600),
            (float)(scale / 9360), (float)(-scale / 1320), (float)(scale / 216), (float)(-scale / 42),
            (float)(scale / 10), (float)(-scale / 3),
            (float)scale]);
        var t = TLanes.Repeat(1) / Fused(size, 0.5f, TLanes.Repeat(1));
        var far = TLanes.Repeat(1) - Exp(-square) * t
            * Series(t, [-0.102823572f, 0.0889649297f, 0.2249226f, 0.216601471f, 0.28951687f, 0.281420215f]);
        var erf = TLanes.Choose(TLanes.IsLess(size, TLanes.Repeat(1)), near, far);
        return TLanes.Choose(TLanes.Repeat(-0f), x, erf);   // the sign bit of x
    }

    // The polynomial with these coefficients, the highest power's first (Horner's rule).
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Series<TLanes>(TLanes x, ReadOnlySpan<float> coefficients)
        where TLanes : struct, ILanes<TLanes>
    {
        var sum = TLanes.Repeat(coefficients[0]);
        for (var i = 1; i < coefficients.Length; i++)
            sum = TLanes.FusedMultiplyAdd(sum, x, TLanes.Repeat(coefficients[i]));
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes Fused<TLanes>(TLanes a, float b, TLanes c) where TLanes : struct, ILanes<TLanes> =>
        TLanes.FusedMultiplyAdd(a, TLanes.Repeat(b), c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TLanes PowerOfTwo<TLanes>(TLanes n) where TLanes : struct, ILanes<TLanes> =>
        TLanes.ShiftLeft(TLanes.AddBits(n, TLanes.OfBits(Bias)), MantissaBits);
}
