using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The CPU's max pooling against the definition in plain loops. Nothing is rounded but the sums of overlapping windows'
/// gradients.
/// </summary>
public sealed class PoolingKernelsTests
{
    private static readonly CpuDevice Kernels = Device.Cpu;

    [Fact]
    public void Values_and_gradients_equal_the_definition()
    {
        var random = new RandomSource(21);
        for (var i = 0; i < 200; i++)
        {
            var geometry = RandomGeometry(random.Split(i));
            // Every third time few different values, so that windows have several largest elements; and now and then
            // NaN and infinities.
            var x = KernelTesting.Normal(XLength(geometry), i);
            if (i % 3 == 0) x = [.. x.Select(value => MathF.Round(value))];
            float[] special = [float.NaN, float.NegativeInfinity, float.PositiveInfinity];
            if (i % 4 == 0)
                x = [.. x.Select((value, at) => random.Below(9, at) is < 3 and var which ? special[which] : value)];
            Check(geometry, x, KernelTesting.Normal(YLength(geometry), i + 1000));
        }
    }

    [Fact]
    public void The_first_of_equal_elements_gets_the_gradient()
    {
        var geometry = new WindowGeometry(1, 2, 2, 1, 2, 2, 0, 1);
        Assert.Equal([5, 0, 0, 0], Compute(geometry, [3, 3, 3, 3], [5]).Gradient);
        Assert.Equal([0, 5, 0, 0], Compute(geometry, [2, 3, 3, 3], [5]).Gradient);
    }

    [Fact]
    public void Padding_never_wins()
    {
        var geometry = new WindowGeometry(1, 1, 1, 1, 3, 1, 1, 1);
        Assert.Equal([-4], Compute(geometry, [-4], [1]).Y);
        var (y, gradient) = Compute(geometry, [float.NegativeInfinity], [7]);
        Assert.Equal([float.NegativeInfinity], y);
        Assert.Equal([7], gradient);
    }

    [Fact]
    public void A_NaN_in_the_window_is_its_largest_element_wherever_it_stands()
    {
        var geometry = new WindowGeometry(1, 1, 3, 1, new Size2d(1, 3), 1, 0, 1);
        for (var at = 0; at < 3; at++)
        {
            float[] x = [1, 9, 2], expected = [0, 0, 0];
            (x[at], expected[at]) = (float.NaN, 1);
            var (y, gradient) = Compute(geometry, x, [1]);
            Assert.True(float.IsNaN(y[0]));
            Assert.Equal(expected, gradient);
        }
    }

    internal static void Check(WindowGeometry v, float[] x, float[] g)
    {
        var (y, gradient) = Compute(v, x, g);
        var exact = new double[x.Length];
        var magnitude = new double[x.Length];
        for (var at = 0; at < y.Length; at++)
        {
            var (c, j, i, n) = (at % v.Channels, at / v.Channels % v.OutputWidth,
                at / v.Channels / v.OutputWidth % v.OutputHeight, at / v.Channels / v.OutputWidth / v.OutputHeight);
            var winner = -1;
            for (var k = 0; k < v.Kernel.Height; k++)
                for (var l = 0; l < v.Kernel.Width; l++)
                {
                    var row = i * v.Stride.Height + k * v.Dilation.Height - v.Padding.Height;
                    var column = j * v.Stride.Width + l * v.Dilation.Width - v.Padding.Width;
                    if (row < 0 || row >= v.Height || column < 0 || column >= v.Width) continue;
                    var candidate = ((n * v.Height + row) * v.Width + column) * v.Channels + c;
                    if (winner < 0 || x[candidate] > x[winner] || float.IsNaN(x[candidate]) && !float.IsNaN(x[winner]))
                        winner = candidate;
                }
            Assert.Equal(winner < 0 ? float.NegativeInfinity : x[winner], y[at]);
            if (winner < 0) continue;
            exact[winner] += g[at];
            magnitude[winner] += Math.Abs(g[at]);
        }
        // At most 49 windows meet in a pixel.
        for (var i = 0; i < x.Length; i++)
        {
            if (Math.Abs(gradient[i] - exact[i]) <= 49 * Math.Pow(2, -24) * magnitude[i]) continue;
            Assert.Fail($"{v}: gradient[{i}] is {gradient[i]}, not {exact[i]}");
        }
    }

    internal static (float[] Y, float[] Gradient) Compute(WindowGeometry geometry, float[] x, float[] g,
        CpuDevice? device = null)
    {
        var kernels = (IPoolingKernels)(device ?? Kernels);
        var (xs, gs) = (KernelTesting.Filled(x), KernelTesting.Filled(g));
        return (KernelTesting.Result(g.Length, to => kernels.MaxPool(geometry, xs, to)),
            KernelTesting.Result(x.Length, to => kernels.MaxPoolGradient(geometry, xs, gs, to)));
    }

    internal static int XLength(WindowGeometry g) => g.Batch * g.Height * g.Width * g.Channels;

    internal static int YLength(WindowGeometry g) => g.Batch * g.OutputHeight * g.OutputWidth * g.Channels;

    private static WindowGeometry RandomGeometry(RandomSource random)
    {
        for (var draw = 0; ; draw++)
        {
            var next = 0;
            var source = random.Split(draw);
            int Pick(params ReadOnlySpan<int> values) => values[source.Below(values.Length, next++)];
            var geometry = new WindowGeometry(Pick(0, 1, 2, 3), Pick(1, 2, 5, 7, 8), Pick(1, 3, 4, 6, 11),
                Pick(1, 2, 7, 8, 9, 16, 19),
                new Size2d(Pick(1, 2, 3, 7), Pick(1, 2, 3)),
                new Size2d(Pick(1, 2, 3), Pick(1, 2)), new Size2d(Pick(0, 0, 1, 2), Pick(0, 1, 3)),
                new Size2d(Pick(1, 1, 2), Pick(1, 1, 3)));
            if (geometry.OutputHeight > 0 && geometry.OutputWidth > 0) return geometry;
        }
    }
}
