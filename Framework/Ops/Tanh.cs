using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>The hyperbolic tangent, element by element. d/dx = 1 - tanh(x)^2.</summary>
public static class TanhOperation
{
    /// <summary>The hyperbolic tangent.</summary>
    public static Tensor Tanh(this Tensor x) =>
        Tape.Record("tanh", x.Map(new TakingTangent()), (x, (y, g) => g * (1 - y.Square())));

    internal readonly struct TakingTangent : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Tanh(x);
    }
}
