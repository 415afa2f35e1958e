using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The Gaussian error linear unit x P(x), element by element, where P(x) = (1 + erf(x / sqrt(2))) / 2 is the share of
/// the normal distribution below x (Hendrycks and Gimpel, 2016; the exact form, not the one by tanh). d/dx = P(x) + x
/// e^(-x^2 / 2) / sqrt(2 pi).
/// </summary>
public static class GeluOperation
{
    private static readonly double Half = Math.Sqrt(0.5);

    /// <summary>x (1 + erf(x / sqrt(2))) / 2.</summary>
    public static Tensor Gelu(this Tensor x) => Tape.Record("gelu", x.Map(new Weighing()), (x, (_, g) =>
        g * (((x * Half).Erf() + 1) * 0.5 + x * (x.Square() * -0.5).Exp() * (1 / Math.Sqrt(2 * Math.PI)))));

    internal readonly struct Weighing : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x * ((T.One + T.Erf(x * T.Of(Half))) * T.Of(0.5));
    }
}
