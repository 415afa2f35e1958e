using Xunit;

namespace Tapegrad.Tests;

/// <summary>
/// Philox against its authors' test vectors, the distributions, and the independence of what is split.
/// </summary>
public class RandomSourceTests
{
    [Fact]
    public void PhiloxGivesThePublishedNumbers()
    {
        // philox4x32-10 in the file kat_vectors of Random123, by the authors of the paper: counter 0 and key 0; all
        // ones; the digits of pi.
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), RandomSource.Philox(0, 0, 0));
        Assert.Equal((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu),
            RandomSource.Philox(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue));
        Assert.Equal((0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u),
            RandomSource.Philox(key: 0x299f31d0a4093822, low: 0x85a308d3243f6a88, high: 0x0370734413198a2e));
    }

    [Fact]
    public void TheDefaultSourceHasTheKeyZero()
    {
        uint[] expected = [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8];
        Assert.Equal(expected, Enumerable.Range(0, 4).Select(i => default(RandomSource).Bits(i)));
        Assert.NotEqual(expected[0], default(RandomSource).Bits(4));
    }

    [Fact]
    public void ASeedGivesTheSameNumbersOnEveryMachine()
    {
        // Computed once from the definition: key = SplitMix64's finalizer of the seed (its first output for the state 0
        // is e220a8397b1dcdaf, as published with it), number = Philox of the counter 0.
        var (first, _, _, _) = RandomSource.Philox(0xe220a8397b1dcdaf, 0, 0);
        Assert.Equal(first, new RandomSource(0).Bits(0));
    }

    [Fact]
    public void SeedsAndIndicesAndSplitsAllDiffer()
    {
        var seen = new HashSet<ulong>();
        static ulong Name(RandomSource random) => (ulong)random.Bits(0) << 32 | random.Bits(1);
        for (var seed = -50; seed < 50; seed++)
        {
            var random = new RandomSource(seed);
            Assert.True(seen.Add(Name(random)), $"seed {seed}");
            for (var i = 0; i < 50; i++) Assert.True(seen.Add(Name(random.Split(i))), $"split {i} of seed {seed}");
            Assert.True(seen.Add(Name(random.Split(3).Split(4))), $"split of a split of seed {seed}");
        }
        Assert.Equal(new RandomSource(5).Split(7), new RandomSource(5).Split(7));
        Assert.NotEqual(new RandomSource(5).Split(3).Split(4), new RandomSource(5).Split(4).Split(3));
    }

    [Fact]
    public void ASplitIsNoPartOfItsSource()
    {
        var random = new RandomSource(11);
        var own = Enumerable.Range(0, 4000).Select(i => random.Bits(i)).ToHashSet();
        // What was drawn is not the key of a split: who sees the numbers does not know the numbers of the splits.
        for (var i = 0; i < 100; i++)
        {
            var drawn = (ulong)random.Bits(4 * i) << 32 | random.Bits(4 * i + 1);
            Assert.NotEqual(RandomSource.Philox(drawn, 0, 0), random.Split(i).Four(0));
        }
        // 4,000 of 2^32 numbers, drawn 4,000 times: 0.004 hits expected by chance.
        Assert.True(Enumerable.Range(0, 4000).Count(i => own.Contains(random.Split(0).Bits(i))) <= 1);
    }

    [Fact]
    public void NeighbouringSourcesAreUncorrelated()
    {
        const int count = 20_000;
        var root = new RandomSource(2);
        foreach (var (a, b) in new[] { (root, root.Split(0)), (root.Split(0), root.Split(1)),
            (new RandomSource(0), new RandomSource(1)) })
        {
            var correlation = Enumerable.Range(0, count).Average(i => a.Normal(i) * b.Normal(i));
            Assert.InRange(correlation, -5 / Math.Sqrt(count), 5 / Math.Sqrt(count));   // five standard errors
        }
    }

    [Fact]
    public void UniformNumbersFillTheUnitIntervalEvenly()
    {
        const int count = 100_000;
        var random = new RandomSource(3);
        var histogram = new int[10];
        for (var i = 0; i < count; i++)
        {
            var u = random.Uniform(i);
            if (u is < 0 or > 1 - 1.0 / (1 << 24) || u != (float)u) Assert.Fail($"{u:R} at {i}");
            histogram[(int)(u * 10)]++;
        }
        // A count of 10,000 has a standard deviation of 95; five of them.
        Assert.All(histogram, n => Assert.InRange(n, 10_000 - 475, 10_000 + 475));
    }

    [Fact]
    public void NormalNumbersHaveTheMomentsOfTheNormalDistribution()
    {
        const int count = 100_000;
        var random = new RandomSource(4);
        var x = Enumerable.Range(0, count).Select(i => random.Normal(i)).ToArray();
        // Standard errors: sqrt(var(x^k) / count) with var 1, 2, 15, 96 for k = 1 to 4; five of them.
        double Moment(int k) => x.Average(v => Math.Pow(v, k));
        Assert.InRange(Moment(1), -0.016, 0.016);
        Assert.InRange(Moment(2), 1 - 0.023, 1 + 0.023);
        Assert.InRange(Moment(3), -0.062, 0.062);
        Assert.InRange(Moment(4), 3 - 0.16, 3 + 0.16);
        // The two of a pair, and neighbours of different pairs, are independent.
        Assert.InRange(Enumerable.Range(0, count / 2).Average(i => x[2 * i] * x[2 * i + 1]), -0.023, 0.023);
        Assert.InRange(Enumerable.Range(1, count / 2 - 1).Average(i => x[2 * i - 1] * x[2 * i]), -0.023, 0.023);
        // 31.73 % lie outside one standard deviation; five standard errors of 0.15 %.
        Assert.InRange(x.Count(v => Math.Abs(v) > 1) / (double)count, 0.3173 - 0.0075, 0.3173 + 0.0075);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(10)]
    public void WholeNumbersBelowABoundAreEvenlySpread(int bound)
    {
        const int count = 70_000;
        var random = new RandomSource(5);
        var histogram = new int[bound];
        for (var i = 0; i < count; i++) histogram[random.Below(bound, i)]++;
        var expected = count / bound;
        Assert.All(histogram, n =>
            Assert.InRange(n, expected - 5 * Math.Sqrt(expected), expected + 5 * Math.Sqrt(expected)));
        Assert.Throws<ArgumentOutOfRangeException>(() => random.Below(0, 0));
    }

    [Fact]
    public void APermutationHoldsEachNumberOnce()
    {
        foreach (var count in (int[])[0, 1, 2, 3, 10, 1000])
            Assert.Equal(Enumerable.Range(0, count), new RandomSource(count).Permutation(count).Order());
        Assert.NotEqual(Enumerable.Range(0, 1000), new RandomSource(1).Permutation(1000));
        Assert.NotEqual(new RandomSource(1).Permutation(1000), new RandomSource(2).Permutation(1000));
        Assert.Equal(new RandomSource(1).Permutation(1000), new RandomSource(1).Permutation(1000));
    }

    [Fact]
    public void EveryPermutationIsEquallyLikely()
    {
        // 24 orders of four numbers, 24,000 draws: 1,000 each with a standard deviation of 31; five of them.
        var counts = new Dictionary<string, int>();
        for (var seed = 0; seed < 24_000; seed++)
        {
            var order = string.Join("", new RandomSource(6).Split(seed).Permutation(4));
            counts[order] = counts.GetValueOrDefault(order) + 1;
        }
        Assert.Equal(24, counts.Count);
        Assert.All(counts.Values, n => Assert.InRange(n, 1000 - 155, 1000 + 155));
    }
}
