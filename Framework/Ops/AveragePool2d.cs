using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The mean of each window, channel by channel: [N, H, W, C] -> [N, OH, OW, C]. Padding counts as zeros, as PyTorch's
/// default does. The gradient is spread evenly over the window.
/// </summary>
public static class AveragePool2dOperation
{
    /// <summary>The mean of each window.</summary>
    /// <param name="x">Images [N, H, W, C].</param>
    /// <param name="kernel">Height and width of a window.</param>
    /// <param name="stride">How far the windows move; the kernel's size when not given.</param>
    /// <param name="padding">Zeros around the image, which count.</param>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Tensor AveragePool2d(this Tensor x, Size2d kernel, Size2d? stride = null, Size2d padding = default) =>
        x.ExtractWindows(WindowsOperation.Geometry("average pool", x.Shape, kernel, stride ?? kernel, padding, null))
        .Mean(3, 4);
}
