using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>x^2, element by element. d/dx = 2x.</summary>
public static class SquareOperation
{
    /// <summary>x^2.</summary>
    public static Tensor Square(this Tensor x) =>
        Tape.Record("square", x.Map(new Squaring()), (x, (_, g) => g * x * 2));

    internal readonly struct Squaring : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x * x;
    }
}
