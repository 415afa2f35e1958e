using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

/// <summary>
/// What a device may offer for convolutions; the operation in <c>Ops/Conv2d.cs</c> falls back to windows and a matrix
/// product. Images are [N, H, W, C], weights [KH, KW, C / groups, O].
/// </summary>
public interface IConvolutionKernels
{
    /// <summary>
    /// y[n, i, j, o] = bias[o] + sum over the window and the group's channels of x * w; without a bias, the sum.
    /// </summary>
    void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y);

    /// <summary>
    /// The same, to the bit, for weights that stay as they are from one call to the next: what the device makes of them
    /// alone it may leave in <paramref name="kept"/>, null at first, for the next call with these weights. Whoever
    /// calls drops it before he changes one of their numbers. Several threads may call with the same weights. By
    /// default nothing is kept.
    /// </summary>
    void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y, ref object? kept) =>
        Convolve(geometry, x, w, bias, y);

    /// <summary>The gradient of x, given that of y.</summary>
    void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient);

    /// <summary>The gradient of w, given that of y.</summary>
    void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient);
}

/// <summary>
/// What a device may offer for normalization; the operation in <c>Ops/Normalize.cs</c> falls back to means and
/// elementwise arithmetic.
/// </summary>
/// <remarks>
/// The statistics of a set are four numbers, each kept in an array [4, sets]: pivot, remainder (mean = pivot +
/// remainder), biased variance, and inverse = 1 / sqrt(variance + eps). With them, x^ = ((x - pivot) - remainder) *
/// inverse. Where nothing is centered, pivot and remainder are 0, and the variance is the mean of the squares.
/// </remarks>
public interface INormalizationKernels
{
    /// <summary>
    /// y = x^ * gamma + beta + residual, rectified if the geometry says so, and the statistics. What is null is left
    /// out. Given statistics are pivot, remainder and variance to begin with, and the inverse is added; so those of an
    /// earlier call give its y once more, to the bit.
    /// </summary>
    void Normalize(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer? residual,
        Buffer statistics, Buffer y);

    /// <summary>The mean, pivot + remainder, and the biased variance of each set.</summary>
    void ReadMoments(Buffer statistics, Buffer mean, Buffer variance);

    /// <summary>
    /// The gradients, given that of y. With g = gradient * (y is not 0, if rectified) and means over the set:
    /// <code>
    /// x         inverse * (g gamma - mean(g gamma) - x^ mean(g gamma x^)), without mean(g gamma) where nothing is
    ///           centered; inverse * g gamma if the statistics are given
    /// gamma     the sum over everything but channels of g x^
    /// beta      the sum of g
    /// residual  g; wanted only when there is a residual and the result is rectified, which is when y must be there
    /// </code>
    /// </summary>
    void NormalizeGradient(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer statistics,
        Buffer? y, Buffer gradient, Buffer xGradient, Buffer gammaGradient, Buffer betaGradient,
        Buffer? residualGradient);
}

/// <summary>
/// What a device may offer for max pooling; the operation in <c>Ops/MaxPool2d.cs</c> falls back to slices that compete.
/// </summary>
public interface IPoolingKernels
{
    /// <summary>The largest element of each window; padding never wins.</summary>
    void MaxPool(WindowGeometry geometry, Buffer x, Buffer y);

    /// <summary>Each window's gradient goes to its first largest element.</summary>
    void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient);
}
