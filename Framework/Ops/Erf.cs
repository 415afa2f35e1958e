using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The error function, 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x, element by element. d/dx = 2 / sqrt(pi)
/// e^(-x^2).
/// </summary>
public static class ErfOperation
{
    /// <summary>The error function.</summary>
    public static Tensor Erf(this Tensor x) =>
        Tape.Record("erf", x.Map(new TakingErf()), (x, (_, g) => g * (-x.Square()).Exp() * (2 / Math.Sqrt(Math.PI))));

    internal readonly struct TakingErf : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Erf(x);
    }
}
