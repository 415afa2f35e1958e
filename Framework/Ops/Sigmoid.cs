using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>The logistic function s = 1 / (1 + e^-x), element by element. d/dx = s (1 - s).</summary>
public static class SigmoidOperation
{
    /// <summary>1 / (1 + e^-x).</summary>
    public static Tensor Sigmoid(this Tensor x) =>
        Tape.Record("sigmoid", x.Map(new Squashing()), (x, (y, g) => g * y * (1 - y)));

    internal readonly struct Squashing : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.One / (T.One + T.Exp(-x));
    }
}
