using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// Two-dimensional convolution (<see cref="Conv2dOperation"/>), x [N, H, W, C] -> [N, OH, OW, O], weight [KH, KW, C / groups, O].
/// In files the weight is [O, C / groups, KH, KW], PyTorch's order. The weight starts He-normal by its fan-out, the bias at 0.
/// </summary>
public sealed class Conv2d : Module
{
    private readonly int inputs, outputs;
    private readonly Size2d kernel;

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
    {
        if (inputs < 1 || outputs < 1 || groups < 1 || inputs % groups != 0 || outputs % groups != 0)
            throw new ShapeException($"Conv2d: {groups} groups do not divide {inputs} input channels and {outputs} output channels.");
        (this.inputs, this.outputs, this.kernel) = (inputs, outputs, kernel);
        (Stride, Padding, Dilation, Groups) = (stride ?? 1, padding, dilation ?? 1, groups);
        var shape = new Shape(kernel.Height, kernel.Width, inputs / groups, outputs);
        Weight = Parameter("weight", (initializer ?? Initializers.HeNormalFanOut)(shape, random), fileAxes: [3, 2, 0, 1]);
        Bias = bias ? Parameter("bias", Tensor.Zeros(new Shape(outputs))) : null;
    }

    /// <summary>[KH, KW, C / groups, O].</summary>
    public Parameter Weight { get; }

    /// <summary>[O]; null when there is none.</summary>
    public Parameter? Bias { get; }

    /// <summary>How far the window moves.</summary>
    public Size2d Stride { get; }

    /// <summary>Zeros around the image.</summary>
    public Size2d Padding { get; }

    /// <summary>How far apart the window's pixels lie.</summary>
    public Size2d Dilation { get; }

    /// <summary>Blocks of channels with weights of their own.</summary>
    public int Groups { get; }

    /// <summary>What is done to the weight before it is used, such as <see cref="WeightStandardization"/>; null for nothing.</summary>
    public WeightTransform? WeightTransform { get; private set; }

    /// <summary>Has something done to the weight before it is used.</summary>
    /// <exception cref="ArgumentException">Something is done to it already.</exception>
    public void TransformWeight(WeightTransform transform) => WeightTransform = WeightTransform is null ? Child("", transform)
        : throw new ArgumentException($"{Path}: its weight is transformed already, by '{WeightTransform.Variant}'.");

    /// <summary>The weight that x meets, [KH, KW, C / groups, O].</summary>
    public Tensor UsedWeight => WeightTransform is null ? Weight : WeightTransform.Apply(Weight);

    /// <inheritdoc/>
    public override string Settings => $"{inputs} -> {outputs}, kernel {kernel}"
        + (Stride == 1 ? "" : $", stride {Stride}") + (Padding == 0 ? "" : $", padding {Padding}")
        + (Dilation == 1 ? "" : $", dilation {Dilation}") + (Groups == 1 ? "" : $", groups {Groups}")
        + (Bias is null ? ", no bias" : "") + (WeightTransform is null ? "" : $", {WeightTransform.Settings}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Conv2d(UsedWeight, Bias is null ? null : Bias.Value, Stride, Padding, Dilation, Groups);
}
