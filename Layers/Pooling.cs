using Tapegrad.Devices;

namespace Tapegrad.Layers;

// Pooling as layers, for Sequential: [N, H, W, C] -> [N, OH, OW, C], and the global one [N, .., C] -> [N, C].

/// <summary>
/// The largest element of each window (<see cref="MaxPool2dOperation"/>). The windows lie side by side unless a stride is given.
/// </summary>
public sealed class MaxPool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default) : Module
{
    /// <inheritdoc/>
    public override string Settings => $"kernel {kernel}, stride {stride ?? kernel}{(padding == 0 ? "" : $", padding {padding}")}";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.MaxPool2d(kernel, stride, padding);
}

/// <summary>
/// The mean of each window, padding counted (<see cref="AveragePool2dOperation"/>). The windows lie side by side unless a stride
/// is given.
/// </summary>
public sealed class AveragePool2d(Size2d kernel, Size2d? stride = null, Size2d padding = default) : Module
{
    /// <inheritdoc/>
    public override string Settings => $"kernel {kernel}, stride {stride ?? kernel}{(padding == 0 ? "" : $", padding {padding}")}";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.AveragePool2d(kernel, stride, padding);
}

/// <summary>The mean over all positions: [N, .., C] -> [N, C].</summary>
public sealed class GlobalAveragePool : Module
{
    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.GlobalAveragePool();
}
