using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

public sealed unsafe partial class CpuDevice : IConvolutionKernels
{
    /// <inheritdoc/>
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer y)
    {
        if (y.Length > 0) DirectConvolution.Convolve(geometry, Pool, Pointer(x), Pointer(w), Pointer(y));
        KeepAlive(x, w, y);
    }

    /// <inheritdoc/>
    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient)
    {
        if (xGradient.Length > 0) DirectConvolution.InputGradient(geometry, Pool, Pointer(gradient), Pointer(w), Pointer(xGradient));
        KeepAlive(gradient, w, xGradient);
    }

    /// <inheritdoc/>
    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient)
    {
        if (gradient.Length == 0) Fill(wGradient, 0);
        else if (wGradient.Length > 0) WeightGradient.Run(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
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
