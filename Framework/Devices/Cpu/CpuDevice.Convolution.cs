using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

public sealed unsafe partial class CpuDevice : IConvolutionKernels
{
    private const int MostWinogradWeights = 1 << 20;   // beyond, 36 numbers for each of them would be more than a network's images
    private const int WinogradWeightsOfTile = 1 << 16;

    /// <summary>
    /// Whether 3x3 convolutions of stride 1 use Winograd's F(4x4, 3x3): a quarter of the multiplications, and an error of up to 1e-5 of the largest
    /// value of conv(|x|, |w|), a few times that of the direct kernels. True unless set; set it before the first convolution.
    /// </summary>
    public bool UsesWinograd { get; set; } = true;

    /// <inheritdoc/>
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y)
    {
        if (y.Length == 0) return;
        var start = bias is null ? null : Pointer(bias);
        if (SuitsTransformedWeights(geometry)) WinogradConvolution.Convolve(geometry, Pool, Pointer(x), Pointer(w), start, Pointer(y));
        else if (DepthwiseConvolution.Suits(geometry)) DepthwiseConvolution.Convolve(geometry, Pointer(x), Pointer(w), start, Pointer(y));
        else DirectConvolution.Convolve(geometry, Pool, Pointer(x), Pointer(w), start, Pointer(y));
        KeepAlive(x, w, y);
        GC.KeepAlive(bias);
    }

    /// <inheritdoc/>
    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        if (SuitsTransformedWeights(geometry)) WinogradConvolution.InputGradient(geometry, Pool, Pointer(gradient), Pointer(w), Pointer(xGradient));
        else if (DepthwiseConvolution.Suits(geometry))
            DepthwiseConvolution.InputGradient(geometry, Pointer(gradient), Pointer(w), Pointer(xGradient));
        else DirectConvolution.InputGradient(geometry, Pool, Pointer(gradient), Pointer(w), Pointer(xGradient));
        KeepAlive(gradient, w, xGradient);
    }

    /// <inheritdoc/>
    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient)
    {
        if (gradient.Length == 0) Fill(wGradient, 0);
        else if (wGradient.Length == 0) return;
        else if (SuitsWinograd(geometry)) WinogradWeightGradient.Run(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        else if (DepthwiseConvolution.Suits(geometry))
            DepthwiseConvolution.WeightGradient(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        else WeightGradient.Run(geometry, Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        KeepAlive(x, gradient, wGradient);
    }

    private bool SuitsWinograd(ConvolutionGeometry geometry) => UsesWinograd && geometry.Groups == 1
        && geometry.Windows is { Kernel: (3, 3), Stride: (1, 1), Dilation: (1, 1), Channels: >= 8 } && geometry.OutputChannels >= 8
        && Weights(geometry) <= MostWinogradWeights;

    // Where an image has few tiles and there are many weights, the weights' transform costs what the products save. The size of the batch must not
    // decide: a sample has the same bits alone and in a batch.
    private bool SuitsTransformedWeights(ConvolutionGeometry geometry)
    {
        var tiles = ((geometry.Windows.OutputHeight + 3L) / 4) * ((geometry.Windows.OutputWidth + 3) / 4);
        return SuitsWinograd(geometry) && Weights(geometry) <= WinogradWeightsOfTile * tiles;
    }

    private static long Weights(ConvolutionGeometry geometry) => (long)geometry.Windows.Channels * geometry.OutputChannels;

    // The pointers of these buffers were in use until here.
    private static void KeepAlive(Buffer a, Buffer b, Buffer c)
    {
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
    }
}
