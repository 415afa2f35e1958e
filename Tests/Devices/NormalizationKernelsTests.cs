using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The CPU's normalization kernels against the formulas in plain double loops over sets. A set's numbers lie within D of its first element (the
/// pivot), which floats can hold to 2^-24 D; up to 64 of them are added in float. So x^ is off by about 70 * 2^-24 D r at most, r = 1 / sqrt(variance
/// + eps), and as much again through the variance: 2^-16 D r is allowed, and for the gradient 2^-15 r max|g| (1 + D r)^2, its terms' sizes.
/// </summary>
public sealed class NormalizationKernelsTests
{
    private const double Eps = 1e-5;
    private static readonly INormalizationKernels Kernels = Device.Cpu;

    /// <summary>Which numbers: mean and deviation of normal ones. Huge ones have whole steps of 2^26 between neighbours.</summary>
    public enum Family { Ordinary, LargeMean, Constant, Tiny, Huge }

    [Fact]
    public void Values_statistics_and_gradients_equal_the_formulas()
    {
        var random = new RandomSource(11);
        for (var i = 0; i < 150; i++) Check(RandomGeometry(random.Split(i)), (Family)(i % 5), seed: i);
    }

    /// <summary>Shapes with a reason: rows that are joined and leave a rest, more than 64 rows, blocks for the threads, whole vectors.</summary>
    [Theory]
    [InlineData(2, 64, 16, 8, false, true)]       // GroupNorm in a ResNet
    [InlineData(3, 331, 17, 17, true, true)]      // rows joined by 8, and 331 * 3 = 8 * 124 + 1
    [InlineData(3, 4099, 11, 11, true, true)]     // 8 blocks of rows
    [InlineData(2, 4099, 6, 1, true, true)]
    [InlineData(2, 2000, 6, 2, false, true)]       // many times 64 rows in one set
    [InlineData(2, 7, 67, 1, false, false)]       // LayerNorm at each position, 67 = 8 * 8 + 3
    [InlineData(130, 3, 20, 4, true, false)]      // rows that lie apart
    [InlineData(3, 5, 7, 7, false, false)]        // sets of one element
    [InlineData(1, 1, 1, 1, true, true)]
    [InlineData(9, 1, 8, 2, true, true)]
    public void Chosen_geometries_equal_the_formulas(int n, int positions, int channels, int groups, bool batch, bool shared)
    {
        foreach (var family in Enum.GetValues<Family>()) Check(new SharingGeometry(n, positions, channels, groups, batch, shared), family, seed: 3);
    }

    [Fact]
    public void A_constant_set_gives_exactly_0_and_a_finite_gradient()
    {
        var geometry = new SharingGeometry(3, 6, 8, 2, false, true);
        float[] x = [.. Enumerable.Range(0, 3 * 6 * 8).Select(i => (float)Math.Pow(10, i / 48 * 7) / 3)];   // another constant for each sample
        var (y, statistics, gradient) = Compute(geometry, x, KernelTesting.Normal(x.Length, 4));
        Assert.All(y, value => Assert.Equal(0, value));
        Assert.All(statistics[(2 * geometry.Sets)..(3 * geometry.Sets)], variance => Assert.Equal(0, variance));
        Assert.All(gradient, value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void A_set_of_one_element_gives_0_with_gradient_0()
    {
        var geometry = new SharingGeometry(4, 3, 5, 5, false, false);
        var x = KernelTesting.Normal(60, 1);
        var (y, _, gradient) = Compute(geometry, x, KernelTesting.Normal(60, 2));
        Assert.All(y, value => Assert.Equal(0, value));
        Assert.All(gradient, value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void No_samples_give_empty_results(bool batch, bool positions)
    {
        var geometry = new SharingGeometry(0, 4, 6, 3, batch, positions);
        var (y, statistics, gradient) = Compute(geometry, [], []);
        Assert.Empty(y);
        Assert.Empty(gradient);
        Assert.All(statistics, value => Assert.Equal(0, value));
    }

    [Fact]
    public void Without_sharing_the_batch_a_sample_has_the_same_bits_alone_and_in_a_batch()
    {
        var random = new RandomSource(12);
        for (var i = 0; i < 40; i++)
        {
            var geometry = RandomGeometry(random.Split(i)) with { Batch = 5, ShareBatch = false };
            var length = geometry.Positions * geometry.Channels;
            var (x, g) = (KernelTesting.Normal(5 * length, i), KernelTesting.Normal(5 * length, i + 1000));
            var (y, _, gradient) = Compute(geometry, x, g);
            for (var sample = 0; sample < 5; sample += 2)
            {
                var part = (sample * length)..((sample + 1) * length);
                var (one, _, oneGradient) = Compute(geometry with { Batch = 1 }, x[part], g[part]);
                KernelTesting.AssertSameBits(y[part], one, $"{geometry}: sample {sample}");
                KernelTesting.AssertSameBits(gradient[part], oneGradient, $"{geometry}: gradient of sample {sample}");
            }
        }
    }

    private static void Check(SharingGeometry geometry, Family family, int seed)
    {
        var count = geometry.Batch * geometry.Positions * geometry.Channels;
        var (mean, deviation) = family switch
        {
            Family.Ordinary => (0.5, 1.0),
            Family.LargeMean => (1e4, 1.0),
            Family.Constant => (-7.3, 0.0),
            Family.Tiny => (1e-20, 1e-20),
            _ => (1e15, 3e14),
        };
        float[] x = [.. KernelTesting.Normal(count, seed).Select(z => (float)(mean + deviation * z))];
        var g = KernelTesting.Normal(count, seed + 1);
        var (y, statistics, gradient) = Compute(geometry, x, g);
        var sets = Enumerable.Range(0, count).ToLookup(i => SetOf(geometry, i));
        Assert.Equal(geometry.Sets, sets.Count);
        var what = $"{geometry}, {family}";
        foreach (var set in sets)
        {
            var (m, pivot) = (set.Average(i => (double)x[i]), x[set.First()]);
            var variance = set.Average(i => (x[i] - m) * (x[i] - m));
            var inverse = 1 / Math.Sqrt(variance + Eps);
            var distance = set.Max(i => Math.Abs((double)x[i] - pivot));
            Assert.Equal(pivot, statistics[set.Key]);
            Close((double)statistics[set.Key] + statistics[geometry.Sets + set.Key], m, distance * Math.Pow(2, -17), $"{what}: mean", set.Key);
            Close(statistics[2 * geometry.Sets + set.Key], variance, (variance + distance * distance) * Math.Pow(2, -17) + 10 * float.Epsilon,
                $"{what}: variance", set.Key);
            Close(statistics[3 * geometry.Sets + set.Key], inverse, inverse * Math.Pow(2, -16), $"{what}: 1 / sqrt(variance + eps)", set.Key);

            var meanGradient = set.Average(i => (double)g[i]);
            var meanProduct = set.Average(i => g[i] * (x[i] - m) * inverse);
            var gradientSize = inverse * set.Max(i => Math.Abs((double)g[i])) * Math.Pow(1 + distance * inverse, 2);
            var (yName, gradientName) = ($"{what}: y", $"{what}: gradient");
            foreach (var i in set)
            {
                var value = (x[i] - m) * inverse;
                Close(y[i], value, distance * inverse * Math.Pow(2, -16), yName, i);
                Close(gradient[i], inverse * (g[i] - meanGradient - value * meanProduct), gradientSize * Math.Pow(2, -15), gradientName, i);
            }
        }
    }

    // The set of element i of [N, positions, C]: batch (or all), position (or all), group, in row-major order.
    private static int SetOf(SharingGeometry g, int i)
    {
        var (n, p, c) = (i / g.Channels / g.Positions, i / g.Channels % g.Positions, i % g.Channels);
        return ((g.ShareBatch ? 0 : n) * (g.SharePositions ? 1 : g.Positions) + (g.SharePositions ? 0 : p)) * g.Groups + c / (g.Channels / g.Groups);
    }

    internal static (float[] Y, float[] Statistics, float[] Gradient) Compute(SharingGeometry geometry, float[] x, float[] g)
    {
        var (xs, gs) = (KernelTesting.Filled(x), KernelTesting.Filled(g));
        float[] y = [];
        var statistics = KernelTesting.Result(4 * geometry.Sets,
            to => y = KernelTesting.Result(x.Length, output => Kernels.Normalize(geometry, Eps, xs, output, to)));
        var numbers = KernelTesting.Filled(statistics);
        return (y, statistics, KernelTesting.Result(x.Length, to => Kernels.NormalizeGradient(geometry, xs, numbers, gs, to)));
    }

    private static void Close(double actual, double expected, double tolerance, string what, int at)
    {
        if (!(Math.Abs(actual - expected) <= tolerance)) Assert.Fail($"{what}[{at}] is {actual:R}, not {expected:R} +- {tolerance:R}");
    }

    private static SharingGeometry RandomGeometry(RandomSource random)
    {
        var next = 0;
        int Pick(params ReadOnlySpan<int> values) => values[random.Below(values.Length, next++)];
        var groups = Pick(1, 1, 2, 3, 5, 8);
        var (n, positions, channels) = (Pick(1, 2, 3, 7), Pick(1, 1, 2, 5, 16, 49, 130), groups * Pick(1, 1, 2, 3, 4, 7));
        return new SharingGeometry(n, positions, channels, groups, Pick(0, 1) == 1, Pick(0, 1, 1) == 1);
    }
}
