using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Eight floats side by side: the number of the <see cref="CpuDevice"/>. Each lane holds the bits that
/// <see cref="Real32"/> would.
/// </summary>
/// <remarks>
/// Arithmetic is one instruction for all lanes and exactly rounded; Exp, Log, Tanh and Erf are made of it
/// (<see cref="ElementaryFunctions"/>), so no instruction set changes their bits. Pow goes lane by lane through
/// <see cref="MathF"/>.
/// </remarks>
public readonly record struct Real32x8(Vector256<float> Value) : IReal<Real32x8>
{
    /// <summary>The number of lanes.</summary>
    public const int Lanes = 8;

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Of(double value) => new(Vector256.Create((float)value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator +(Real32x8 a, Real32x8 b) => new(a.Value + b.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator -(Real32x8 a, Real32x8 b) => new(a.Value - b.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator *(Real32x8 a, Real32x8 b) => new(a.Value * b.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator /(Real32x8 a, Real32x8 b) => new(a.Value / b.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 operator -(Real32x8 a) => new(-a.Value);

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 FusedMultiplyAdd(Real32x8 a, Real32x8 b, Real32x8 c) =>
        new(Vector256.FusedMultiplyAdd(a.Value, b.Value, c.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Abs(Real32x8 x) => new(Vector256.Abs(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Sqrt(Real32x8 x) => new(Vector256.Sqrt(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Exp(Real32x8 x) => new(ElementaryFunctions.Exp(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Log(Real32x8 x) => new(ElementaryFunctions.Log(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Tanh(Real32x8 x) => new(ElementaryFunctions.Tanh(x.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Erf(Real32x8 x) => new(ElementaryFunctions.Erf(x.Value));

    /// <inheritdoc/>
    public static Real32x8 Pow(Real32x8 x, Real32x8 y) => new(Vector256.Create(
        MathF.Pow(x.Value[0], y.Value[0]), MathF.Pow(x.Value[1], y.Value[1]), MathF.Pow(x.Value[2], y.Value[2]),
        MathF.Pow(x.Value[3], y.Value[3]), MathF.Pow(x.Value[4], y.Value[4]), MathF.Pow(x.Value[5], y.Value[5]),
        MathF.Pow(x.Value[6], y.Value[6]), MathF.Pow(x.Value[7], y.Value[7])));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Max(Real32x8 a, Real32x8 b) => new(Vector256.Max(a.Value, b.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Greater(Real32x8 a, Real32x8 b) => OneWhere(Vector256.GreaterThan(a.Value, b.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 GreaterOrEqual(Real32x8 a, Real32x8 b) =>
        OneWhere(Vector256.GreaterThanOrEqual(a.Value, b.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Equal(Real32x8 a, Real32x8 b) => OneWhere(Vector256.Equals(a.Value, b.Value));

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Select(Real32x8 condition, Real32x8 a, Real32x8 b) =>
        new(Vector256.ConditionalSelect(Vector256.Equals(condition.Value, Vector256<float>.Zero), b.Value, a.Value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Real32x8 OneWhere(Vector256<float> mask) => new(mask & Vector256<float>.One);
}
