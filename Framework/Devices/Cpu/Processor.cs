using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Tapegrad.Devices.Cpu;

/// <summary>What decides which of two kernels with the same bits is the faster one.</summary>
internal static class Processor
{
    // "AuthenticAMD", of which the first four letters come first.
    private const int Authentic = 0x68747541;
    private const int ThirdAndFourthGeneration = 0x19;   // the family of Zen 3, which has no such vectors, and Zen 4

    /// <summary>
    /// Whether a vector of sixteen floats is computed in two halves, as by Zen 4, which loads one in a cycle. There a
    /// tile of one such vector in each row waits for its loads, and one of two vectors of eight does not.
    /// </summary>
    public static bool HalvesVectors { get; } = Vector512.IsHardwareAccelerated && X86Base.IsSupported
        && X86Base.CpuId(0, 0).Ebx == Authentic && Family == ThirdAndFourthGeneration;

    private static int Family
    {
        get
        {
            var signature = X86Base.CpuId(1, 0).Eax;
            return ((signature >> 8) & 0xF) + ((signature >> 20) & 0xFF);
        }
    }
}
