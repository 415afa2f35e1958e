using Tapegrad.Devices;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The CPU's normalization kernels against the formulas in plain double loops over sets. A set's numbers lie within D
/// of its first element (the pivot), which floats can hold to 2^-24 D; up to 64 of them are added in float. So x^ is
/// off by about 70 * 2^-24 D r at most, r = 1 / sqrt(variance + eps), and as much again through the variance: 2^-16 D r
/// is allowed, and for the gradient 2^-15 r max|g| (1 + D r)^2, its terms' sizes; what gamma, beta and residual add is
/// of their own size. Sums over the batch may be off as their largest term, times the number of terms. What passes the
/// ReLU is what is not 0 in the kernel's own value, exactly.
/// </summary>
public sealed class NormalizationKernelsTests
{
    private const double Eps = 1e-5;
    private static readonly CpuDevice Kernels = KernelTesting.Poisoned();

    /// <summary>What is done beside normalizing.</summary>
    internal sealed record Extras(bool Affine = false, bool Residual = false, bool Relu = false, bool IsGiven = false)
    {
        /// <summary>One of the eight, or of the eight with given statistics.</summary>
        public static Extras Number(int i) => new((i & 1) == 1, (i & 2) == 2, (i & 4) == 4, (i & 8) == 8);
    }

    /// <summary>What the kernels computed.</summary>
    internal sealed record Results(float[] Y, float[] Statistics, float[] Gradient, float[] Gamma, float[] Beta,
        float[] Residual)
    {
        public float[] All => [.. Y, .. Statistics, .. Gradient, .. Gamma, .. Beta, .. Residual];
    }

    /// <summary>
    /// Which numbers: mean and deviation of normal ones. Huge ones have whole steps of 2^26 between neighbours.
    /// </summary>
    public enum Family { Ordinary, LargeMean, Constant, Tiny, Huge }

    [Fact]
    public void Values_statistics_and_gradients_equal_the_formulas()
    {
        var random = new RandomSource(11);
        for (var i = 0; i < 320; i++)
            Check(RandomGeometry(random.Split(i)), (Family)(i % 5), Extras.Number(i / 5), seed: i);
    }

    /// <summary>
    /// Shapes with a reason: rows that are joined and leave a rest, more than 64 rows, blocks for the threads, whole
    /// vectors.
    /// </summary>
    [Theory]
    [InlineData(2, 64, 16, 8, false, true)]       // GroupNorm in a ResNet
    [InlineData(3, 331, 17, 17, true, true)]      // rows joined by 8, and 331 * 3 = 8 * 124 + 1
    [InlineData(3, 4099, 11, 11, true, true)]     // 8 blocks of rows
    [InlineData(2, 4099, 6, 1, true, true)]
    [InlineData(2, 2000, 6, 2, false, true)]       // many times 64 rows in one set
    [InlineData(2, 4099, 17, 1, false, true)]     // 2 slabs of 2 blocks
    [InlineData(2, 7, 67, 1, false, false)]       // LayerNorm at each position, 67 = 8 * 8 + 3
    [InlineData(130, 3, 20, 4, true, false)]      // rows that lie apart
    [InlineData(3, 5, 7, 7, false, false)]        // sets of one element
    [InlineData(1, 1, 1, 1, true, true)]
    [InlineData(9, 1, 8, 2, true, true)]
    public void Chosen_geometries_equal_the_formulas(int n, int positions, int channels, int groups, bool batch,
        bool shared)
    {
        var geometry = new SharingGeometry(n, positions, channels, groups, batch, shared);
        foreach (var family in Enum.GetValues<Family>()) Check(geometry, family, new Extras(), seed: 3);
        for (var i = 1; i < 16; i++) Check(geometry, Family.Ordinary, Extras.Number(i), seed: i);
        Check(geometry with { IsCentered = false }, Family.LargeMean, new Extras(), seed: 4);
        Check(geometry with { IsCentered = false }, Family.Ordinary, new Extras(true, true, true), seed: 5);
        if (batch && n > 1)
            Check(geometry with { SubBatch = 1 }, Family.Ordinary, new Extras(true, false, true), seed: 6);
        if (batch && n % 3 == 0)
            Check(geometry with { SubBatch = n / 3 }, Family.LargeMean, new Extras(true, true), seed: 7);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_sub_batch_has_the_bits_that_it_has_alone(bool positions)
    {
        var geometry = new SharingGeometry(12, 37, 10, 2, true, positions, SubBatch: 4);
        var length = 4 * 37 * 10;
        var (x, g) = (KernelTesting.Normal(3 * length, 1), KernelTesting.Normal(3 * length, 2));
        var together = Compute(geometry, x, g, new Extras(Affine: true, Relu: true));
        for (var block = 0; block < 3; block++)
        {
            var part = (block * length)..((block + 1) * length);
            var alone = Compute(geometry with { Batch = 4, SubBatch = 0 }, x[part], g[part],
                new Extras(Affine: true, Relu: true));
            KernelTesting.AssertSameBits(alone.Y, together.Y[part], $"y of block {block}");
            KernelTesting.AssertSameBits(alone.Gradient, together.Gradient[part], $"gradient of block {block}");
        }
    }

    [Fact]
    public void A_batch_that_is_not_made_of_whole_sub_batches_is_refused() => Assert.Contains("whole sub-batches",
        Assert.Throws<ArgumentException>(() =>
            Compute(new SharingGeometry(5, 1, 2, 1, true, true, SubBatch: 2), new float[10], new float[10])).Message);

    // The first element is the pivot. A thousand deviations away from the others, its square takes a float's last
    // digits away from theirs: if all squares were summed around it, 64 at a time, the variance, about 1 + 10^6 /
    // 131072, would be off by 4e-4 of itself. As it is, only those few are that are summed together with it.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_odd_first_element_costs_no_digits(bool batch)
    {
        const int count = 131072;
        foreach (var first in (float[])[1000, -3000, 5432.1f, -12345.67f])
        {
            var x = KernelTesting.Normal(count, 5);
            x[0] = first;
            var statistics = Compute(new SharingGeometry(1, count, 1, 1, batch, true), x, new float[count]).Statistics;
            var mean = x.Average(value => (double)value);
            var variance = x.Average(value => (value - mean) * (value - mean));
            Close(statistics[0] + (double)statistics[1], mean, 1e-3, "mean", 0);   // floats near 12345 lie 2^-10 apart
            Close(statistics[2], variance, variance * 1e-4, $"variance with {first}", 0);
        }
    }

    [Fact]
    public void A_constant_set_gives_exactly_0_and_a_finite_gradient()
    {
        var geometry = new SharingGeometry(3, 6, 8, 2, false, true);
        // another constant for each sample
        float[] x = [.. Enumerable.Range(0, 3 * 6 * 8).Select(i => (float)Math.Pow(10, i / 48 * 7) / 3)];
        var (y, statistics, gradient, _, _, _) = Compute(geometry, x, KernelTesting.Normal(x.Length, 4));
        Assert.All(y, value => Assert.Equal(0, value));
        Assert.All(statistics[(2 * geometry.Sets)..(3 * geometry.Sets)], variance => Assert.Equal(0, variance));
        Assert.All(gradient, value => Assert.True(float.IsFinite(value)));
    }

    [Fact]
    public void A_set_of_one_element_gives_0_with_gradient_0()
    {
        var geometry = new SharingGeometry(4, 3, 5, 5, false, false);
        var x = KernelTesting.Normal(60, 1);
        foreach (var extras in (Extras[])[new(), new(Affine: true), new(Affine: true, Relu: true),
            new(true, true, true)])
        {
            var results = Compute(geometry, x, KernelTesting.Normal(60, 2), extras);
            if (extras == new Extras()) Assert.All(results.Y, value => Assert.Equal(0, value));
            Assert.All(results.Gradient, value => Assert.Equal(0, value));
            Assert.All(results.Gamma, value => Assert.Equal(0, value));
        }
    }

    [Theory]
    [InlineData(false, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(true, false)]
    public void No_samples_give_empty_results(bool batch, bool positions)
    {
        var geometry = new SharingGeometry(0, 4, 6, 3, batch, positions);
        var results = Compute(geometry, [], [], new Extras(true, true, true));
        Assert.Empty(results.Y);
        Assert.Empty(results.Gradient);
        Assert.All((float[])[.. results.Statistics, .. results.Gamma, .. results.Beta], value =>
            Assert.Equal(0, value));
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
            var extras = Extras.Number(i % 8);
            var (y, _, gradient, _, _, _) = Compute(geometry, x, g, extras);
            for (var sample = 0; sample < 5; sample += 2)
            {
                var part = (sample * length)..((sample + 1) * length);
                var (one, _, oneGradient, _, _, _) = Compute(geometry with { Batch = 1 }, x[part], g[part], extras,
                    sample);
                KernelTesting.AssertSameBits(y[part], one, $"{geometry}: sample {sample}");
                KernelTesting.AssertSameBits(gradient[part], oneGradient, $"{geometry}: gradient of sample {sample}");
            }
        }
    }

    internal static void Check(SharingGeometry geometry, Family family, Extras extras, int seed)
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
        var results = Compute(geometry, x, g, extras);
        var statistics = results.Statistics;
        var what = $"{geometry}, {family}, {extras}";
        var (gammas, betas) = extras.Affine ? (Gamma(geometry), Beta(geometry)) : (null, null);
        var residual = extras.Residual ? Residual(geometry) : null;
        double[] kept = [.. g.Select((slope, i) => extras.Relu && results.Y[i] == 0 ? 0.0 : slope)];
        var (ofGamma, ofBeta, largest) = (new double[geometry.Channels], new double[geometry.Channels], 0.0);

        var sets = Enumerable.Range(0, count).ToLookup(i => SetOf(geometry, i));
        Assert.Equal(geometry.Sets, sets.Count);
        foreach (var set in sets)
        {
            var (m, pivot) = geometry.IsCentered ? (set.Average(i => (double)x[i]), x[set.First()]) : (0, 0);
            var variance = set.Average(i => (x[i] - m) * (x[i] - m));
            var distance = set.Max(i => Math.Abs((double)x[i] - pivot));
            if (extras.IsGiven)
            {
                (m, variance) = (GivenMean(set.Key), GivenVariance(set.Key));
                distance = set.Max(i => Math.Abs(x[i] - m));
            }
            var inverse = 1 / Math.Sqrt(variance + Eps);
            Assert.Equal(extras.IsGiven ? (float)m : pivot, statistics[set.Key]);
            Close((double)statistics[set.Key] + statistics[geometry.Sets + set.Key], m, distance * Math.Pow(2, -17),
                $"{what}: mean", set.Key);
            Close(statistics[2 * geometry.Sets + set.Key], variance, (variance + distance * distance) * Math.Pow(2, -17)
                + 10 * float.Epsilon,
                $"{what}: variance", set.Key);
            Close(statistics[3 * geometry.Sets + set.Key], inverse, inverse * Math.Pow(2, -16),
                $"{what}: 1 / sqrt(variance + eps)", set.Key);

            double Factor(int i) => gammas?[i % geometry.Channels] ?? 1.0;
            double Slope(int i) => kept[i] * Factor(i);
            var meanGradient = extras.IsGiven || !geometry.IsCentered ? 0 : set.Average(Slope);
            var meanProduct = extras.IsGiven ? 0 : set.Average(i => Slope(i) * (x[i] - m) * inverse);
            var gradientSize = inverse * set.Max(i => Math.Abs(Slope(i))) * Math.Pow(1 + distance * inverse, 2);
            largest = Math.Max(largest, distance * inverse);
            var (yName, gradientName) = ($"{what}: y", $"{what}: gradient");
            foreach (var i in set)
            {
                var normalized = (x[i] - m) * inverse;
                var added = (betas?[i % geometry.Channels] ?? 0.0) + (residual?[i] ?? 0.0);
                var value = normalized * Factor(i) + added;
                Close(results.Y[i], extras.Relu ? Math.Max(value, 0) : value,
                    distance * inverse * Math.Abs(Factor(i)) * Math.Pow(2, -16) + (added == 0 ? 0 : Math.Pow(2, -20)),
                    yName, i);
                Close(results.Gradient[i], inverse * (Slope(i) - meanGradient - normalized * meanProduct),
                    gradientSize * Math.Pow(2, -15), gradientName, i);
                ofGamma[i % geometry.Channels] += kept[i] * normalized;
                ofBeta[i % geometry.Channels] += kept[i];
            }
        }
        var terms = (double)count / geometry.Channels * (count == 0 ? 0 : g.Max(Math.Abs));
        for (var channel = 0; channel < geometry.Channels; channel++)
        {
            Close(results.Gamma[channel], ofGamma[channel], terms * largest * Math.Pow(2, -16),
                $"{what}: gradient of gamma", channel);
            Close(results.Beta[channel], ofBeta[channel], terms * Math.Pow(2, -20), $"{what}: gradient of beta",
                channel);
        }
        if (extras is { Residual: true, Relu: true })
            Assert.Equal(kept, results.Residual.Select(slope => (double)slope));
    }

    private static float[] Gamma(SharingGeometry geometry) =>
        [.. KernelTesting.Normal(geometry.Channels, 101).Select(z => z + 0.5f)];

    private static float[] Beta(SharingGeometry geometry) => KernelTesting.Normal(geometry.Channels, 102);

    // Of each sample its own, wherever it stands in the batch.
    private static float[] Residual(SharingGeometry geometry, int firstSample = 0) =>
        [.. Enumerable.Range(firstSample, geometry.Batch)
            .SelectMany(n => KernelTesting.Normal(geometry.Positions * geometry.Channels, 200 + n))];

    private static float GivenMean(int set) => 0.25f * (set % 5 - 2);

    private static float GivenVariance(int set) => 0.5f + set % 3;

    // The set of element i of [N, positions, C]: samples that share, position (or all), group, in row-major order.
    private static int SetOf(SharingGeometry g, int i)
    {
        var (n, p, c) = (i / g.Channels / g.Positions, i / g.Channels % g.Positions, i % g.Channels);
        return (n / g.Samples * (g.SharePositions ? 1 : g.Positions) + (g.SharePositions ? 0 : p)) * g.Groups
            + c / (g.Channels / g.Groups);
    }

    internal static Results Compute(SharingGeometry sharing, float[] x, float[] g, Extras? extras = null,
        int firstSample = 0, CpuDevice? device = null)
    {
        extras ??= new Extras();
        var kernels = (INormalizationKernels)(device ?? Kernels);
        var geometry = new NormalizationGeometry(sharing, Eps, extras.Relu, extras.IsGiven);
        var (xs, gs) = (KernelTesting.Filled(x), KernelTesting.Filled(g));
        var (gamma, beta) = extras.Affine ? (KernelTesting.Filled(Gamma(sharing)), KernelTesting.Filled(Beta(sharing)))
            : (null, null);
        var residual = extras.Residual ? KernelTesting.Filled(Residual(sharing, firstSample)) : null;
        float[] y = [], gradient = [], ofGamma = [], ofBeta = [], ofResidual = [];
        var statistics = KernelTesting.Result(4 * sharing.Sets, to =>
        {
            if (extras.IsGiven)
                for (var set = 0; set < sharing.Sets; set++)
                {
                    var given = ((HostBuffer<float>)to).Span;
                    (given[set], given[sharing.Sets + set], given[2 * sharing.Sets + set]) =
                        (GivenMean(set), 0, GivenVariance(set));
                }
            y = KernelTesting.Result(x.Length, output =>
                kernels.Normalize(geometry, xs, gamma, beta, residual, to, output));
        });
        var (numbers, values) = (KernelTesting.Filled(statistics), KernelTesting.Filled(y));
        // Its own statistics, given back, make the same y once more.
        Assert.Equal(y, KernelTesting.Result(x.Length, output =>
            kernels.Normalize(geometry with { IsGiven = true }, xs, gamma, beta, residual, numbers, output)));
        void Gradient(Buffer? toResidual) => gradient = KernelTesting.Result(x.Length, toX =>
            ofGamma = KernelTesting.Result(sharing.Channels, toGamma =>
                ofBeta = KernelTesting.Result(sharing.Channels, toBeta =>
                kernels.NormalizeGradient(geometry, xs, gamma, beta, numbers, toResidual is null ? null : values, gs,
                    toX, toGamma, toBeta, toResidual))));
        if (extras is { Residual: true, Relu: true }) ofResidual = KernelTesting.Result(x.Length, Gradient);
        else Gradient(null);
        return new Results(y, statistics, gradient, ofGamma, ofBeta, ofResidual);
    }

    private static void Close(double actual, double expected, double tolerance, string what, int at)
    {
        if (!(Math.Abs(actual - expected) <= tolerance))
            Assert.Fail($"{what}[{at}] is {actual:R}, not {expected:R} +- {tolerance:R}");
    }

    private static SharingGeometry RandomGeometry(RandomSource random)
    {
        var next = 0;
        int Pick(params ReadOnlySpan<int> values) => values[random.Below(values.Length, next++)];
        var groups = Pick(1, 1, 2, 3, 5, 8);
        var (n, positions, channels) = (Pick(1, 2, 3, 7), Pick(1, 1, 2, 5, 16, 49, 130),
            groups * Pick(1, 1, 2, 3, 4, 7));
        var (batch, shared, sub) = (Pick(0, 1) == 1, Pick(0, 1, 1) == 1, Pick(0, 0, 1, 2, 3));
        return new SharingGeometry(batch && sub > 0 ? n * sub : n, positions, channels, groups, batch, shared,
            batch ? sub : 0, Pick(0, 1, 1) == 1);
    }
}
