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
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer y)
    {
        if (y.Length == 0) return;
        if (SuitsWinograd(geometry)) WinogradConvolution.Convolve(geometry, Pool, Pointer(x), Pointer(w), Pointer(y));
        else DirectConvolution.Convolve(geometry, Pool, Pointer(x), Pointer(w), Pointer(y));
        KeepAlive(x, w, y);
    }

    /// <inheritdoc/>
    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        if (SuitsWinograd(geometry)) WinogradConvolution.InputGradient(geometry, Pool, Pointer(gradient), Pointer(w), Pointer(xGradient));
        else DirectConvolution.InputGradient(geometry, Pool, Pointer(gradient), Pointer(w), Pointer(xGradient));
        KeepAlive(gradient, w, xGradient);
    }

    /// <inheritdoc/>
    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient)
    {
        if (gradient.Length == 0) Fill(wGradient, 0);
        else if (wGradient.Length == 0) return;
        else if (SuitsWinograd(geometry)) WinogradWeightGradient.Run(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        else WeightGradient.Run(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        KeepAlive(x, gradient, wGradient);
    }

    private bool SuitsWinograd(ConvolutionGeometry geometry) => UsesWinograd && geometry.Groups == 1
        && geometry.Windows is { Kernel: (3, 3), Stride: (1, 1), Dilation: (1, 1) } && geometry.Windows.Channels >= 8 && geometry.OutputChannels >= 8;

    // The pointers of these buffers were in use until here.
    private static void KeepAlive(Buffer a, Buffer b, Buffer c)
    {
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
    }
}
