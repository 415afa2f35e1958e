using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>The square root, element by element; NaN below 0. d/dx = 1 / (2 sqrt(x)), infinite at 0.</summary>
public static class SqrtOperation
{
    /// <summary>The square root.</summary>
    public static Tensor Sqrt(this Tensor x) => Tape.Record("sqrt", x.Map(new Rooting()), (x, (y, g) => g / (y * 2)));

    internal readonly struct Rooting : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Sqrt(x);
    }
}
