using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Eight floats side by side, in registers of 256 bits: the number of the <see cref="CpuDevice"/> on processors that
/// have none of 512 bits, or are slower with them. Each lane holds the bits that <see cref="Real32"/> would.
/// </summary>
/// <remarks>
/// Arithmetic is one instruction for all lanes and exactly rounded; Exp, Log, Tanh and Erf are made of it
/// (<see cref="ElementaryFunctions"/>), so no instruction set changes their bits. Pow goes lane by lane through
/// <see cref="MathF"/>.
/// </remarks>
internal readonly record struct Real32x8(Vector256<float> Value) : ILanes<Real32x8>
{
    public static int Count => 8;

    public float this[int lane] => Value[lane];

    // ---- arithmetic -------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Of(double value) => new(Vector256.Create((float)value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator +(Real32x8 a, Real32x8 b) => new(a.Value + b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator -(Real32x8 a, Real32x8 b) => new(a.Value - b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator *(Real32x8 a, Real32x8 b) => new(a.Value * b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator /(Real32x8 a, Real32x8 b) => new(a.Value / b.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator -(Real32x8 a) => new(-a.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 FusedMultiplyAdd(Real32x8 a, Real32x8 b, Real32x8 c) =>
        new(Vector256.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Abs(Real32x8 x) => new(Vector256.Abs(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Sqrt(Real32x8 x) => new(Vector256.Sqrt(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Exp(Real32x8 x) => ElementaryFunctions.Exp(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Log(Real32x8 x) => ElementaryFunctions.Log(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Tanh(Real32x8 x) => ElementaryFunctions.Tanh(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Erf(Real32x8 x) => ElementaryFunctions.Erf(x);

    public static Real32x8 Pow(Real32x8 x, Real32x8 y) => new(Vector256.Create(
        MathF.Pow(x.Value[0], y.Value[0]), MathF.Pow(x.Value[1], y.Value[1]), MathF.Pow(x.Value[2], y.Value[2]),
        MathF.Pow(x.Value[3], y.Value[3]), MathF.Pow(x.Value[4], y.Value[4]), MathF.Pow(x.Value[5], y.Value[5]),
        MathF.Pow(x.Value[6], y.Value[6]), MathF.Pow(x.Value[7], y.Value[7])));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Max(Real32x8 a, Real32x8 b) => new(Vector256.Max(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Greater(Real32x8 a, Real32x8 b) =>
        new(Vector256.GreaterThan(a.Value, b.Value) & Vector256<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 GreaterOrEqual(Real32x8 a, Real32x8 b) =>
        new(Vector256.GreaterThanOrEqual(a.Value, b.Value) & Vector256<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Equal(Real32x8 a, Real32x8 b) =>
        new(Vector256.Equals(a.Value, b.Value) & Vector256<float>.One);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Select(Real32x8 condition, Real32x8 a, Real32x8 b) =>
        new(Vector256.ConditionalSelect(Vector256.Equals(condition.Value, Vector256<float>.Zero), b.Value, a.Value));

    // ---- memory -----------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe Real32x8 Load(float* source) => new(Vector256.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void Store(Real32x8 value, float* target) => value.Value.Store(target);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StoreWide(Real32x8 value, double* target)
    {
        var (low, high) = Vector256.Widen(value.Value);
        low.Store(target);
        high.Store(target + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Repeat(float value) => new(Vector256.Create(value));

    // ---- choices ----------------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 IsLess(Real32x8 a, Real32x8 b) => new(Vector256.LessThan(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 IsLessOrEqual(Real32x8 a, Real32x8 b) => new(Vector256.LessThanOrEqual(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 IsEqual(Real32x8 a, Real32x8 b) => new(Vector256.Equals(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Choose(Real32x8 mask, Real32x8 a, Real32x8 b) =>
        new(Vector256.ConditionalSelect(mask.Value, a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 And(Real32x8 x, Real32x8 mask) => new(x.Value & mask.Value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 AndNot(Real32x8 x, Real32x8 mask) => new(Vector256.AndNot(x.Value, mask.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 First(int count) =>
        new(Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle());

    // ---- whole numbers in the bits ----------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Min(Real32x8 a, Real32x8 b) => new(Vector256.Min(a.Value, b.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Round(Real32x8 x) => new(Vector256.Round(x.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 OfBits(int value) => new(Vector256.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 ToBits(Real32x8 x) => new(Vector256.ConvertToInt32(x.Value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 FromBits(Real32x8 bits) => new(Vector256.ConvertToSingle(bits.Value.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 AddBits(Real32x8 a, Real32x8 b) => new((a.Value.AsInt32() + b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 SubtractBits(Real32x8 a, Real32x8 b) =>
        new((a.Value.AsInt32() - b.Value.AsInt32()).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 ShiftLeft(Real32x8 bits, int count) => new((bits.Value.AsInt32() << count).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 ShiftRight(Real32x8 bits, int count) => new((bits.Value.AsInt32() >> count).AsSingle());
}
