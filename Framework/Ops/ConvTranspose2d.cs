using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The transpose of a two-dimensional convolution, x [N, H, W, C] with w [KH, KW, O / groups, C]: what a convolution of
/// O to C channels with the same settings does to a gradient, that is its input gradient
/// (<see cref="Conv2dOperation"/>). Each element of x is spread over a window of y:
/// <code>y[n, i s + k d - p, j s + l d - p, o] = bias[o] + the sum over all such i, k, j, l, and over c, of
/// x[n, i, j, c] w[k, l, o, c]</code>
/// </summary>
public static class ConvTranspose2dOperation
{
    /// <summary>The transpose of a convolution: it enlarges images by the stride.</summary>
    /// <param name="x">Images [N, H, W, C].</param>
    /// <param name="weight">[KH, KW, O / groups, C].</param>
    /// <param name="bias">[O], or none.</param>
    /// <param name="stride">How far apart the windows of y lie; 1 when not given.</param>
    /// <param name="padding">How much is cut off around y.</param>
    /// <param name="outputPadding">Rows and columns added at the end, fewer than the stride: several heights of y have
    /// the same H, and this chooses one.</param>
    /// <param name="dilation">How far apart a window's pixels lie; 1 when not given.</param>
    /// <param name="groups">Blocks of channels with weights of their own.</param>
    /// <returns>[N, (H - 1) stride - 2 padding + dilation (KH - 1) + outputPadding + 1, .., O].</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Tensor ConvTranspose2d(this Tensor x, Tensor weight, Tensor? bias = null, Size2d? stride = null,
        Size2d padding = default, Size2d outputPadding = default, Size2d? dilation = null, int groups = 1)
    {
        if (x.Shape.Rank != 4)
            throw new ShapeException($"conv-transpose 2d: the input {x.Shape} must be [N, H, W, C].");
        if (weight.Shape.Rank != 4)
            throw new ShapeException($"conv-transpose 2d: the weight {weight.Shape} must be [KH, KW, O / groups, C].");
        var (step, spread) = (stride ?? 1, dilation ?? 1);
        CheckSettings(step, padding, outputPadding, spread);
        var (channels, outputs) = (x.Shape[3], weight.Shape[2] * groups);
        if (groups < 1 || channels % groups != 0)
            throw new ShapeException($"conv-transpose 2d: {groups} groups do not divide {channels} input channels.");
        if (weight.Shape[3] != channels)
            throw new ShapeException($"conv-transpose 2d: the input {x.Shape} has {channels} channels, so the weight "
                + $"must be [KH, KW, O / groups, {channels}]; it is {weight.Shape}.");
        if (bias is not null && bias.Shape != new Shape(outputs))
            throw new ShapeException($"conv-transpose 2d: the bias {bias.Shape} must be [{outputs}].");
        Tensor.CheckDevice("conv-transpose 2d", x, weight);
        if (bias is not null) Tensor.CheckDevice("conv-transpose 2d", x, bias);
        var kernel = new Size2d(weight.Shape[0], weight.Shape[1]);
        var height = Length(x.Shape[1], step.Height, padding.Height, spread.Height, kernel.Height,
            outputPadding.Height);
        var width = Length(x.Shape[2], step.Width, padding.Width, spread.Width, kernel.Width, outputPadding.Width);
        if (height < 1 || width < 1)
            throw new ShapeException($"conv-transpose 2d: of {x.Shape}, kernel {kernel} and padding {padding} leave an "
                + $"image of {height}x{width}.");
        var windows = new WindowGeometry(x.Shape[0], height, width, outputs, kernel, step, padding, spread);
        var y = Conv2dOperation.InputGradient(x, weight, new ConvolutionGeometry(windows, channels, groups));
        return bias is null ? y : y + bias;
    }

    private static int Length(int length, int stride, int padding, int dilation, int kernel, int outputPadding) =>
        checked((length - 1) * stride - 2 * padding + dilation * (kernel - 1) + outputPadding + 1);

    private static void CheckSettings(Size2d stride, Size2d padding, Size2d outputPadding, Size2d dilation)
    {
        if (stride.Height < 1 || stride.Width < 1 || dilation.Height < 1 || dilation.Width < 1 || padding.Height < 0
            || padding.Width < 0)
            throw new ShapeException($"conv-transpose 2d: stride {stride} and dilation {dilation} must be 1 or more,"
                + $" the padding {padding} 0 or more.");
        if (outputPadding.Height < 0 || outputPadding.Height >= stride.Height || outputPadding.Width < 0
            || outputPadding.Width >= stride.Width)
            throw new ShapeException($"conv-transpose 2d: the output padding {outputPadding} must be 0 or more, and "
                + $"less than the stride {stride}.");
    }
}
