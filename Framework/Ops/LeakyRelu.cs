using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// x where x is above 0, else slope x, element by element (Maas, Hannun and Ng, 2013). d/dx = 1 where x is above 0,
/// else the slope, at 0 too.
/// </summary>
public static class LeakyReluOperation
{
    /// <summary>x where x is above 0, else slope x.</summary>
    public static Tensor LeakyRelu(this Tensor x, double slope = 0.01) =>
        Tape.Record("leaky relu", x.Map(new Leaking(slope)), (x, (_, g) => g * x.Map(new Slope(slope))));

    internal readonly struct Leaking(double slope) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Select(T.Greater(x, T.Zero), x, x * T.Of(slope));
    }

    internal readonly struct Slope(double slope) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Select(T.Greater(x, T.Zero), T.One, T.Of(slope));
    }
}
