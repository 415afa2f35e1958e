using Tapegrad.Devices;

namespace Tapegrad.Layers;

// Pooling as layers, for Sequential: [N, H, W, C] -> [N, OH, OW, C], and the global one [N, .., C] -> [N, C].

/// <summary>Pooling by windows, which lie side by side unless a stride is given.</summary>
public abstract class WindowPooling : Module
{
    private protected WindowPooling(Size2d kernel, Size2d? stride, Size2d padding) =>
        (Kernel, Stride, Padding) = (kernel, stride ?? kernel, padding);

    /// <summary>Height and width of a window.</summary>
    public Size2d Kernel { get; }

    /// <summary>How far the windows move.</summary>
    public Size2d Stride { get; }

    /// <summary>What frames the image.</summary>
    public Size2d Padding { get; }

    /// <inheritdoc/>
    public override string Settings =>
        $"kernel {Kernel}, stride {Stride}{(Padding == 0 ? "" : $", padding {Padding}")}";
}

/// <summary>The largest element of each window (<see cref="MaxPool2dOperation"/>); padding never wins.</summary>
public sealed class MaxPool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default)
    : WindowPooling(kernel, stride, padding)
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.MaxPool2d(Kernel, Stride, Padding);
}

/// <summary>The mean of each window, padding counted as zeros (<see cref="AveragePool2dOperation"/>).</summary>
public sealed class AveragePool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default)
    : WindowPooling(kernel, stride, padding)
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.AveragePool2d(Kernel, Stride, Padding);
}

/// <summary>The mean over all positions: [N, .., C] -> [N, C].</summary>
public sealed class GlobalAveragePool : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.GlobalAveragePool();
}
