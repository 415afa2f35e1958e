using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The rectifier max(x, 0), element by element; NaN stays NaN. d/dx = 1 where x &gt; 0, else 0: the derivative at 0 is
/// 0. Since the value is not 0 exactly where x &gt; 0, the value itself is the mask of its gradient, and x need not be
/// kept.
/// </summary>
public static class ReluOperation
{
    /// <summary>max(x, 0).</summary>
    public static Tensor Relu(this Tensor x) =>
        Tape.Record("relu", x.Map(new Rectifying()), (x, (y, g) => g.Masked(y.StopGradient())));

    internal readonly struct Rectifying : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Max(x, T.Zero);
    }
}
