using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>-x, element by element. d/dx = -1.</summary>
public static class NegateOperation
{
    /// <summary>The operator.</summary>
    extension(Tensor)
    {
        /// <summary>-x.</summary>
        public static Tensor operator -(Tensor x) => Tape.Record("negate", x.Map(new Negating()), (x, (_, g) => -g));
    }

    internal readonly struct Negating : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => -x;
    }
}
