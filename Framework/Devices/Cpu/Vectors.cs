using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices.Cpu;

/// <summary>Vectors of floats in and out of memory.</summary>
internal static unsafe class Vectors
{
    /// <summary>Floats in a vector.</summary>
    public const int Lanes = Real32x8.Lanes;

    /// <summary>The eight numbers that begin here.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Real32x8 Load(float* source) => new(Vector256.Load(source));

    /// <summary>All lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Real32x8 value, float* target) => value.Value.Store(target);

    /// <summary>Only the first lanes, for the end of a run behind which other elements lie.</summary>
    public static void Store(Real32x8 value, float* target, int lanes)
    {
        for (var lane = 0; lane < lanes; lane++) target[lane] = value.Value[lane];
    }
}
