using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

/// <summary>
/// What a device may offer for convolutions; the operation in <c>Ops/Conv2d.cs</c> falls back to windows and a matrix product. Images are
/// [N, H, W, C], weights [KH, KW, C / groups, O].
/// </summary>
public interface IConvolutionKernels
{
    /// <summary>y[n, i, j, o] = sum over the window and the group's channels of x * w.</summary>
    void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer y);

    /// <summary>The gradient of x, given that of y.</summary>
    void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient);

    /// <summary>The gradient of w, given that of y.</summary>
    void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient);
}

/// <summary>
/// What a device may offer for normalization; the operation in <c>Ops/Normalize.cs</c> falls back to means and elementwise arithmetic.
/// </summary>
/// <remarks>
/// The statistics of a set are four numbers, each kept in an array [4, sets]: pivot, remainder (mean = pivot + remainder), biased variance, and
/// 1 / sqrt(variance + eps).
/// </remarks>
public interface INormalizationKernels
{
    /// <summary>y = ((x - pivot) - remainder) * inverse, and the statistics.</summary>
    void Normalize(SharingGeometry geometry, double eps, Buffer x, Buffer y, Buffer statistics);

    /// <summary>The gradient of x, given that of y: inverse * (g - mean(g) - x^ mean(g x^)), the means over the set.</summary>
    void NormalizeGradient(SharingGeometry geometry, Buffer x, Buffer statistics, Buffer gradient, Buffer xGradient);
}

/// <summary>What a device may offer for max pooling; the operation in <c>Ops/MaxPool2d.cs</c> falls back to slices that compete.</summary>
public interface IPoolingKernels
{
    /// <summary>The largest element of each window; padding never wins.</summary>
    void MaxPool(WindowGeometry geometry, Buffer x, Buffer y);

    /// <summary>Each window's gradient goes to its first largest element.</summary>
    void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient);
}
