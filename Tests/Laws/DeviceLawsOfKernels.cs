using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Laws;

/// <summary>
/// The kernels that a device may offer. Convolutions and pooling are compared with their definitions in plain loops,
/// normalization with the operation on the reference device. A convolution may err by 1e-5 of the largest value of the
/// same convolution of magnitudes, as transformed ones do.
/// </summary>
internal static class DeviceLawsOfKernels
{
    private const double ConvolutionBound = 1e-5;

    public static IEnumerable<DeviceCase> All(string? verb) =>
        new (string Verb, Func<IEnumerable<DeviceCase>> Cases, Func<Device, bool> IsOffered)[]
        {
            ("Convolve", () => Convolutions(0), device => device is IConvolutionKernels),
            ("ConvolveInputGradient", () => Convolutions(1), device => device is IConvolutionKernels),
            ("ConvolveWeightGradient", () => Convolutions(2), device => device is IConvolutionKernels),
            ("Normalize", () => Normalizations(0, 1), device => device is INormalizationKernels),
            ("ReadMoments", () => Normalizations(1, 3), device => device is INormalizationKernels),
            ("NormalizeGradient", () => Normalizations(3, 7), device => device is INormalizationKernels),
            ("MaxPool", () => Pools(isGradient: false), device => device is IPoolingKernels),
            ("MaxPoolGradient", () => Pools(isGradient: true), device => device is IPoolingKernels),
        }.Where(one => verb is null || one.Verb == verb).SelectMany(one =>
        one.Cases().Select(@case => @case with { IsOffered = one.IsOffered }));

    // ---- convolution ------------------------------------------------------------------------------------------------

    private static IEnumerable<DeviceCase> Convolutions(int part)
    {
        foreach (var (n, h, w, c, o, kh, kw, stride, padding, dilation,
            groups) in ((int, int, int, int, int, int, int, int, int, int, int)[])[
            (2, 8, 8, 16, 16, 3, 3, 1, 1, 1, 1), (2, 9, 8, 3, 17, 3, 3, 1, 1, 1, 1),
            (3, 8, 8, 16, 32, 3, 3, 2, 1, 1, 1), (2, 8, 8, 16, 33, 1, 1, 2, 0, 1, 1),
            (1, 5, 5, 2, 2, 1, 1, 3, 2, 1, 1), (1, 11, 7, 5, 17, 7, 7, 2, 3, 1, 1),
            (2, 6, 6, 12, 12, 3, 3, 1, 1, 1, 12), (19, 5, 6, 9, 9, 3, 3, 1, 1, 1, 9),
            (2, 7, 7, 12, 18, 3, 3, 2, 2, 2, 3), (17, 2, 2, 40, 33, 3, 3, 1, 1, 1, 1),
            (1, 1, 13, 1, 1, 1, 3, 1, 1, 1, 1), (0, 8, 8, 4, 4, 3, 3, 1, 1, 1, 1),
            (1, 4, 4, 320, 320, 3, 3, 1, 1, 1, 1), (1, 1, 1, 512, 65, 3, 3, 1, 1, 1, 1),
            (64, 3, 3, 9, 10, 3, 3, 1, 1, 1, 1), (6, 31, 29, 13, 11, 3, 3, 1, 1, 1, 1)])
        {
            var geometry = new ConvolutionGeometry(new WindowGeometry(n, h, w, c, new Size2d(kh, kw), stride, padding,
                dilation), o, groups);
            var v = geometry.Windows;
            var lengths = (X: n * h * w * c, W: kh * kw * (c / groups) * o, Y: n * v.OutputHeight * v.OutputWidth * o);
            foreach (var (hasBias, keeps) in part == 0 ? [(false, false), (true, false), (true, true)]
                : ((bool, bool)[])[(false, false)])
            {
                double[] x = DeviceCase.Normal(lengths.X, 1), weights = DeviceCase.Normal(lengths.W, 2),
                    g = DeviceCase.Normal(lengths.Y, 3);
                var bias = hasBias ? DeviceCase.Normal(o, 4) : null;
                var (inputs, length) = part switch
                {
                    0 => (hasBias ? [x, weights, bias!] : new[] { x, weights }, lengths.Y),
                    1 => (new[] { g, weights }, lengths.X),
                    _ => (new[] { x, g }, lengths.W),
                };
                var magnitude =
                    new Lazy<double>(() =>
                        Define(geometry, Abs(x), Abs(weights), Abs(g), bias is null ? null : Abs(bias), part).Append(0)
                        .Max());
                yield return new(part switch
                {
                    0 => "Convolve",
                    1 => "ConvolveInputGradient",
                    _ =>
                    "ConvolveWeightGradient"
                },
                    $"{n} x {h} x {w} x {c}, {kh} x {kw} to {o}, stride {stride}, padding {padding}, dilation "
                        + $"{dilation}, groups {groups}{(hasBias ? ", bias" : "")}{(keeps ? ", weights kept" : "")}",
                    inputs, length, (device, buffers, y) =>
                    {
                        var kernels = (IConvolutionKernels)device;
                        if (keeps) ConvolveAgain(device, geometry, buffers, y);
                        else if (part == 0)
                            kernels.Convolve(geometry, buffers[0], buffers[1], hasBias ? buffers[2] : null, y);
                        else if (part == 1) kernels.ConvolveInputGradient(geometry, buffers[0], buffers[1], y);
                        else kernels.ConvolveWeightGradient(geometry, buffers[0], buffers[1], y);
                    })
                {
                    Definition = () => Define(geometry, x, weights, g, bias, part),
                    Roundings = 1,
                    Absolute = _ => ConvolutionBound * magnitude.Value,
                };
            }
        }
    }

    // The third time with the same weights, and the first with these images.
    private static void ConvolveAgain(Device device, ConvolutionGeometry geometry, Buffer[] buffers, Buffer y)
    {
        var zeros = device.Pool.Rent(buffers[0].Length);
        device.Fill(zeros, 0);
        object? kept = null;
        foreach (var x in (Buffer[])[zeros, zeros, buffers[0]])
            ((IConvolutionKernels)device).Convolve(geometry, x, buffers[1], buffers[2], y, ref kept);
        device.Pool.Return(zeros);
    }

    private static double[] Abs(double[] values) => Array.ConvertAll(values, Math.Abs);

    // y[n, i, j, o] = bias[o] + sum of x[n, i s + k d - p, j s + l d - p, c] w[k, l, c - the group's first channel, o],
    // or a gradient of it.
    private static double[] Define(ConvolutionGeometry geometry, double[] x, double[] w, double[] g, double[]? bias,
        int part)
    {
        var (v, outputs) = (geometry.Windows, geometry.OutputChannels);
        var (inputsEach, outputsEach) = (v.Channels / geometry.Groups, outputs / geometry.Groups);
        var result = new double[part == 0 ? g.Length : part == 1 ? x.Length : w.Length];
        if (part == 0 && bias is not null)
            for (var i = 0; i < result.Length; i++) result[i] = bias[i % outputs];
        for (var at = 0; at < g.Length / outputs; at++)
        {
            var (n, i, j) = (at / v.OutputWidth / v.OutputHeight, at / v.OutputWidth % v.OutputHeight,
                at % v.OutputWidth);
            for (var tap = 0; tap < v.Kernel.Height * v.Kernel.Width; tap++)
            {
                var row = i * v.Stride.Height + tap / v.Kernel.Width * v.Dilation.Height - v.Padding.Height;
                var column = j * v.Stride.Width + tap % v.Kernel.Width * v.Dilation.Width - v.Padding.Width;
                if (row < 0 || row >= v.Height || column < 0 || column >= v.Width) continue;
                var pixel = ((n * v.Height + row) * v.Width + column) * v.Channels;
                for (var c = 0; c < inputsEach; c++)
                    for (var o = 0; o < outputs; o++)
                    {
                        var (xAt, wAt, yAt) = (pixel + o / outputsEach * inputsEach + c,
                            (tap * inputsEach + c) * outputs + o, at * outputs + o);
                        if (part == 0) result[yAt] += x[xAt] * w[wAt];
                        else if (part == 1) result[xAt] += g[yAt] * w[wAt];
                        else result[wAt] += g[yAt] * x[xAt];
                    }
            }
        }
        return result;
    }

    // ---- normalization ----------------------------------------------------------------------------------------------

    private static readonly string[] Parts = ["y", "the means", "the variances", "the gradient of x", "that of gamma",
        "that of beta", "that of the residual"];

    private static IEnumerable<DeviceCase> Normalizations(int firstPart, int endPart)
    {
        const double eps = 1e-5;
        foreach (var (n, p, c, sharing) in ((int, int, int, Sharing)[])[
            (2, 64, 16, new(false, true, 8)), (3, 331, 17, new(true, true, 17)), (2, 4099, 6, new(true, true, 1)),
            (2, 2003, 6, new(false, true, 2)),
            (2, 7, 67, new(false, false, 1)), (31, 3, 20, new(true, false, 4)), (3, 5, 7, new(false, false, 7)),
            (1, 1, 1, new(true, true, 1)),
            (9, 1, 8, new(true, true, 2)), (6, 5, 10, new(true, true, 2, SubBatch: 3)),
            (6, 5, 10, new(true, false, 10, SubBatch: 2)),
            (2, 49, 12, new(false, true, 3, IsCentered: false)),
            (4, 7, 9, new(true, true, 9, SubBatch: 2, IsCentered: false)),
            (5, 1, 3, new(false, false, 3, IsCentered: false))])
            foreach (var (hasResidual, relu) in ((bool, bool)[])[(false, false), (false, true), (true, false),
                (true, true)])
            {
                var shape = new Shape(n, p, c);
                var geometry = new NormalizationGeometry(sharing.Geometry(shape), eps, relu);
                double[][] inputs = [DeviceCase.Normal(shape.Count, 1), DeviceCase.Normal(shape.Count, 2),
                    DeviceCase.Normal(c, 3), DeviceCase.Normal(c, 4), DeviceCase.Normal(shape.Count, 5)];
                var expected = new Lazy<double[][]>(() => OnReference(inputs, shape, sharing, eps, hasResidual, relu));
                for (var part = firstPart; part < endPart; part++)
                {
                    var seen = part;
                    if (part == 6 && !(hasResidual && relu)) continue;
                    yield return new(part == 0 ? "Normalize" : part < 3 ? "ReadMoments" : "NormalizeGradient",
                        $"{Parts[part]}, {shape}, {sharing}{(hasResidual ? ", residual" : "")}{(relu ? ", ReLU" : "")}",
                        inputs, part switch { 1 or 2 => geometry.Sharing.Sets, 4 or 5 => c, _ => shape.Count },
                        (device, buffers, y) => Normalize(device, geometry, buffers, hasResidual, seen, y))
                    {
                        Definition = () => expected.Value[seen],
                        Roundings = 1,
                        // Sums over a channel's elements are off as a walk of so many steps; all else as a few numbers
                        // of the largest size.
                        Absolute = precision =>
                        256 * precision * (expected.Value[seen].Select(Math.Abs).Append(1).Max()
                            + (seen is 4 or 5 ? Math.Sqrt(n * p) : 0)),
                    };
                }
            }
    }

    private static void Normalize(Device device, NormalizationGeometry geometry, Buffer[] inputs, bool hasResidual,
        int part, Buffer y)
    {
        var kernels = (INormalizationKernels)device;
        var (x, g, gamma, beta, residual) = (inputs[0], inputs[1], inputs[2], inputs[3], hasResidual ? inputs[4]
            : null);
        var rented = new List<Buffer>();
        Buffer Place(int forPart, int length)
        {
            if (part == forPart) return y;
            rented.Add(device.Pool.Rent(length));
            device.Fill(rented[^1], double.NaN);
            return rented[^1];
        }
        var statistics = Place(-1, 4 * geometry.Sharing.Sets);
        var value = Place(0, x.Length);
        kernels.Normalize(geometry, x, gamma, beta, residual, statistics, value);
        if (part is 1 or 2)
            kernels.ReadMoments(statistics, Place(1, geometry.Sharing.Sets), Place(2, geometry.Sharing.Sets));
        var needsValue = hasResidual && geometry.Relu;
        if (part >= 3)
            kernels.NormalizeGradient(geometry, x, gamma, beta, statistics, needsValue ? value : null, g,
                Place(3, x.Length), Place(4, gamma.Length), Place(5, beta.Length), needsValue ? Place(6, x.Length)
                : null);
        foreach (var buffer in rented) device.Pool.Return(buffer);
    }

    // What the operation means, by the tape.
    private static double[][] OnReference(double[][] inputs, Shape shape, Sharing sharing, double eps, bool hasResidual,
        bool relu)
    {
        using var _ = Device.Use(Device.Reference);
        using var tape = Tape.Evaluating();
        Tensor Watch(double[] values, Shape of) => tape.Watch(Tensor.From(values, of));
        var (x, gamma, beta, residual) = (Watch(inputs[0], shape), Watch(inputs[2], new Shape(shape[-1])),
            Watch(inputs[3], new Shape(shape[-1])), Watch(inputs[4], shape));
        var y = x.Normalize(sharing, eps, gamma, beta, hasResidual ? residual : null, relu);
        var whole = sharing with { SubBatch = 0 };
        var geometry = sharing.Geometry(shape);
        // One mean for each set: of a sub-batch, those of its samples alone.
        var blocks = geometry.SubBatch == 0 ? [x] : Enumerable.Range(0, shape[0] / geometry.SubBatch)
            .Select(i => x.Slice(0, i * geometry.SubBatch, geometry.SubBatch));
        var moments = blocks.Select(whole.Moments).ToArray();
        var wanted = hasResidual ? new[] { x, gamma, beta, residual } : [x, gamma, beta];
        var gradients = tape.Gradients((y * Tensor.From(inputs[1], shape)).Sum(), wanted);
        double[] Gradient(int i) => gradients[i].ToDoubles();
        return [y.ToDoubles(), [.. moments.SelectMany(m => m.Mean.ToDoubles())],
            [.. moments.SelectMany(m => m.Variance.ToDoubles())], Gradient(0), Gradient(1), Gradient(2),
            hasResidual ? Gradient(3) : []];
    }

    // ---- pooling ----------------------------------------------------------------------------------------------------

    private static IEnumerable<DeviceCase> Pools(bool isGradient)
    {
        foreach (var geometry in DeviceLawsOfSums.WindowGeometries.Append(new WindowGeometry(23, 17, 19, 9, 3,
            2, 1, 1)))
        {
            var length = geometry.Batch * geometry.Height * geometry.Width * geometry.Channels;
            var results = geometry.Batch * geometry.OutputHeight * geometry.OutputWidth * geometry.Channels;
            // Few different numbers: windows with several largest elements, of which the first one counts.
            var (x, g) = (DeviceLawsOfSums.Whole(length, 1), DeviceLawsOfSums.Whole(results, 2));
            yield return new(isGradient ? "MaxPoolGradient" : "MaxPool", $"{geometry}", isGradient ? [x, g] : [x],
                isGradient ? length : results, (device, buffers, y) =>
            {
                if (isGradient) ((IPoolingKernels)device).MaxPoolGradient(geometry, buffers[0], buffers[1], y);
                else ((IPoolingKernels)device).MaxPool(geometry, buffers[0], y);
            })
            { Definition = () => DefinePool(geometry, x, g, isGradient) };
        }
    }

    private static double[] DefinePool(WindowGeometry v, double[] x, double[] g, bool isGradient)
    {
        var result = new double[isGradient ? x.Length : g.Length];
        for (var at = 0; at < g.Length; at++)
        {
            var (c, window) = (at % v.Channels, at / v.Channels);
            var (n, i, j, winner) = (window / v.OutputWidth / v.OutputHeight, window / v.OutputWidth % v.OutputHeight,
                window % v.OutputWidth, -1);
            for (var tap = 0; tap < v.Kernel.Height * v.Kernel.Width; tap++)
            {
                var row = i * v.Stride.Height + tap / v.Kernel.Width * v.Dilation.Height - v.Padding.Height;
                var column = j * v.Stride.Width + tap % v.Kernel.Width * v.Dilation.Width - v.Padding.Width;
                if (row < 0 || row >= v.Height || column < 0 || column >= v.Width) continue;
                var pixel = ((n * v.Height + row) * v.Width + column) * v.Channels + c;
                if (winner < 0 || x[pixel] > x[winner]) winner = pixel;
            }
            if (!isGradient) result[at] = winner < 0 ? double.NegativeInfinity : x[winner];
            else if (winner >= 0) result[winner] += g[at];
        }
        return result;
    }
}
