using System.Runtime.Intrinsics;
using Tapegrad.Devices.Cpu;

namespace Tapegrad.Devices;

/// <summary>The float device of this process's processor. See <see cref="VectorDevice{TLanes}"/>.</summary>
public abstract class CpuDevice : Device
{
    private protected CpuDevice() : base("CPU") { }

    /// <summary>
    /// A device of its own, which shares the threads, and has the bits of every other one: with vectors of sixteen
    /// floats where the processor is fastest with them, else of eight.
    /// </summary>
    public static CpuDevice Create() => Vector512.IsHardwareAccelerated ? new VectorDevice<Real32x16>()
        : new VectorDevice<Real32x8>();

    /// <summary>
    /// Whether 3x3 convolutions of stride 1 use Winograd's F(4x4, 3x3): a quarter of the multiplications, and an error
    /// of up to 1e-5 of the largest value of conv(|x|, |w|), a few times that of the direct kernels. True unless set;
    /// set it before the first convolution.
    /// </summary>
    public bool UsesWinograd { get; set; } = true;
}
