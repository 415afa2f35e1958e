using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// Two-dimensional convolution (<see cref="Conv2dOperation"/>), x [N, H, W, C] -> [N, OH, OW, O], weight
/// [KH, KW, C / groups, O]. In files the weight is [O, C / groups, KH, KW], PyTorch's order. The weight starts
/// He-normal by its fan-out, the bias at 0.
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
    public Conv2d(int inputs, int outputs, Size2d kernel, RandomSource random, Size2d? stride = null,
        Size2d padding = default, Size2d? dilation = null, int groups = 1, bool bias = true,
        Initializer? initializer = null)
        : this(new(inputs, outputs, kernel)
        {
            Stride = stride ?? 1,
            Padding = padding,
            Dilation = dilation ?? 1,
            Groups = groups,
            HasBias = bias
        }, random, initializer)
    { }

    /// <summary>A convolution.</summary>
    /// <param name="settings">What it maps, and how its window moves.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Conv2d(ConvolutionSettings settings, RandomSource random, Initializer? initializer = null)
        : base(Checked(settings, nameof(Conv2d)),
            new Shape(settings.Kernel.Height, settings.Kernel.Width, settings.Inputs / Math.Max(1, settings.Groups),
                settings.Outputs), [3, 2, 0, 1], random, initializer)
    { }

    /// <summary>
    /// What is done to the weight before it is used, such as <see cref="WeightStandardization"/>; null for nothing.
    /// </summary>
    public WeightTransform? WeightTransform { get; private set; }

    /// <summary>Has something done to the weight before it is used.</summary>
    /// <exception cref="ArgumentException">Something is done to it already; or the transform belongs to another
    /// convolution, or has parameters of the convolution's names.</exception>
    public void TransformWeight(WeightTransform transform)
    {
        CheckTransform(transform);
        WeightTransform = Child("", transform);
    }

    /// <summary>Refuses what <see cref="TransformWeight"/> would.</summary>
    internal void CheckTransform(WeightTransform transform)
    {
        if (WeightTransform is not null)
            throw new ArgumentException($"{Path}: its weight is transformed already, by '{WeightTransform.Variant}'.");
        CheckChild("", transform);
    }

    /// <summary>The weight that x meets, [KH, KW, C / groups, O].</summary>
    public Tensor UsedWeight => WeightTransform is null ? Weight : WeightTransform.Apply(Weight);

    /// <inheritdoc/>
    public override string Settings => base.Settings + (WeightTransform is null ? "" : $", {WeightTransform.Settings}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) =>
        x.Conv2d(UsedWeight, Bias?.Value, Configuration.Stride, Configuration.Padding, Configuration.Dilation,
            Configuration.Groups);
}

/// <summary>What convolutions have in common: what they map, and how their windows move.</summary>
/// <param name="Inputs">Channels of x.</param>
/// <param name="Outputs">Channels of y.</param>
/// <param name="Kernel">Height and width of the window; of a sequence, its length.</param>
public sealed record ConvolutionSettings(int Inputs, int Outputs, Size2d Kernel)
{
    /// <summary>How far the window moves.</summary>
    public Size2d Stride { get; init; } = 1;

    /// <summary>Zeros around the image; of a transposed convolution, how much is cut off around y.</summary>
    public Size2d Padding { get; init; }

    /// <summary>Of a transposed convolution, rows and columns added at the end, fewer than the stride.</summary>
    public Size2d OutputPadding { get; init; }

    /// <summary>How far apart the window's pixels lie.</summary>
    public Size2d Dilation { get; init; } = 1;

    /// <summary>
    /// Blocks of channels with weights of their own; as many as channels for a depthwise convolution.
    /// </summary>
    public int Groups { get; init; } = 1;

    /// <summary>Whether a number is added to each channel of y.</summary>
    public bool HasBias { get; init; } = true;

    /// <summary>The settings, without those that are as usual.</summary>
    public override string ToString() =>
        $"{Inputs} -> {Outputs}, kernel {Kernel}" + (Stride == 1 ? "" : $", stride {Stride}")
        + (Padding == 0 ? "" : $", padding {Padding}") + (OutputPadding == 0 ? "" : $", output padding {OutputPadding}")
        + (Dilation == 1 ? "" : $", dilation {Dilation}") + (Groups == 1 ? "" : $", groups {Groups}")
        + (HasBias ? "" : ", no bias");
}

/// <summary>
/// A convolution of some kind: a weight, maybe a bias, and settings. The weight starts He-normal by its fan-out, the
/// bias at 0.
/// </summary>
public abstract class Convolution : Module
{
    private protected Convolution(ConvolutionSettings settings, Shape weight, int[] fileAxes, RandomSource random,
        Initializer? initializer)
    {
        Configuration = settings;
        Weight = Parameter("weight", (initializer ?? Initializers.HeNormalFanOut)(weight, random), fileAxes: fileAxes);
        Bias = settings.HasBias ? Parameter("bias", Tensor.Zeros(new Shape(settings.Outputs))) : null;
    }

    /// <summary>What it maps, and how its windows move.</summary>
    public ConvolutionSettings Configuration { get; }

    /// <summary>The weight, whose axes the kind of convolution says.</summary>
    public Parameter Weight { get; }

    /// <summary>[O]; null when there is none.</summary>
    public Parameter? Bias { get; }

    /// <inheritdoc/>
    public override string Settings => $"{Configuration}";

    /// <summary>
    /// The same settings, if they can be and all of them are used; channels are counted before a weight of them is
    /// made.
    /// </summary>
    private protected static ConvolutionSettings Checked(ConvolutionSettings settings, string kind)
    {
        var (inputs, outputs, groups) = (settings.Inputs, settings.Outputs, settings.Groups);
        if (kind != nameof(ConvTranspose2d) && settings.OutputPadding != 0)
            throw new ShapeException($"{kind}: an output padding of {settings.OutputPadding}, which only a "
                + $"{nameof(ConvTranspose2d)} has.");
        if (inputs < 1 || outputs < 1 || groups < 1)
            throw new ShapeException($"{kind}: {inputs} input channels, {outputs} output channels and {groups} groups; "
                + "there must be at least one of each.");
        if (inputs % groups != 0 || outputs % groups != 0)
            throw new ShapeException($"{kind}: {groups} groups do not divide {inputs} input channels and {outputs} "
                + "output channels.");
        return settings;
    }
}
