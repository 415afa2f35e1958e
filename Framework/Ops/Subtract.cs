using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// a - b, element by element with broadcasting; a <c>double</c> may stand on either side.
/// d/da = 1, d/db = -1.
/// </summary>
public static class SubtractOperation
{
    /// <summary>The operators.</summary>
    extension(Tensor)
    {
        /// <summary>a - b.</summary>
        /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
        public static Tensor operator -(Tensor a, Tensor b) =>
            Tape.Record("subtract", a.Zip(b, new Subtracting(), "subtract"),
            (a, (_, g) => g),
            (b, (_, g) => -g));

        /// <summary>a - b.</summary>
        public static Tensor operator -(Tensor a, double b) => a - a.Constant(b);

        /// <summary>a - b.</summary>
        public static Tensor operator -(double a, Tensor b) => b.Constant(a) - b;
    }
}

internal readonly struct Subtracting : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a - b;
}
