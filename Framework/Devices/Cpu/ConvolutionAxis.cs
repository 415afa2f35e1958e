namespace Tapegrad.Devices.Cpu;

/// <summary>One position of the kernel, and how far from a result's own start the source is read for it.</summary>
internal readonly record struct Tap(int Kernel, int Offset);

/// <summary>
/// Results that are made alike along one axis: result[Start + t * Step], t = 0 .. Count - 1, is the sum over the taps
/// of source[t * SourceStep + tap.Offset] * kernel[tap.Kernel], where the source is 0 outside itself.
/// </summary>
internal sealed record AxisPhase(int Start, int Step, int Count, int SourceStep, Tap[] Taps);

/// <summary>
/// One axis of a convolution or of its input gradient, as phases. With stride s, dilation d, padding p and K kernel
/// positions:
/// <code>
/// y[i] = sum over k of x[i s + k d - p] w[k]                one phase, steps of s through x
/// g[h] = sum over k of y[(h + p - k d) / s] w[k],           s phases, h = a, a + s, ..., steps of 1 through y
///        where that division leaves no remainder
/// </code>
/// So the gradient of a convolution with stride is not a convolution over inserted zeros: each phase has the taps that
/// hit.
/// </summary>
internal sealed class ConvolutionAxis
{
    private ConvolutionAxis(int length, IEnumerable<AxisPhase> phases)
    {
        Phases = [.. phases.Where(phase => phase.Count > 0)];
        var reading = Phases.Where(phase => phase.Taps.Length > 0).ToArray();
        var first = reading.Select(phase => phase.Taps[0].Offset).Append(0).Min();
        var end = reading.Select(phase => (phase.Count - 1) * phase.SourceStep + phase.Taps[^1].Offset + 1)
            .Append(0).Max();
        Lead = -first;
        NeedsPadding = first < 0 || end > length;
        Extent = NeedsPadding ? Lead + end : length;
        Copied = Math.Min(length, end);
    }

    public AxisPhase[] Phases { get; }

    /// <summary>Zeros in front of the source.</summary>
    public int Lead { get; }

    /// <summary>Whether some result reads outside the source.</summary>
    public bool NeedsPadding { get; }

    /// <summary>Positions of the padded source: as far as any result reads.</summary>
    public int Extent { get; }

    /// <summary>How many positions of the source are copied to the padded one; the rest are never read.</summary>
    public int Copied { get; }

    /// <summary>Both axes of a convolution, or of its input gradient.</summary>
    public static (ConvolutionAxis Vertical, ConvolutionAxis Horizontal) Both(WindowGeometry windows, bool isGradient)
    {
        Func<int, int, int, int, int, int, ConvolutionAxis> axis = isGradient ? Gradient : Forward;
        var (kernel, stride, padding, dilation) = (windows.Kernel, windows.Stride, windows.Padding, windows.Dilation);
        return (axis(windows.Height, windows.OutputHeight, kernel.Height, stride.Height, padding.Height,
                dilation.Height),
            axis(windows.Width, windows.OutputWidth, kernel.Width, stride.Width, padding.Width, dilation.Width));
    }

    private static ConvolutionAxis Forward(int length, int results, int kernel, int stride, int padding,
        int dilation) => new(length, [new AxisPhase(0, 1, results, stride,
            [.. Enumerable.Range(0, kernel).Select(k => new Tap(k, k * dilation - padding))])]);

    /// <summary>
    /// The axis that leads from gradients of <paramref name="results"/> results back to those of
    /// <paramref name="length"/> inputs.
    /// </summary>
    private static ConvolutionAxis Gradient(int length, int results, int kernel, int stride, int padding,
        int dilation) =>
        new(results,
            Enumerable.Range(0, stride).Select(a => new AxisPhase(a, stride, (length - a + stride - 1) / stride, 1,
            // From the last kernel position to the first, so that the source is read upwards.
            [.. Enumerable.Range(0, kernel).Reverse().Where(k => (a + padding - k * dilation) % stride == 0)
                .Select(k => new Tap(k, (a + padding - k * dilation) / stride))])));
}
