using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// a b, element by element with broadcasting; a <c>double</c> may stand on either side.
/// d/da = b, d/db = a.
/// </summary>
public static class MultiplyOperation
{
    /// <summary>The operators.</summary>
    extension(Tensor)
    {
        /// <summary>a b.</summary>
        /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
        public static Tensor operator *(Tensor a, Tensor b) =>
            Tape.Record("multiply", a.Zip(b, new Multiplying(), "multiply"),
            (a, (_, g) => g * b),
            (b, (_, g) => g * a));

        /// <summary>a b.</summary>
        public static Tensor operator *(Tensor a, double b) => a * a.Constant(b);

        /// <summary>a b.</summary>
        public static Tensor operator *(double a, Tensor b) => b.Constant(a) * b;
    }
}

internal readonly struct Multiplying : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a * b;
}
