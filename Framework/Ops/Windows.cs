using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// The windows that slide over images, written out: [N, H, W, C] -> [N, OH, OW, KH, KW, C], zeros where a window hangs
/// over the edge. The gradient adds each element back to the pixel that it came from, and the derivative of that is the
/// extraction again: a pair of adjoints.
/// </summary>
public static class WindowsOperation
{
    /// <summary>Every window of the images, written out.</summary>
    /// <param name="x">Images [N, H, W, C].</param>
    /// <param name="kernel">Height and width of a window.</param>
    /// <param name="stride">How far the windows move; 1 when not given.</param>
    /// <param name="padding">Zeros around the image.</param>
    /// <param name="dilation">How far apart a window's pixels lie; 1 when not given.</param>
    /// <exception cref="ShapeException">x is no batch of images, or no window fits.</exception>
    public static Tensor ExtractWindows(this Tensor x, Size2d kernel, Size2d? stride = null, Size2d padding = default,
        Size2d? dilation = null) =>
        x.ExtractWindows(Geometry("windows", x.Shape, kernel, stride, padding, dilation));

    internal static Tensor ExtractWindows(this Tensor x, WindowGeometry geometry)
    {
        var (n, c) = (geometry.Batch, geometry.Channels);
        var shape = new Shape(n, geometry.OutputHeight, geometry.OutputWidth, geometry.Kernel.Height,
            geometry.Kernel.Width, c);
        var windows = Tensor.Create(shape, x.Device);
        x.Device.ExtractWindows(geometry, x.Buffer, windows.Buffer);
        return Tape.Record("windows", windows, (x, (_, g) => g.AddWindows(geometry)));
    }

    internal static Tensor AddWindows(this Tensor windows, WindowGeometry geometry)
    {
        var x = Tensor.Create(new Shape(geometry.Batch, geometry.Height, geometry.Width, geometry.Channels),
            windows.Device);
        windows.Device.AddWindows(geometry, windows.Buffer, x.Buffer);
        return Tape.Record("add windows", x, (windows, (_, g) => g.ExtractWindows(geometry)));
    }

    /// <summary>The geometry of windows over images, checked.</summary>
    internal static WindowGeometry Geometry(string operation, Shape x, Size2d kernel, Size2d? stride, Size2d padding,
        Size2d? dilation)
    {
        if (x.Rank != 4) throw new ShapeException($"{operation}: the input {x} must be images [N, H, W, C].");
        var geometry = new WindowGeometry(x[0], x[1], x[2], x[3], kernel, stride ?? 1, padding, dilation ?? 1);
        (Size2d, string, int)[] sizes =
            [(kernel, "kernel", 1), (geometry.Stride, "stride", 1), (padding, "padding", 0),
                (geometry.Dilation, "dilation", 1)];
        foreach (var (size, name, least) in sizes)
            if (size.Height < least || size.Width < least)
                throw new ShapeException($"{operation}: the {name} {size} must be at least {least}.");
        if (geometry.OutputHeight < 1 || geometry.OutputWidth < 1)
            throw new ShapeException($"{operation}: a kernel of {kernel} with dilation {geometry.Dilation} does not "
                + $"fit into images {x} with padding {padding}.");
        return geometry;
    }
}
