namespace Tapegrad.Layers;

/// <summary>
/// One-dimensional convolution (<see cref="Conv1dOperation"/>), x [N, L, C] -> [N, OL, O], weight [K, C / groups, O]. In files the weight is
/// [O, C / groups, K], PyTorch's order. The weight starts He-normal by its fan-out, the bias at 0.
/// </summary>
public sealed class Conv1d : Module
{
    private readonly int inputs, outputs, kernel;

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
    public Conv1d(int inputs, int outputs, int kernel, RandomSource random, int stride = 1, int padding = 0, int dilation = 1, int groups = 1,
        bool bias = true, Initializer? initializer = null)
    {
        if (inputs < 1 || outputs < 1 || groups < 1 || inputs % groups != 0 || outputs % groups != 0)
            throw new ShapeException($"Conv1d: {groups} groups do not divide {inputs} input channels and {outputs} output channels.");
        (this.inputs, this.outputs, this.kernel) = (inputs, outputs, kernel);
        (Stride, Padding, Dilation, Groups) = (stride, padding, dilation, groups);
        Weight = Parameter("weight", (initializer ?? Initializers.HeNormalFanOut)(new Shape(kernel, inputs / groups, outputs), random),
            fileAxes: [2, 1, 0]);
        Bias = bias ? Parameter("bias", Tensor.Zeros(new Shape(outputs))) : null;
    }

    /// <summary>[K, C / groups, O].</summary>
    public Parameter Weight { get; }

    /// <summary>[O]; null when there is none.</summary>
    public Parameter? Bias { get; }

    /// <summary>How far the window moves.</summary>
    public int Stride { get; }

    /// <summary>Zeros before and behind the sequence.</summary>
    public int Padding { get; }

    /// <summary>How far apart the window's elements lie.</summary>
    public int Dilation { get; }

    /// <summary>Blocks of channels with weights of their own.</summary>
    public int Groups { get; }

    /// <inheritdoc/>
    public override string Settings => $"{inputs} -> {outputs}, kernel {kernel}"
        + (Stride == 1 ? "" : $", stride {Stride}") + (Padding == 0 ? "" : $", padding {Padding}")
        + (Dilation == 1 ? "" : $", dilation {Dilation}") + (Groups == 1 ? "" : $", groups {Groups}") + (Bias is null ? ", no bias" : "");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Conv1d(Weight, Bias is null ? null : Bias.Value, Stride, Padding, Dilation, Groups);
}
