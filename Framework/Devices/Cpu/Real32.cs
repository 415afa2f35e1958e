namespace Tapegrad.Devices.Cpu;

/// <summary>One float: a single lane of <see cref="Real32x8"/>, with the same bits.</summary>
internal readonly record struct Real32(float Value) : IReal<Real32>
{
    public static Real32 Of(double value) => new((float)value);

    public static Real32 operator +(Real32 a, Real32 b) => new(a.Value + b.Value);

    public static Real32 operator -(Real32 a, Real32 b) => new(a.Value - b.Value);

    public static Real32 operator *(Real32 a, Real32 b) => new(a.Value * b.Value);

    public static Real32 operator /(Real32 a, Real32 b) => new(a.Value / b.Value);

    public static Real32 operator -(Real32 a) => new(-a.Value);

    public static Real32 FusedMultiplyAdd(Real32 a, Real32 b, Real32 c) =>
        new(MathF.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    public static Real32 Abs(Real32 x) => new(MathF.Abs(x.Value));

    public static Real32 Sqrt(Real32 x) => new(MathF.Sqrt(x.Value));

    public static Real32 Exp(Real32 x) => new(ElementaryFunctions.Exp(Real32x8.Repeat(x.Value))[0]);

    public static Real32 Log(Real32 x) => new(ElementaryFunctions.Log(Real32x8.Repeat(x.Value))[0]);

    public static Real32 Tanh(Real32 x) => new(ElementaryFunctions.Tanh(Real32x8.Repeat(x.Value))[0]);

    public static Real32 Erf(Real32 x) => new(ElementaryFunctions.Erf(Real32x8.Repeat(x.Value))[0]);

    public static Real32 Pow(Real32 x, Real32 y) => new(MathF.Pow(x.Value, y.Value));

    public static Real32 Max(Real32 a, Real32 b) => new(MathF.Max(a.Value, b.Value));

    public static Real32 Greater(Real32 a, Real32 b) => new(a.Value > b.Value ? 1 : 0);

    public static Real32 GreaterOrEqual(Real32 a, Real32 b) => new(a.Value >= b.Value ? 1 : 0);

    public static Real32 Equal(Real32 a, Real32 b) => new(a.Value == b.Value ? 1 : 0);

    public static Real32 Select(Real32 condition, Real32 a, Real32 b) => condition.Value != 0 ? a : b;
}
