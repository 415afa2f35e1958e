using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The largest element of each window, channel by channel: [N, H, W, C] -> [N, OH, OW, C]. Padding never wins; NaN
/// does. The gradient goes to the window's first largest element in row-major order, as everywhere in the field.
/// </summary>
public static class MaxPool2dOperation
{
    /// <summary>The largest element of each window.</summary>
    /// <param name="x">Images [N, H, W, C].</param>
    /// <param name="kernel">Height and width of a window.</param>
    /// <param name="stride">How far the windows move; the kernel's size when not given.</param>
    /// <param name="padding">At most half the kernel, so that no window lies outside the image.</param>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Tensor MaxPool2d(this Tensor x, Size2d kernel, Size2d? stride = null, Size2d padding = default)
    {
        var geometry = WindowsOperation.Geometry("max pool", x.Shape, kernel, stride ?? kernel, padding, null);
        if (2 * padding.Height > kernel.Height || 2 * padding.Width > kernel.Width)
            throw new ShapeException($"max pool: the padding {padding} is more than half the kernel {kernel}: a window "
                + $"could lie outside the image.");
        if (x.Device is not IPoolingKernels kernels)
            return Composites.Record("max pool", [x], inputs => Composite(inputs[0], geometry));
        var value = Tensor.Create(new Shape(geometry.Batch, geometry.OutputHeight, geometry.OutputWidth,
            geometry.Channels), x.Device);
        kernels.MaxPool(geometry, x.Buffer, value.Buffer);
        return Tape.RecordKernel("max pool", value, [x], inputs => Composite(inputs[0], geometry), (_, g, _) =>
        {
            var gradient = Tensor.Create(x.Shape, x.Device);
            kernels.MaxPoolGradient(geometry, x.Buffer, g.Buffer, gradient.Buffer);
            return [gradient];
        });
    }

    // The window's elements compete in row-major order, all windows at once; a later one must be strictly larger to
    // win, or the first NaN, or the first that is no padding.
    internal static Tensor Composite(Tensor x, WindowGeometry geometry)
    {
        var (kernel, stride, padding) = (geometry.Kernel, geometry.Stride, geometry.Padding);
        int[] frame = [0, padding.Height, padding.Width, 0];
        var framed = x.Pad(frame, frame, double.NegativeInfinity);
        var image = x.Constant(new Shape(1, x.Shape[1], x.Shape[2], 1), 1).Pad(frame, frame);   // 0: padding
        int[] lengths = [geometry.Batch, geometry.OutputHeight, geometry.OutputWidth, geometry.Channels],
            steps = [1, stride.Height, stride.Width, 1];
        Tensor? winner = null, isInside = null;
        for (var i = 0; i < kernel.Height; i++)
            for (var j = 0; j < kernel.Width; j++)
            {
                var candidate = framed.Slice([0, i, j, 0], lengths, steps);
                var candidateIsInside = image.Slice([0, i, j, 0], [1, .. lengths[1..3], 1], steps);
                if (winner is null) (winner, isInside) = (candidate, candidateIsInside);
                // The winner stays where it is at least the candidate (false if either is NaN), or is NaN itself: then
                // it does not equal itself.
                var stays = winner.GreaterOrEqual(candidate) * isInside! + (1 - winner.Equal(winner));
                winner = stays.Where(winner, candidate);
                isInside = isInside!.Maximum(candidateIsInside);
            }
        return winner!;
    }
}
