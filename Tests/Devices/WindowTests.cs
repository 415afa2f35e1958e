using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Windows and their adjoint on the CPU against the reference, over kernels, strides, paddings, dilations and channel
/// counts.
/// </summary>
public class WindowTests
{
    public static TheoryData<WindowGeometry> Geometries => new()
    {
        new WindowGeometry(2, 5, 7, 3, 3, 1, 1, 1),
        new WindowGeometry(1, 8, 8, 16, 3, 2, 1, 1),
        new WindowGeometry(2, 9, 6, 5, new Size2d(2, 3), new Size2d(3, 2), new Size2d(1, 2), new Size2d(2, 1)),
        new WindowGeometry(1, 7, 7, 1, 3, 1, 2, 2),
        new WindowGeometry(3, 1, 1, 9, 1, 1, 0, 1),
        new WindowGeometry(1, 4, 4, 8, 1, 2, 0, 1),               // pixels that no window sees
        new WindowGeometry(1, 2, 3, 2, new Size2d(5, 5), 1, 2, 1),   // a kernel larger than the image
        new WindowGeometry(1, 3, 3, 2, 2, 1, 4, 1),               // windows that see padding alone
        new WindowGeometry(0, 5, 5, 3, 3, 1, 1, 1),
        new WindowGeometry(2, 5, 5, 0, 3, 1, 1, 1),
        new WindowGeometry(3, 32, 32, 7, 3, 1, 1, 1),             // large enough for threads
        new WindowGeometry(2, 4, 11, 12, new Size2d(1, 4), new Size2d(1, 3), new Size2d(0, 1), 1),
    };

    private static int WindowElements(WindowGeometry g) =>
        g.Batch * g.OutputHeight * g.OutputWidth * g.Kernel.Height * g.Kernel.Width * g.Channels;

    private static double[] Extract(Device device, WindowGeometry geometry, double[] x)
    {
        var windows = device.MakeUnwritten(WindowElements(geometry));
        device.ExtractWindows(geometry, device.Make(x), windows);
        return device.Read(windows);
    }

    private static double[] Add(Device device, WindowGeometry geometry, double[] windows)
    {
        var x = device.MakeUnwritten(geometry.Batch * geometry.Height * geometry.Width * geometry.Channels);
        device.AddWindows(geometry, device.Make(windows), x);
        return device.Read(x);
    }

    [Theory]
    [MemberData(nameof(Geometries))]
    public void TheCpuExtractsTheSameWindows(WindowGeometry geometry)
    {
        var x = Numbers.Random(geometry.Batch * geometry.Height * geometry.Width * geometry.Channels, 1);
        Numbers.Compare(device => Extract(device, geometry, x), 0, $"{geometry}");
    }

    [Theory]
    [MemberData(nameof(Geometries))]
    public void TheCpuAddsTheSameWindows(WindowGeometry geometry)
    {
        // At most 25 windows cover a pixel, each adding a number up to about 4.
        var windows = Numbers.Random(WindowElements(geometry), 2);
        Numbers.Compare(device => Add(device, geometry, windows), 100 * Numbers.Eps, $"{geometry}");
    }

    [Theory]
    [MemberData(nameof(Geometries))]
    public void OneIsTheAdjointOfTheOther(WindowGeometry geometry)
    {
        // <extract(x), u> = <x, add(u)> for random x and u, on the reference.
        var x = Numbers.Random(geometry.Batch * geometry.Height * geometry.Width * geometry.Channels, 3);
        var u = Numbers.Random(WindowElements(geometry), 4);
        var left = Extract(Device.Reference, geometry, x).Zip(u, (a, b) => a * b).Sum();
        var right = Add(Device.Reference, geometry, u).Zip(x, (a, b) => a * b).Sum();
        Assert.Equal(left, right, 1e-10 * (1 + x.Length));
    }

    [Theory]
    [InlineData(5, 3, 1, 1, 1, 5)]
    [InlineData(5, 3, 2, 1, 1, 3)]
    [InlineData(6, 3, 2, 1, 1, 3)]
    [InlineData(7, 3, 1, 0, 2, 3)]
    [InlineData(2, 3, 1, 0, 1, 0)]
    [InlineData(1, 4, 2, 0, 1, -1)]
    public void WindowsAreCountedAsTheConvolutionArithmeticSays(int length, int kernel, int stride, int padding,
        int dilation, int expected)
    {
        // floor((length + 2 padding - dilation (kernel - 1) - 1) / stride) + 1 (Dumoulin and Visin, 2016).
        Size2d Down(int number, int across) => new(number, across);
        Size2d Across(int number, int down) => new(down, number);
        Assert.Equal(expected,
            new WindowGeometry(1, length, 9, 1, Down(kernel, 1), Down(stride, 1), Down(padding, 0),
                Down(dilation, 1)).OutputHeight);
        Assert.Equal(expected,
            new WindowGeometry(1, 9, length, 1, Across(kernel, 1), Across(stride, 1), Across(padding, 0),
                Across(dilation, 1)).OutputWidth);
    }
}
