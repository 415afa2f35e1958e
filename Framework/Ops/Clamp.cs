using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// x moved into the range from low to high, element by element; NaN stays NaN. d/dx = 1 inside the range, its ends
/// included, else 0.
/// </summary>
public static class ClampOperation
{
    /// <summary>min(max(x, low), high).</summary>
    /// <exception cref="ArgumentException">low is above high, or one is NaN.</exception>
    public static Tensor Clamp(this Tensor x, double low, double high)
    {
        if (!(low <= high)) throw new ArgumentException($"clamp: the range from {low} to {high} is empty.");
        return Tape.Record("clamp", x.Map(new Clamping(low, high)),
            (x, (_, g) => g.Masked(x.Map(new Inside(low, high)))));
    }

    internal readonly struct Clamping(double low, double high) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => -T.Max(-T.Max(x, T.Of(low)), T.Of(-high));
    }

    internal readonly struct Inside(double low, double high) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> =>
            T.GreaterOrEqual(x, T.Of(low)) * T.GreaterOrEqual(T.Of(high), x);
    }
}
