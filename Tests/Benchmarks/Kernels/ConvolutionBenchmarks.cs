using BenchmarkDotNet.Attributes;
using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Benchmarks.Kernels;

/// <summary>The three convolutions of the device: 3x3, stride 1, batch 128.</summary>
public class ConvolutionBenchmarks
{
    private readonly IConvolutionKernels kernels = (IConvolutionKernels)Device.Cpu;
    private ConvolutionGeometry geometry;
    private Buffer x = null!, w = null!, y = null!;

    /// <summary>Channels, height and width.</summary>
    [Params("16x32x32", "32x16x16", "64x8x8", "64x32x32", "128x16x16", "256x8x8")]
    public string Shape { get; set; } = "";

    /// <summary>Whether Winograd's algorithm may be used.</summary>
    [Params(true, false)]
    public bool Winograd { get; set; }

    /// <summary>Fills the operands.</summary>
    [GlobalSetup]
    public void Fill()
    {
        Device.Cpu.UsesWinograd = Winograd;
        var numbers = Array.ConvertAll(Shape.Split('x'), int.Parse);
        var (channels, height, width) = (numbers[0], numbers[1], numbers[2]);
        var windows = new WindowGeometry(128, height, width, channels, Kernel: 3, Stride: 1, Padding: 1, Dilation: 1);
        geometry = new ConvolutionGeometry(windows, channels, Groups: 1);
        Buffer Random(int length, int stream)
        {
            var buffer = Device.Cpu.Pool.Rent(length);
            Device.Cpu.FillNormal(buffer, new RandomSource(stream));
            return buffer;
        }
        var image = 128 * height * width * channels;
        (x, y, w) = (Random(image, 1), Random(image, 2), Random(9 * channels * channels, 3));
    }

    /// <summary>y from x and w.</summary>
    [Benchmark]
    public void Forward() => kernels.Convolve(geometry, x, w, null, y);

    /// <summary>The gradient of x from that of y.</summary>
    [Benchmark]
    public void InputGradient() => kernels.ConvolveInputGradient(geometry, y, w, x);

    /// <summary>The gradient of w from x and the gradient of y.</summary>
    [Benchmark]
    public void WeightGradient() => kernels.ConvolveWeightGradient(geometry, x, y, w);
}
