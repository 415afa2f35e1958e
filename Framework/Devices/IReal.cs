namespace Tapegrad.Devices;

/// <summary>
/// A real number as a device computes with it: one double on the reference device; one float, or as many floats side by
/// side as a vector holds, on the CPU. An elementwise operation writes its formula once, for any of them, so the line
/// that runs fast is the line that was proven.
/// </summary>
/// <remarks>
/// Every member is exactly rounded, or made of such members, or computed from <see cref="Math"/> element by element, so
/// the lanes of a vector hold the bits that single numbers would.
/// </remarks>
public interface IReal<T> where T : struct, IReal<T>
{
    /// <summary>The number nearest to a constant.</summary>
    static abstract T Of(double value);

    /// <summary>0.</summary>
    static virtual T Zero => T.Of(0);

    /// <summary>1.</summary>
    static virtual T One => T.Of(1);

    /// <summary>Sum.</summary>
    static abstract T operator +(T a, T b);

    /// <summary>Difference.</summary>
    static abstract T operator -(T a, T b);

    /// <summary>Product.</summary>
    static abstract T operator *(T a, T b);

    /// <summary>Quotient.</summary>
    static abstract T operator /(T a, T b);

    /// <summary>Negation.</summary>
    static abstract T operator -(T a);

    /// <summary>a * b + c, rounded once.</summary>
    static abstract T FusedMultiplyAdd(T a, T b, T c);

    /// <summary>Absolute value.</summary>
    static abstract T Abs(T x);

    /// <summary>Square root; NaN below 0.</summary>
    static abstract T Sqrt(T x);

    /// <summary>e^x.</summary>
    static abstract T Exp(T x);

    /// <summary>Natural logarithm; NaN below 0, -infinity at 0.</summary>
    static abstract T Log(T x);

    /// <summary>Hyperbolic tangent.</summary>
    static abstract T Tanh(T x);

    /// <summary>The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x.</summary>
    static abstract T Erf(T x);

    /// <summary>x^y.</summary>
    static abstract T Pow(T x, T y);

    /// <summary>The larger; NaN if either is NaN.</summary>
    static abstract T Max(T a, T b);

    /// <summary>1 where a &gt; b, else 0.</summary>
    static abstract T Greater(T a, T b);

    /// <summary>1 where a &gt;= b, else 0.</summary>
    static abstract T GreaterOrEqual(T a, T b);

    /// <summary>1 where a = b, else 0.</summary>
    static abstract T Equal(T a, T b);

    /// <summary>
    /// <paramref name="a"/> where the condition is not 0, else <paramref name="b"/>; the other one is not looked at.
    /// </summary>
    static abstract T Select(T condition, T a, T b);
}

/// <summary>
/// A function of one number, for <see cref="Device.Map"/>. Constants of the function are fields of the struct.
/// </summary>
public interface IMap
{
    /// <summary>The formula, written once for every kind of number.</summary>
    T Apply<T>(T x) where T : struct, IReal<T>;
}

/// <summary>A function of two numbers, for <see cref="Device.Zip"/>.</summary>
public interface IZip
{
    /// <summary>The formula, written once for every kind of number.</summary>
    T Apply<T>(T a, T b) where T : struct, IReal<T>;
}

/// <summary>An associative function of two numbers with a neutral one, for <see cref="Device.Fold"/>.</summary>
public interface IFold : IZip
{
    /// <summary>The number that changes nothing: the fold of nothing.</summary>
    double Neutral { get; }
}

/// <summary>An update of a parameter in place, for <see cref="Device.Update"/>.</summary>
public interface IUpdate
{
    /// <summary>The formula: changes the parameter and up to two numbers of state that belong to it.</summary>
    void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>;
}
