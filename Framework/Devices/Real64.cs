namespace Tapegrad.Devices;

/// <summary>One double: the number of the <see cref="ReferenceDevice"/>.</summary>
public readonly record struct Real64(double Value) : IReal<Real64>
{
    /// <inheritdoc/>
    public static Real64 Of(double value) => new(value);

    /// <inheritdoc/>
    public static Real64 operator +(Real64 a, Real64 b) => new(a.Value + b.Value);

    /// <inheritdoc/>
    public static Real64 operator -(Real64 a, Real64 b) => new(a.Value - b.Value);

    /// <inheritdoc/>
    public static Real64 operator *(Real64 a, Real64 b) => new(a.Value * b.Value);

    /// <inheritdoc/>
    public static Real64 operator /(Real64 a, Real64 b) => new(a.Value / b.Value);

    /// <inheritdoc/>
    public static Real64 operator -(Real64 a) => new(-a.Value);

    /// <inheritdoc/>
    public static Real64 FusedMultiplyAdd(Real64 a, Real64 b, Real64 c) => new(Math.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    /// <inheritdoc/>
    public static Real64 Abs(Real64 x) => new(Math.Abs(x.Value));

    /// <inheritdoc/>
    public static Real64 Sqrt(Real64 x) => new(Math.Sqrt(x.Value));

    /// <inheritdoc/>
    public static Real64 Exp(Real64 x) => new(Math.Exp(x.Value));

    /// <inheritdoc/>
    public static Real64 Log(Real64 x) => new(Math.Log(x.Value));

    /// <inheritdoc/>
    public static Real64 Tanh(Real64 x) => new(Math.Tanh(x.Value));

    /// <inheritdoc/>
    public static Real64 Pow(Real64 x, Real64 y) => new(Math.Pow(x.Value, y.Value));

    /// <inheritdoc/>
    public static Real64 Max(Real64 a, Real64 b) => new(Math.Max(a.Value, b.Value));

    /// <inheritdoc/>
    public static Real64 Greater(Real64 a, Real64 b) => new(a.Value > b.Value ? 1 : 0);

    /// <inheritdoc/>
    public static Real64 GreaterOrEqual(Real64 a, Real64 b) => new(a.Value >= b.Value ? 1 : 0);

    /// <inheritdoc/>
    public static Real64 Equal(Real64 a, Real64 b) => new(a.Value == b.Value ? 1 : 0);

    /// <inheritdoc/>
    public static Real64 Select(Real64 condition, Real64 a, Real64 b) => condition.Value != 0 ? a : b;
}
