using Tapegrad.Devices;

namespace Tapegrad.Layers;

// Pooling as layers, for Sequential: [N, H, W, C] -> [N, OH, OW, C], and the global one [N, .., C] -> [N, C].

/// <summary>
/// The largest element of each window (<see cref="MaxPool2dOperation"/>). The windows lie side by side unless a stride
/// is given.
/// </summary>
public sealed class MaxPool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default) : Module
{
    /// <summary>Height and width of a window.</summary>
    public Size2d Kernel { get; } = kernel;

    /// <summary>How far the windows move.</summary>
    public Size2d Stride { get; } = stride ?? kernel;

    /// <summary>What frames the image and never wins.</summary>
    public Size2d Padding { get; } = padding;

    /// <inheritdoc/>
    public override string Settings =>
        $"kernel {Kernel}, stride {Stride}{(Padding == 0 ? "" : $", padding {Padding}")}";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.MaxPool2d(Kernel, Stride, Padding);
}

/// <summary>
/// The mean of each window, padding counted (<see cref="AveragePool2dOperation"/>). The windows lie side by side unless
/// a stride is given.
/// </summary>
public sealed class AveragePool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default) : Module
{
    /// <summary>Height and width of a window.</summary>
    public Size2d Kernel { get; } = kernel;

    /// <summary>How far the windows move.</summary>
    public Size2d Stride { get; } = stride ?? kernel;

    /// <summary>Zeros around the image, which count.</summary>
    public Size2d Padding { get; } = padding;

    /// <inheritdoc/>
    public override string Settings =>
        $"kernel {Kernel}, stride {Stride}{(Padding == 0 ? "" : $", padding {Padding}")}";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.AveragePool2d(Kernel, Stride, Padding);
}

/// <summary>The mean over all positions: [N, .., C] -> [N, C].</summary>
public sealed class GlobalAveragePool : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.GlobalAveragePool();
}
