using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// What follows the affine part of a normalization, in registers, and which gradients pass it: for the loops of
/// <see cref="NormalizationRows"/>.
/// </summary>
internal static unsafe class NormalizationFollow
{
    // x where the value of a ReLU is not 0, else 0; NaN is not 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TLanes Keep<TLanes>(TLanes x, TLanes value) where TLanes : struct, ILanes<TLanes> =>
        TLanes.AndNot(x, TLanes.IsLessOrEqual(value, TLanes.Zero));

    // ---- what follows the affine ------------------------------------------------------------------------------------

    /// <summary>What becomes of the value at an element.</summary>
    public interface IFollow
    {
        TLanes Apply<TLanes>(TLanes value, long element) where TLanes : struct, ILanes<TLanes>;
    }

    public readonly struct Nothing : IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TLanes Apply<TLanes>(TLanes value, long element) where TLanes : struct, ILanes<TLanes> => value;
    }

    public readonly struct AddingResidual(float* residual) : IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TLanes Apply<TLanes>(TLanes value, long element) where TLanes : struct, ILanes<TLanes> =>
            value + TLanes.Load(residual + element);
    }

    public readonly struct Rectifying<TBefore>(TBefore before) : IFollow where TBefore : struct, IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TLanes Apply<TLanes>(TLanes value, long element) where TLanes : struct, ILanes<TLanes>
        {
            value = before.Apply(value, element);
            return Keep(value, value);
        }
    }

    // ---- which gradients pass the ReLU ------------------------------------------------------------------------------

    /// <summary>What becomes of the gradient of a value.</summary>
    public interface IMask
    {
        static abstract TLanes Apply<TLanes>(TLanes gradient, TLanes value) where TLanes : struct, ILanes<TLanes>;
    }

    public readonly struct All : IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TLanes Apply<TLanes>(TLanes gradient, TLanes value) where TLanes : struct, ILanes<TLanes> =>
            gradient;
    }

    public readonly struct Positive : IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static TLanes Apply<TLanes>(TLanes gradient, TLanes value) where TLanes : struct, ILanes<TLanes> =>
            Keep(gradient, value);
    }
}
