using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// x^p for a constant p, element by element; NaN for a negative x unless p is whole. d/dx = p x^(p-1); for p = 0 that
/// is 0 everywhere, at x = 0 too.
/// </summary>
public static class PowerOperation
{
    /// <summary>x^exponent.</summary>
    public static Tensor Power(this Tensor x, double exponent) => Tape.Record("power", x.Map(new Raising(exponent)),
        (x, (_, g) => exponent == 0 ? g * 0 : g * x.Power(exponent - 1) * exponent));

    internal readonly struct Raising(double exponent) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Pow(x, T.Of(exponent));
    }
}
