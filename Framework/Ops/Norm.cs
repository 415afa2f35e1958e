using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The Euclidean norm over axes; over none named, over all: y = sqrt(sum of x^2); of nothing it is 0. d/dx = x / y;
/// where y = 0 the norm has a kink, and every derivative is taken to be 0 there (a subgradient), so a penalty on a
/// gradient of zeros is no NaN. Neither large nor small numbers are lost to the squares: they are divided by the
/// largest magnitude first where that is far from 1.
/// </summary>
public static class NormOperation
{
    /// <summary>The norm over axes, which vanish; without axes, one number.</summary>
    public static Tensor Norm(this Tensor x, params ReadOnlySpan<int> axes) =>
        x.Norm(x.Shape.Axes(axes), keepAxes: false);

    /// <summary>The norm over axes, which become 1 when kept.</summary>
    public static Tensor Norm(this Tensor x, int[] axes, bool keepAxes)
    {
        axes = x.Shape.Axes(axes);
        var kept = x.Shape.Reduce(axes, keepAxes: true);
        var (squares, scale) = x.ScaledSquares(axes);
        var value = squares.Zip(scale, new TakingRoot(), "norm");
        if (!keepAxes) value = value.View(x.Shape.Reduce(axes, keepAxes: false));
        return Tape.Record("norm", value, (x, (y, g) =>
        {
            var norm = y.Reshape(kept);
            var direction = (x / (norm + norm.Equal(0))).Masked(norm);   // 0 / 1, not 0 / 0, where the norm is 0
            return g.Reshape(kept) * direction;
        }
        ));
    }

    /// <summary>
    /// The sum of (x / scale)^2 over axes, which become 1, and that scale; unrecorded. The scale is 1 wherever squares
    /// are safe, so that there not a bit of the sum depends on it.
    /// </summary>
    internal static (Tensor Squares, Tensor Scale) ScaledSquares(this Tensor x, int[] axes)
    {
        var scale = x.Fold(new TakingLargestMagnitude(), axes).Map(new ChoosingScale());
        return (x.Zip(scale, new SquaringScaled(), "norm").Fold(new Adding(), axes), scale);
    }

    internal readonly struct TakingLargestMagnitude : IFold
    {
        public double Neutral => 0;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Max(T.Abs(a), T.Abs(b));
    }

    // The largest magnitude where it is finite, not 0, and outside 2^-50 .. 2^45, else 1. A float holds the sum of 2^31
    // squares of 2^45, and at 2^-50 the squares that it loses are too small to be seen in the sum.
    internal readonly struct ChoosingScale : IMap
    {
        private const double Least = 1.0 / (1L << 50), Most = 1L << 45;

        public T Apply<T>(T largest) where T : struct, IReal<T>
        {
            var size = T.Abs(largest);   // a fold over one element is that element
            var isFinite = T.Equal(size - size, T.Zero);
            var isFar = T.Greater(size, T.Of(Most)) + T.Greater(T.Of(Least), size) * T.Greater(size, T.Zero);
            return T.Select(isFinite * isFar, size, T.One);
        }
    }

    internal readonly struct SquaringScaled : IZip
    {
        public T Apply<T>(T x, T scale) where T : struct, IReal<T> => x / scale * (x / scale);
    }

    internal readonly struct TakingRoot : IZip
    {
        public T Apply<T>(T squares, T scale) where T : struct, IReal<T> => T.Sqrt(squares) * scale;
    }
}
