using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Sixteen floats side by side, in registers of 512 bits: the number of the <see cref="CpuDevice"/> on processors that
/// are fastest with them. Each lane holds the bits that <see cref="Real32"/> would: see <see cref="Real32x8"/>.
/// </summary>
internal readonly record struct Real32x16(Vector512<float> Value) : ILanes<Real32x16>
{
    public static int Count => 16;

    public float this[int lane] => Value[lane];

    // ---- arithmetic -------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Of(double value) => new(Vector512.Create((float)value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 operator +(Real32x16 a, Real32x16 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 operator -(Real32x16 a, Real32x16 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 operator *(Real32x16 a, Real32x16 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 operator /(Real32x16 a, Real32x16 b) => new(a.Value / b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 operator -(Real32x16 a) => new(-a.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 FusedMultiplyAdd(Real32x16 a, Real32x16 b, Real32x16 c) =>
        new(Vector512.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Abs(Real32x16 x) => new(Vector512.Abs(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Sqrt(Real32x16 x) => new(Vector512.Sqrt(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Exp(Real32x16 x) => ElementaryFunctions.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Log(Real32x16 x) => ElementaryFunctions.Log(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Tanh(Real32x16 x) => ElementaryFunctions.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Erf(Real32x16 x) => ElementaryFunctions.Erf(x);

    public static Real32x16 Pow(Real32x16 x, Real32x16 y) => new(Vector512.Create(
        MathF.Pow(x.Value[0], y.Value[0]), MathF.Pow(x.Value[1], y.Value[1]), MathF.Pow(x.Value[2], y.Value[2]),
        MathF.Pow(x.Value[3], y.Value[3]), MathF.Pow(x.Value[4], y.Value[4]), MathF.Pow(x.Value[5], y.Value[5]),
        MathF.Pow(x.Value[6], y.Value[6]), MathF.Pow(x.Value[7], y.Value[7]), MathF.Pow(x.Value[8], y.Value[8]),
        MathF.Pow(x.Value[9], y.Value[9]), MathF.Pow(x.Value[10], y.Value[10]), MathF.Pow(x.Value[11], y.Value[11]),
        MathF.Pow(x.Value[12], y.Value[12]), MathF.Pow(x.Value[13], y.Value[13]), MathF.Pow(x.Value[14], y.Value[14]),
        MathF.Pow(x.Value[15], y.Value[15])));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Max(Real32x16 a, Real32x16 b) => new(Vector512.Max(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Greater(Real32x16 a, Real32x16 b) =>
        new(Vector512.GreaterThan(a.Value, b.Value) & Vector512<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 GreaterOrEqual(Real32x16 a, Real32x16 b) =>
        new(Vector512.GreaterThanOrEqual(a.Value, b.Value) & Vector512<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Equal(Real32x16 a, Real32x16 b) =>
        new(Vector512.Equals(a.Value, b.Value) & Vector512<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Select(Real32x16 condition, Real32x16 a, Real32x16 b) =>
        new(Vector512.ConditionalSelect(Vector512.Equals(condition.Value, Vector512<float>.Zero), b.Value, a.Value));

    // ---- memory -----------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Real32x16 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Real32x16 value, float* target) => value.Value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreWide(Real32x16 value, double* target)
    {
        var (low, high) = Vector512.Widen(value.Value);
        low.Store(target);
        high.Store(target + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Repeat(float value) => new(Vector512.Create(value));

    // ---- choices ----------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 IsLess(Real32x16 a, Real32x16 b) => new(Vector512.LessThan(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 IsLessOrEqual(Real32x16 a, Real32x16 b) => new(Vector512.LessThanOrEqual(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 IsEqual(Real32x16 a, Real32x16 b) => new(Vector512.Equals(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Choose(Real32x16 mask, Real32x16 a, Real32x16 b) =>
        new(Vector512.ConditionalSelect(mask.Value, a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 And(Real32x16 x, Real32x16 mask) => new(x.Value & mask.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 AndNot(Real32x16 x, Real32x16 mask) => new(Vector512.AndNot(x.Value, mask.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 First(int count) =>
        new(Vector512.LessThan(Vector512<int>.Indices, Vector512.Create(count)).AsSingle());

    // ---- whole numbers in the bits ----------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Min(Real32x16 a, Real32x16 b) => new(Vector512.Min(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 Round(Real32x16 x) => new(Vector512.Round(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 OfBits(int value) => new(Vector512.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 ToBits(Real32x16 x) => new(Vector512.ConvertToInt32(x.Value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 FromBits(Real32x16 bits) => new(Vector512.ConvertToSingle(bits.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 AddBits(Real32x16 a, Real32x16 b) =>
        new((a.Value.AsInt32() + b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 SubtractBits(Real32x16 a, Real32x16 b) =>
        new((a.Value.AsInt32() - b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 ShiftLeft(Real32x16 bits, int count) => new((bits.Value.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x16 ShiftRight(Real32x16 bits, int count) => new((bits.Value.AsInt32() >> count).AsSingle());
}
