using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// a / b, element by element with broadcasting; a <c>double</c> may stand on either side.
/// d/da = 1 / b, d/db = -(a / b) / b.
/// </summary>
public static class DivideOperation
{
    /// <summary>The operators.</summary>
    extension(Tensor)
    {
        /// <summary>a / b.</summary>
        /// <exception cref="ShapeException">The shapes do not broadcast.</exception>
        public static Tensor operator /(Tensor a, Tensor b) => Tape.Record("divide", a.Zip(b, new Dividing(), "divide"),
            (a, (_, g) => g / b),
            (b, (y, g) => -(g * y / b)));

        /// <summary>a / b.</summary>
        public static Tensor operator /(Tensor a, double b) => a / a.Constant(b);

        /// <summary>a / b.</summary>
        public static Tensor operator /(double a, Tensor b) => b.Constant(a) / b;
    }
}

internal readonly struct Dividing : IZip
{
    public T Apply<T>(T a, T b) where T : struct, IReal<T> => a / b;
}
