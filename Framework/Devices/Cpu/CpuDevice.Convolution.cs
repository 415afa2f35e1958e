using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

public sealed unsafe partial class CpuDevice : IConvolutionKernels
{
    /// <summary>
    /// Whether 3x3 convolutions of stride 1 use Winograd's F(4x4, 3x3): a quarter of the multiplications, and an error of up to 1e-5 of the largest
    /// value of conv(|x|, |w|), a few times that of the direct kernels. True unless set; set it before the first convolution.
    /// </summary>
    public bool UsesWinograd { get; set; } = true;

    /// <inheritdoc/>
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y)
    {
        if (y.Length == 0) return;
        Convolutions.For(geometry, isGradient: false, UsesWinograd).Run(Pool, Pointer(x), Pointer(w), PointerOrNull(bias), Pointer(y));
        KeepAlive(x, w, y);
        GC.KeepAlive(bias);
    }

    /// <inheritdoc/>
    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        Convolutions.For(geometry, isGradient: true, UsesWinograd).Run(Pool, Pointer(gradient), Pointer(w), null, Pointer(xGradient));
        KeepAlive(gradient, w, xGradient);
    }

    /// <inheritdoc/>
    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient)
    {
        if (gradient.Length == 0) Fill(wGradient, 0);
        else if (wGradient.Length == 0) return;
        else Convolutions.WeightGradientFor(geometry, UsesWinograd).Run(Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        KeepAlive(x, gradient, wGradient);
    }

    // The pointers of these buffers were in use until here.
    private static void KeepAlive(Buffer a, Buffer b, Buffer c)
    {
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
    }
}
