using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>The natural logarithm, element by element; -infinity at 0, NaN below. d/dx = 1 / x.</summary>
public static class LogOperation
{
    /// <summary>The natural logarithm.</summary>
    public static Tensor Log(this Tensor x) => Tape.Record("log", x.Map(new TakingLogarithm()), (x, (_, g) => g / x));

    internal readonly struct TakingLogarithm : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Log(x);
    }
}
