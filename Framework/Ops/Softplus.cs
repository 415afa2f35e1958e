using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// log(1 + e^x), a smooth rectifier, element by element. Computed as max(x, 0) + log(1 + e), e = e^-|x|, so that
/// nothing overflows; where 1 + e is rounded to u, log(u) e / (u - 1) has the digits that log(u) has lost (Kahan). d/dx
/// = 1 / (1 + e^-x).
/// </summary>
public static class SoftplusOperation
{
    /// <summary>log(1 + e^x).</summary>
    public static Tensor Softplus(this Tensor x) =>
        Tape.Record("softplus", x.Map(new Smoothing()), (x, (_, g) => g * x.Sigmoid()));

    internal readonly struct Smoothing : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T>
        {
            var e = T.Exp(-T.Abs(x));
            var u = T.One + e;
            return T.Max(x, T.Zero) + T.Select(T.Equal(u, T.One), e, T.Log(u) * e / (u - T.One));
        }
    }
}
