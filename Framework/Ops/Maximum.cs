using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The larger and the smaller of two tensors, element by element with broadcasting; NaN if either is NaN. The gradient
/// goes to the one that was taken; where both are equal, half of it to each.
/// </summary>
public static class MaximumOperation
{
    /// <summary>The larger of a and b.</summary>
    public static Tensor Maximum(this Tensor a, Tensor b) =>
        Record("maximum", a.Zip(b, new TakingLarger(), "maximum"), a, b);

    /// <inheritdoc cref="Maximum(Tensor, Tensor)"/>
    public static Tensor Maximum(this Tensor a, double b) => a.Maximum(a.Constant(b));

    /// <summary>The smaller of a and b.</summary>
    public static Tensor Minimum(this Tensor a, Tensor b) =>
        Record("minimum", a.Zip(b, new TakingSmaller(), "minimum"), a, b);

    /// <inheritdoc cref="Minimum(Tensor, Tensor)"/>
    public static Tensor Minimum(this Tensor a, double b) => a.Minimum(a.Constant(b));

    private static Tensor Record(string name, Tensor value, Tensor a, Tensor b) =>
        Tape.Record(name, value, (a, (y, g) => Share(g, a, b, y)), (b, (y, g) => Share(g, b, a, y)));

    // Masked, not multiplied: what was not taken gets 0 even from an infinite gradient.
    private static Tensor Share(Tensor g, Tensor own, Tensor other, Tensor y)
    {
        var taken = own.Equal(y.StopGradient());
        return (g * (1 - 0.5 * other.Equal(own))).Masked(taken);
    }

    internal readonly struct TakingLarger : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Max(a, b);
    }

    internal readonly struct TakingSmaller : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => -T.Max(-a, -b);
    }
}
