using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// The transpose of a two-dimensional convolution (<see cref="ConvTranspose2dOperation"/>), x [N, H, W, C] ->
/// [N, OH, OW, O], weight [KH, KW, O / groups, C]. In files the weight is [C, O / groups, KH, KW], PyTorch's order. The
/// weight starts He-normal by its fan-out, which is that of the convolution it transposes, the bias at 0.
/// </summary>
public sealed class ConvTranspose2d : Convolution
{
    /// <summary>A convolution's transpose.</summary>
    /// <param name="inputs">Channels of x.</param>
    /// <param name="outputs">Channels of y.</param>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="stride">How far apart the windows of y lie; 1 when not given.</param>
    /// <param name="padding">How much is cut off around y.</param>
    /// <param name="outputPadding">Rows and columns added at the end, fewer than the stride.</param>
    /// <param name="dilation">How far apart a window's pixels lie; 1 when not given.</param>
    /// <param name="groups">Blocks of channels with weights of their own.</param>
    /// <param name="bias">Whether a number is added to each channel of y.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public ConvTranspose2d(int inputs, int outputs, Size2d kernel, RandomSource random, Size2d? stride = null,
        Size2d padding = default, Size2d outputPadding = default, Size2d? dilation = null, int groups = 1,
        bool bias = true, Initializer? initializer = null)
        : this(new(inputs, outputs, kernel)
        {
            Stride = stride ?? 1,
            Padding = padding,
            OutputPadding = outputPadding,
            Dilation = dilation ?? 1,
            Groups = groups,
            HasBias = bias,
        }, random, initializer)
    { }

    /// <summary>A convolution's transpose.</summary>
    /// <param name="settings">What it maps, and how its window moves.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public ConvTranspose2d(ConvolutionSettings settings, RandomSource random, Initializer? initializer = null)
        : base(Checked(settings, nameof(ConvTranspose2d)),
            new Shape(settings.Kernel.Height, settings.Kernel.Width, settings.Outputs / Math.Max(1, settings.Groups),
                settings.Inputs), [3, 2, 0, 1], random, initializer)
    { }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) =>
        x.ConvTranspose2d(Weight, Bias?.Value, Configuration.Stride, Configuration.Padding,
        Configuration.OutputPadding, Configuration.Dilation, Configuration.Groups);
}
