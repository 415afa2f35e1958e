using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>The absolute value, element by element. d/dx = sign(x), which is 0 at 0.</summary>
public static class AbsOperation
{
    /// <summary>The absolute value.</summary>
    public static Tensor Abs(this Tensor x) =>
        Tape.Record("abs", x.Map(new TakingMagnitude()), (x, (_, g) => g * x.Map(new TakingSign())));

    internal readonly struct TakingMagnitude : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Abs(x);
    }

    internal readonly struct TakingSign : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Greater(x, T.Zero) - T.Greater(T.Zero, x);
    }
}
