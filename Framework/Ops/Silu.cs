using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// x s, where s = 1 / (1 + e^-x), element by element; also called swish (Elfwing, Uchibe and Doya, 2017). d/dx = s (1 +
/// x (1 - s)).
/// </summary>
public static class SiluOperation
{
    /// <summary>x / (1 + e^-x).</summary>
    public static Tensor Silu(this Tensor x) => Tape.Record("silu", x.Map(new Weighing()), (x, (_, g) =>
    {
        var s = x.Sigmoid();
        return g * (s * (1 + x * (1 - s)));
    }
    ));

    internal readonly struct Weighing : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x / (T.One + T.Exp(-x));
    }
}
