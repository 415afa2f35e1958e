using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// One-dimensional convolution (<see cref="Conv1dOperation"/>), x [N, L, C] -> [N, OL, O], weight [K, C / groups, O].
/// In files the weight is [O, C / groups, K], PyTorch's order. The weight starts He-normal by its fan-out, the bias at
/// 0.
/// </summary>
public sealed class Conv1d : Convolution
{
    /// <summary>A convolution of sequences.</summary>
    /// <param name="inputs">Channels of x.</param>
    /// <param name="outputs">Channels of y.</param>
    /// <param name="kernel">The window's length.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="stride">How far the window moves.</param>
    /// <param name="padding">Zeros before and behind the sequence.</param>
    /// <param name="dilation">How far apart the window's elements lie.</param>
    /// <param name="groups">Blocks of channels with weights of their own.</param>
    /// <param name="bias">Whether a number is added to each channel of y.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Conv1d(int inputs, int outputs, int kernel, RandomSource random, int stride = 1, int padding = 0,
        int dilation = 1, int groups = 1, bool bias = true, Initializer? initializer = null)
        : this(new(inputs, outputs, kernel)
        {
            Stride = stride,
            Padding = padding,
            Dilation = dilation,
            Groups = groups,
            HasBias = bias
        }, random, initializer)
    { }

    /// <summary>A convolution of sequences; sizes are equal both ways, as a number is. Else they are refused.</summary>
    /// <param name="settings">What it maps, and how its window moves.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Conv1d(ConvolutionSettings settings, RandomSource random, Initializer? initializer = null)
        : base(Checked(OneWay(settings), nameof(Conv1d)),
            new Shape(settings.Kernel.Height, settings.Inputs / Math.Max(1, settings.Groups), settings.Outputs),
            [2, 1, 0], random, initializer)
    { }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) =>
        x.Conv1d(Weight, Bias?.Value, Configuration.Stride.Height, Configuration.Padding.Height,
        Configuration.Dilation.Height, Configuration.Groups);

    private static ConvolutionSettings OneWay(ConvolutionSettings settings)
    {
        foreach (var (what, size) in ((string, Size2d)[])[("kernel", settings.Kernel), ("stride", settings.Stride),
            ("padding", settings.Padding), ("dilation", settings.Dilation)])
            if (size.Height != size.Width)
                throw new ShapeException($"{nameof(Conv1d)}: a {what} of {size}; a sequence has one direction, so give "
                    + "one number.");
        return settings;
    }
}
