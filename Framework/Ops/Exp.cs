using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>e^x, element by element. d/dx = e^x.</summary>
public static class ExpOperation
{
    /// <summary>e^x.</summary>
    public static Tensor Exp(this Tensor x) => Tape.Record("exp", x.Map(new Exponentiating()), (x, (y, g) => g * y));

    internal readonly struct Exponentiating : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Exp(x);
    }
}
