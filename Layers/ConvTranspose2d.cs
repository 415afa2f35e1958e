using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// The transpose of a two-dimensional convolution (<see cref="ConvTranspose2dOperation"/>), x [N, H, W, C] -> [N, OH, OW, O], weight
/// [KH, KW, O / groups, C]. In files the weight is [C, O / groups, KH, KW], PyTorch's order. The weight starts He-normal by its fan-out, which is
/// that of the convolution it transposes, the bias at 0.
/// </summary>
public sealed class ConvTranspose2d : Module
{
    private readonly int inputs, outputs;
    private readonly Size2d kernel;

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
    public ConvTranspose2d(int inputs, int outputs, Size2d kernel, RandomSource random, Size2d? stride = null, Size2d padding = default,
        Size2d outputPadding = default, Size2d? dilation = null, int groups = 1, bool bias = true, Initializer? initializer = null)
    {
        if (inputs < 1 || outputs < 1 || groups < 1 || inputs % groups != 0 || outputs % groups != 0)
            throw new ShapeException($"ConvTranspose2d: {groups} groups do not divide {inputs} input channels and {outputs} output channels.");
        (this.inputs, this.outputs, this.kernel) = (inputs, outputs, kernel);
        (Stride, Padding, OutputPadding, Dilation, Groups) = (stride ?? 1, padding, outputPadding, dilation ?? 1, groups);
        var shape = new Shape(kernel.Height, kernel.Width, outputs / groups, inputs);
        Weight = Parameter("weight", (initializer ?? Initializers.HeNormalFanOut)(shape, random), fileAxes: [3, 2, 0, 1]);
        Bias = bias ? Parameter("bias", Tensor.Zeros(new Shape(outputs))) : null;
    }

    /// <summary>[KH, KW, O / groups, C].</summary>
    public Parameter Weight { get; }

    /// <summary>[O]; null when there is none.</summary>
    public Parameter? Bias { get; }

    /// <summary>How far apart the windows of y lie.</summary>
    public Size2d Stride { get; }

    /// <summary>How much is cut off around y.</summary>
    public Size2d Padding { get; }

    /// <summary>Rows and columns added at the end.</summary>
    public Size2d OutputPadding { get; }

    /// <summary>How far apart a window's pixels lie.</summary>
    public Size2d Dilation { get; }

    /// <summary>Blocks of channels with weights of their own.</summary>
    public int Groups { get; }

    /// <inheritdoc/>
    public override string Settings => $"{inputs} -> {outputs}, kernel {kernel}" + (Stride == 1 ? "" : $", stride {Stride}")
        + (Padding == 0 ? "" : $", padding {Padding}") + (OutputPadding == 0 ? "" : $", output padding {OutputPadding}")
        + (Dilation == 1 ? "" : $", dilation {Dilation}") + (Groups == 1 ? "" : $", groups {Groups}") + (Bias is null ? ", no bias" : "");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) =>
        x.ConvTranspose2d(Weight, Bias is null ? null : Bias.Value, Stride, Padding, OutputPadding, Dilation, Groups);
}
