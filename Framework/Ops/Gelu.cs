using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The Gaussian error linear unit x P(x), element by element, where P(x) = (1 + erf(x / sqrt(2))) / 2 is the share of
/// the normal distribution below x (Hendrycks and Gimpel, 2016; the exact form, not the one by tanh). d/dx = P(x) + x
/// p(x), where p(x) = e^(-x^2 / 2) / sqrt(2 pi) is that distribution's density; d2/dx2 = (2 - x^2) p(x).
/// </summary>
public static class GeluOperation
{
    // sqrt(1/2) and 1 / sqrt(2 pi). Constants: the loop over a formula is compiled before static fields have values,
    // and would ask for them at every element.
    private const double Half = 0.7071067811865476, Highest = 0.3989422804014327;

    /// <summary>x (1 + erf(x / sqrt(2))) / 2.</summary>
    public static Tensor Gelu(this Tensor x) =>
        Tape.Record("gelu", x.Map(new Weighing()), (x, (_, g) => Gradient(x, g)));

    // g (P(x) + x p(x)) in one pass.
    private static Tensor Gradient(Tensor x, Tensor g)
    {
        var value = x.Zip(g, new WeighingGradient(), "gelu gradient");
        return Tape.Recording is null ? value : Tape.Record("gelu gradient", value,
            (x, (_, u) => u * g * ((2 - x.Square()) * (x.Square() * -0.5).Exp() * Highest)),
            (g, (_, u) => Gradient(x, u)));
    }

    internal readonly struct Weighing : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x * Share(x);
    }

    internal readonly struct WeighingGradient : IZip
    {
        public T Apply<T>(T x, T g) where T : struct, IReal<T> =>
            g * (Share(x) + x * T.Exp(x * x * T.Of(-0.5)) * T.Of(Highest));
    }

    private static T Share<T>(T x) where T : struct, IReal<T> => (T.One + T.Erf(x * T.Of(Half))) * T.Of(0.5);
}
