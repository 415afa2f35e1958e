using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// Two-dimensional convolution (<see cref="Conv2dOperation"/>), x [N, H, W, C] -> [N, OH, OW, O], weight [KH, KW, C / groups, O].
/// In files the weight is [O, C / groups, KH, KW], PyTorch's order. The weight starts He-normal by its fan-out, the bias at 0.
/// </summary>
public sealed class Conv2d : Convolution
{
    /// <summary>A convolution.</summary>
    /// <param name="inputs">Channels of x.</param>
    /// <param name="outputs">Channels of y.</param>
    /// <param name="kernel">Height and width of the window.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="stride">How far the window moves; 1 when not given.</param>
    /// <param name="padding">Zeros around the image.</param>
    /// <param name="dilation">How far apart the window's pixels lie; 1 when not given.</param>
    /// <param name="groups">Blocks of channels with weights of their own; as many as channels for a depthwise
    /// convolution.</param>
    /// <param name="bias">Whether a number is added to each channel of y.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Conv2d(int inputs, int outputs, Size2d kernel, RandomSource random, Size2d? stride = null, Size2d padding = default,
        Size2d? dilation = null, int groups = 1, bool bias = true, Initializer? initializer = null)
        : this(new(inputs, outputs, kernel) { Stride = stride ?? 1, Padding = padding, Dilation = dilation ?? 1, Groups = groups, HasBias = bias },
            random, initializer)
    { }

    /// <summary>A convolution.</summary>
    /// <param name="settings">What it maps, and how its window moves.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Conv2d(ConvolutionSettings settings, RandomSource random, Initializer? initializer = null)
        : base(Checked(settings, nameof(Conv2d)), new Shape(settings.Kernel.Height, settings.Kernel.Width, settings.Inputs / Math.Max(1,
            settings.Groups), settings.Outputs), [3, 2, 0, 1], random, initializer)
    { }

    /// <summary>What is done to the weight before it is used, such as <see cref="WeightStandardization"/>; null for nothing.</summary>
    public WeightTransform? WeightTransform { get; private set; }

    /// <summary>Has something done to the weight before it is used.</summary>
    /// <exception cref="ArgumentException">Something is done to it already.</exception>
    public void TransformWeight(WeightTransform transform) => WeightTransform = WeightTransform is null ? Child("", transform)
        : throw new ArgumentException($"{Path}: its weight is transformed already, by '{WeightTransform.Variant}'.");

    /// <summary>The weight that x meets, [KH, KW, C / groups, O].</summary>
    public Tensor UsedWeight => WeightTransform is null ? Weight : WeightTransform.Apply(Weight);

    /// <inheritdoc/>
    public override string Settings => base.Settings + (WeightTransform is null ? "" : $", {WeightTransform.Settings}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Conv2d(UsedWeight, Bias?.Value, Configuration.Stride, Configuration.Padding,
        Configuration.Dilation, Configuration.Groups);
}
