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
    public static Real64 FusedMultiplyAdd(Real64 a, Real64 b, Real64 c) =>
        new(Math.FusedMultiplyAdd(a.Value, b.Value, c.Value));

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

    /// <summary>
    /// The error function. Up to 3 the series 2/sqrt(pi) e^(-x^2) (x + 2 x^3/3 + 4 x^5/15 + ..), whose terms are all of
    /// one sign; beyond, 1 minus e^(-x^2)/sqrt(pi) times the continued fraction 1/(x + (1/2)/(x + (2/2)/(x + ..))).
    /// (Abramowitz and Stegun, 1964, 7.1.6 and 7.1.14.)
    /// </summary>
    public static Real64 Erf(Real64 x)
    {
        var size = Math.Abs(x.Value);
        if (size > 6) return new(Math.Sign(x.Value));
        if (size < 3)
        {
            var (term, sum) = (x.Value, x.Value);
            for (var k = 1; Math.Abs(term) > 1e-17 * Math.Abs(sum); k++)
            {
                term *= 2 * size * size / (2 * k + 1);
                sum += term;
            }
            return new(2 / Math.Sqrt(Math.PI) * Math.Exp(-size * size) * sum);
        }
        var fraction = size;
        for (var k = 60; k >= 1; k--) fraction = size + 0.5 * k / fraction;
        return new(Math.CopySign(1 - Math.Exp(-size * size) / Math.Sqrt(Math.PI) / fraction, x.Value));
    }

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
