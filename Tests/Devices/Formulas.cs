using Tapegrad.Devices;

namespace Tapegrad.Tests.Devices;

// One struct for each member of IReal, so that the tests of devices need no operation.

internal readonly struct Negated : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => -x;
}

internal readonly struct Absolute : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Abs(x);
}

internal readonly struct Root : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Sqrt(x);
}

internal readonly struct Exponential : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Exp(x);
}

internal readonly struct Logarithm : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Log(x);
}

internal readonly struct ErrorFunction : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Erf(x);
}

internal readonly struct HyperbolicTangent : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.Tanh(x);
}

// 3 x + 1: a formula with constants, one of them a field.
internal readonly struct Line(double slope) : IMap
{
    public T Apply<T>(T x) where T : struct, IReal<T> => T.FusedMultiplyAdd(T.Of(slope), x, T.One) + T.Zero;
}

internal readonly struct Plus : IFold
{
    public double Neutral => 0;
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a + b;
}

internal readonly struct Minus : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a - b;
}

internal readonly struct Times : IFold
{
    public double Neutral => 1;
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a * b;
}

internal readonly struct Over : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a / b;
}

internal readonly struct Larger : IFold
{
    public double Neutral => double.NegativeInfinity;
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Max(a, b);
}

internal readonly struct Raised : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Pow(a, b);
}

internal readonly struct IsGreater : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Greater(a, b);
}

internal readonly struct IsGreaterOrEqual : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.GreaterOrEqual(a, b);
}

internal readonly struct IsEqual : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Equal(a, b);
}

// b where a is not 0, else 7.
internal readonly struct Choice : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Select(a, b, T.Of(7));
}

// a * b + a, rounded once.
internal readonly struct Fused : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.FusedMultiplyAdd(a, b, a);
}

// A step of Adam's kind, with different roles for all four numbers.
internal readonly struct Step : IUpdate
{
    public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
    {
        first = T.Of(0.5) * first + gradient;
        second = T.Of(0.25) * second + gradient * gradient;
        parameter = parameter - T.Of(0.125) * first + second;
    }
}
