using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Comparisons, element by element with broadcasting: 1 where true, 0 where false, in the tensor's own type; false
/// where an operand is NaN. The results are constants: their derivative is 0 wherever it exists.
/// </summary>
public static class CompareOperation
{
    /// <summary>a &gt; b.</summary>
    public static Tensor Greater(this Tensor a, Tensor b) => a.Zip(b, new IsGreater(), "greater");

    /// <inheritdoc cref="Greater(Tensor, Tensor)"/>
    public static Tensor Greater(this Tensor a, double b) => a.Greater(a.Constant(b));

    /// <summary>a &gt;= b.</summary>
    public static Tensor GreaterOrEqual(this Tensor a, Tensor b) =>
        a.Zip(b, new IsGreaterOrEqual(), "greater or equal");

    /// <inheritdoc cref="GreaterOrEqual(Tensor, Tensor)"/>
    public static Tensor GreaterOrEqual(this Tensor a, double b) => a.GreaterOrEqual(a.Constant(b));

    /// <summary>a &lt; b.</summary>
    public static Tensor Less(this Tensor a, Tensor b) => b.Greater(a);

    /// <inheritdoc cref="Less(Tensor, Tensor)"/>
    public static Tensor Less(this Tensor a, double b) => a.Less(a.Constant(b));

    /// <summary>a &lt;= b.</summary>
    public static Tensor LessOrEqual(this Tensor a, Tensor b) => b.GreaterOrEqual(a);

    /// <inheritdoc cref="LessOrEqual(Tensor, Tensor)"/>
    public static Tensor LessOrEqual(this Tensor a, double b) => a.LessOrEqual(a.Constant(b));

    /// <summary>a = b.</summary>
    public static Tensor Equal(this Tensor a, Tensor b) => a.Zip(b, new IsEqual(), "equal");

    /// <inheritdoc cref="Equal(Tensor, Tensor)"/>
    public static Tensor Equal(this Tensor a, double b) => a.Equal(a.Constant(b));

    internal readonly struct IsGreater : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Greater(a, b);
    }

    internal readonly struct IsGreaterOrEqual : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.GreaterOrEqual(a, b);
    }

    internal readonly struct IsEqual : IZip
    {
        public T Apply<T>(T a, T b) where T : struct, IReal<T> => T.Equal(a, b);
    }
}
