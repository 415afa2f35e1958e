using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// Formulas for the laws and the tests of devices, which need no operation then: one for each member of
/// <see cref="IReal{T}"/>.
/// </summary>
internal static class Formulas
{
    internal readonly struct Negated : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => -x;
    }

    internal readonly struct Magnitude : IMap
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

    internal readonly struct Tangent : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Tanh(x);
    }

    internal readonly struct Error : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Erf(x);
    }

    // slope x + offset, rounded once: a formula with fields of both kinds, and both constants.
    internal readonly struct Line(double slope, int offset) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> =>
            T.FusedMultiplyAdd(T.Of(slope), x, T.Of(offset) * T.One) + T.Zero;
    }

    internal readonly struct Sum : IFold
    {
        public double Neutral => 0;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => a + b;
    }

    internal readonly struct Difference : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => a - b;
    }

    internal readonly struct Product : IFold
    {
        public double Neutral => 1;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => a * b;
    }

    internal readonly struct Quotient : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => a / b;
    }

    internal readonly struct Power : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Pow(a, b);
    }

    internal readonly struct Larger : IFold
    {
        public double Neutral => double.NegativeInfinity;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Max(a, b);
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

    // a b + a, rounded once.
    internal readonly struct Fused : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.FusedMultiplyAdd(a, b, a);
    }

    // Leaves what is not finite where the gradient is 7.
    internal readonly struct Dividing : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
        {
            first += gradient;
            second += gradient * T.Of(0.5);
            parameter /= gradient - T.Of(7);
        }
    }

    // A step of Adam's kind, with another role for each of the four numbers.
    internal readonly struct Step : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
        {
            first = T.Of(0.5) * first + gradient;
            second = T.Of(0.25) * second + gradient * gradient;
            parameter = parameter - T.Of(0.125) * first + second;
        }
    }
}
