using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Two-dimensional convolution (cross-correlation, as everywhere in the field), x [N, H, W, C] with w
/// [KH, KW, C / groups, O]:
/// <code>y[n, i, j, o] = bias[o] + sum over k, l, c of x[n, i s + k d - p, j s + l d - p, c] w[k, l, c, o]</code>
/// With groups, output channel o sees only the channels of its own block. Three operations make a closed triple, each
/// one's derivative written with the other two: the convolution, its input gradient X(g, w), and its weight gradient
/// W(x, g).
/// <code>
/// y  = Conv(x, w):   dx = X(g, w)        dw = W(x, g)
/// x' = X(g, w):      dg = Conv(u, w)     dw = W(u, g)        where u is the gradient of x'
/// w' = W(x, g):      dx = X(g, u)        dg = Conv(x, u)     where u is the gradient of w'
/// </code>
/// Their meaning is windows and a matrix product per group; a device may be faster (<see cref="IConvolutionKernels"/>).
/// </summary>
public static class Conv2dOperation
{
    /// <summary>Two-dimensional convolution.</summary>
    /// <param name="x">Images [N, H, W, C].</param>
    /// <param name="weight">[KH, KW, C / groups, O].</param>
    /// <param name="bias">[O], or none.</param>
    /// <param name="stride">How far the window moves; 1 when not given.</param>
    /// <param name="padding">Zeros around the image.</param>
    /// <param name="dilation">How far apart the window's pixels lie; 1 when not given.</param>
    /// <param name="groups">Blocks of channels with weights of their own; C for a depthwise convolution.</param>
    /// <returns>[N, OH, OW, O].</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Tensor Conv2d(this Tensor x, Tensor weight, Tensor? bias = null, Size2d? stride = null,
        Size2d padding = default, Size2d? dilation = null, int groups = 1)
    {
        if (weight.Shape.Rank != 4)
            throw new ShapeException($"conv2d: the weight {weight.Shape} must be [KH, KW, C / groups, O].");
        var geometry = new ConvolutionGeometry(
            WindowsOperation.Geometry("conv2d", x.Shape, new Size2d(weight.Shape[0], weight.Shape[1]), stride, padding,
                dilation),
            weight.Shape[3], groups);
        var (channels, outputs) = (x.Shape[3], weight.Shape[3]);
        if (groups < 1 || channels % groups != 0 || outputs % groups != 0)
            throw new ShapeException($"conv2d: {groups} groups do not divide {channels} input channels and {outputs} "
                + $"output channels.");
        if (weight.Shape[2] != channels / groups)
            throw new ShapeException($"conv2d: the input {x.Shape} has {channels} "
                + $"channels{(groups == 1 ? "" : $" in {groups} groups")}, so the weight must be [KH, KW, "
                + $"{channels / groups}, O]; it is {weight.Shape}. The channel axis is the last: [N, H, W, C].");
        if (bias is not null && bias.Shape != new Shape(outputs))
            throw new ShapeException($"conv2d: the bias {bias.Shape} must be [{outputs}].");
        Tensor.CheckDevice("conv2d", x, weight);
        if (bias is not null) Tensor.CheckDevice("conv2d", x, bias);
        return Convolve(x, weight, bias, geometry);
    }

    internal static Tensor Convolve(Tensor x, Tensor w, Tensor? bias, ConvolutionGeometry geometry)
    {
        Tensor y;
        if (x.Device is IConvolutionKernels kernels)
        {
            y = Tensor.Create(OutputShape(geometry), x.Device);
            // a parameter's numbers come again, unless a tape records: then an optimizer changes them
            if (Tape.Recording is null && w.Parameter is { } parameter)
                kernels.Convolve(geometry, x.Buffer, w.Buffer, bias?.Buffer, y.Buffer, ref parameter.Kept);
            else kernels.Convolve(geometry, x.Buffer, w.Buffer, bias?.Buffer, y.Buffer);
        }
        else
            using (Tape.Current?.Pause()) y = ConvolveComposite(x, w, bias, geometry);
        return Tape.Recording is null ? y : RecordConvolution(y, x, w, bias, geometry);   // no pulls for nothing
    }

    private static Tensor RecordConvolution(Tensor y, Tensor x, Tensor w, Tensor? bias, ConvolutionGeometry geometry)
    {
        (Tensor, Pull) input = (x, (_, g) => InputGradient(g, w, geometry)),
            weight = (w, (_, g) => WeightGradient(x, g, geometry));
        // The bias was broadcast, so its gradient is summed as every broadcast input's is.
        return bias is null ? Tape.Record("conv2d", y, input, weight)
            : Tape.Record("conv2d", y, input, weight, (bias, (_, g) => g));
    }

    internal static Tensor InputGradient(Tensor g, Tensor w, ConvolutionGeometry geometry)
    {
        Tensor x;
        if (g.Device is IConvolutionKernels kernels)
        {
            x = Tensor.Create(InputShape(geometry), g.Device);
            kernels.ConvolveInputGradient(geometry, g.Buffer, w.Buffer, x.Buffer);
        }
        else
            using (Tape.Current?.Pause()) x = InputGradientComposite(g, w, geometry);
        // seldom: no pulls are made for nothing
        return Tape.Recording is null ? x : RecordInputGradient(x, g, w, geometry);
    }

    private static Tensor RecordInputGradient(Tensor x, Tensor g, Tensor w, ConvolutionGeometry geometry) =>
        Tape.Record("conv2d input gradient", x,
            (g, (_, u) => Convolve(u, w, null, geometry)),
            (w, (_, u) => WeightGradient(u, g, geometry)));

    internal static Tensor WeightGradient(Tensor x, Tensor g, ConvolutionGeometry geometry)
    {
        Tensor w;
        if (x.Device is IConvolutionKernels kernels)
        {
            w = Tensor.Create(WeightShape(geometry), x.Device);
            kernels.ConvolveWeightGradient(geometry, x.Buffer, g.Buffer, w.Buffer);
        }
        else
            using (Tape.Current?.Pause()) w = WeightGradientComposite(x, g, geometry);
        return Tape.Recording is null ? w : RecordWeightGradient(w, x, g, geometry);
    }

    private static Tensor RecordWeightGradient(Tensor w, Tensor x, Tensor g, ConvolutionGeometry geometry) =>
        Tape.Record("conv2d weight gradient", w,
            (x, (_, u) => InputGradient(g, u, geometry)),
            (g, (_, u) => Convolve(x, u, null, geometry)));

    // ---- the meaning: every window as a row, every group a batch of the matrix product ------------------------------

    internal static Tensor ConvolveComposite(Tensor x, Tensor w, Tensor? bias, ConvolutionGeometry geometry)
    {
        var y = JoinGroups(Rows(x, geometry).MatrixProduct(Columns(w, geometry)), OutputShape(geometry));
        return bias is null ? y : y + bias;
    }

    internal static Tensor InputGradientComposite(Tensor g, Tensor w, ConvolutionGeometry geometry)
    {
        var windows = geometry.Windows;
        // [G, N OH OW, KH KW C/G]
        var rows = SplitGroups(g, geometry).MatrixProduct(Columns(w, geometry), transposeB: true);
        var (n, h, v, k, c) = (windows.Batch, windows.OutputHeight, windows.OutputWidth, windows.Kernel,
            windows.Channels);
        return rows.Reshape(geometry.Groups, n * h * v, k.Height * k.Width, c / geometry.Groups).Permute(1, 2, 0, 3)
            .Reshape(n, h, v, k.Height, k.Width, c).AddWindows(windows);
    }

    internal static Tensor WeightGradientComposite(Tensor x, Tensor g, ConvolutionGeometry geometry) =>
        JoinGroups(Rows(x, geometry).MatrixProduct(SplitGroups(g, geometry), transposeA: true), WeightShape(geometry));

    // [N, H, W, C] -> [G, N OH OW, KH KW C/G]
    private static Tensor Rows(Tensor x, ConvolutionGeometry geometry)
    {
        var (groups, k) = (geometry.Groups, geometry.Windows.Kernel);
        var perGroup = geometry.Windows.Channels / groups;
        var count = geometry.Windows.Batch * geometry.Windows.OutputHeight * geometry.Windows.OutputWidth;
        return x.ExtractWindows(geometry.Windows).Reshape(count, k.Height * k.Width, groups, perGroup)
            .Permute(2, 0, 1, 3)
            .Reshape(groups, count, k.Height * k.Width * perGroup);
    }

    // [KH, KW, C/G, O] -> [G, KH KW C/G, O/G]
    private static Tensor Columns(Tensor w, ConvolutionGeometry geometry) => SplitGroups(w, geometry);

    // [.., O] -> [G, .., O/G]: output channels are blocks of groups, in order.
    private static Tensor SplitGroups(Tensor t, ConvolutionGeometry geometry)
    {
        var (groups, perGroup) = (geometry.Groups, geometry.OutputChannels / geometry.Groups);
        var rows = 1;
        foreach (var length in t.Shape.Dimensions[..^1]) rows *= length;
        return t.Reshape(rows, groups, perGroup).Permute(1, 0, 2);
    }

    // [G, rows, O/G] -> shape [.., O]
    private static Tensor JoinGroups(Tensor t, Shape shape) => t.Permute(1, 0, 2).Reshape(shape);

    private static Shape InputShape(ConvolutionGeometry g) =>
        new(g.Windows.Batch, g.Windows.Height, g.Windows.Width, g.Windows.Channels);

    private static Shape OutputShape(ConvolutionGeometry g) =>
        new(g.Windows.Batch, g.Windows.OutputHeight, g.Windows.OutputWidth, g.OutputChannels);

    private static Shape WeightShape(ConvolutionGeometry g) =>
        new(g.Windows.Kernel.Height, g.Windows.Kernel.Width, g.Windows.Channels / g.Groups, g.OutputChannels);
}
