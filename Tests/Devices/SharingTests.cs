using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Sub-batches and uncentered sets, through the operation: the kernel and the composite, and what both mean.
/// </summary>
public sealed class SharingTests
{
    private const double Eps = 1e-5;

    // Every sharing of a batch of seven, with and without something left over behind whole sub-batches.
    public static TheoryData<bool, bool, int, bool> Sharings()
    {
        var all = new TheoryData<bool, bool, int, bool>();
        foreach (var batch in (bool[])[true, false])
            foreach (var positions in (bool[])[true, false])
                foreach (var sub in (int[])[0, 1, 2, 3, 4, 7, 9])
                    foreach (var isCentered in (bool[])[true, false])
                        if (batch || sub == 0) all.Add(batch, positions, sub, isCentered);
        return all;
    }

    [Theory]
    [InlineData(true, true, 2, true)]
    [InlineData(true, false, 2, false)]
    [InlineData(false, true, 0, false)]
    [InlineData(true, true, 0, false)]
    public void It_obeys_the_laws_of_operations(bool batch, bool positions, int sub, bool isCentered)
    {
        var sharing = new Sharing(batch, positions, 2, sub, isCentered);
        OperationLaws.Check((x, gamma) => x.Normalize(sharing, 0.1, gamma), Input.Of("N P 4"), Input.Of("4"),
            new() { Cases = 10, Order = 2 });
    }

    [Theory]
    [MemberData(nameof(Sharings))]
    public void Moments_are_on_the_device_of_what_they_are_of(bool batch, bool positions, int sub, bool isCentered)
    {
        foreach (var (home, current) in (ReadOnlySpan<(Device, Device)>)[(Device.Reference, Device.Cpu),
            (Device.Cpu, Device.Reference)])
        {
            Tensor x;
            using (Device.Use(home)) x = Tensor.Normal(new Shape(7, 3, 4), new RandomSource(1));
            using var _ = Device.Use(current);
            var moments = new Sharing(batch, positions, 2, sub, isCentered).Moments(x);
            Assert.Equal((home, home), (moments.Mean.Device, moments.Variance.Device));
        }
    }

    [Theory]
    [MemberData(nameof(Sharings))]
    public void Values_and_moments_are_those_of_the_sets_gone_through_one_by_one(bool batch, bool positions, int sub,
        bool isCentered)
    {
        const int n = 7, p = 3, c = 4, groups = 2;
        var sharing = new Sharing(batch, positions, groups, sub, isCentered);
        var values = Numbers.Random(n * p * c, 1);
        int Set(int i) => ((!batch ? i / c / p : sub == 0 ? 0 : i / c / p / sub) * p + (positions ? 0 : i / c % p))
            * groups + i % c / (c / groups);
        // All sub-batches together: what evaluation uses.
        int Whole(int i) => ((batch ? 0 : i / c / p) * p + (positions ? 0 : i / c % p)) * groups + i % c / (c / groups);
        var indices = Enumerable.Range(0, n * p * c).ToArray();
        double Mean(IEnumerable<int> set) => isCentered ? set.Average(i => values[i]) : 0;
        double Variance(IEnumerable<int> set) => set.Average(i => Math.Pow(values[i] - Mean(set), 2));
        var sets = indices.ToLookup(Set);
        var expected = indices.Select(i => (values[i] - Mean(sets[Set(i)])) / Math.Sqrt(Variance(sets[Set(i)]) + Eps))
            .ToArray();
        var wholes = indices.GroupBy(Whole).OrderBy(set => set.Key).ToArray();
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            using var _ = Device.Use(device);
            var x = Tensor.From(values, new Shape(n, p, c));
            var tolerance = device == Device.Reference ? 1e-12 : 2e-6;
            Close(expected, x.Normalize(sharing, Eps, out var moments), tolerance);
            Close(expected, x.Normalize(sharing, Eps), tolerance);
            Close([.. wholes.Select(Mean)], moments!.Mean, tolerance);
            Close([.. wholes.Select(Variance)], moments.Variance, 4 * tolerance);
            Assert.Equal(n * p * c / wholes.Length, moments.Count);
            Close([.. wholes.Select(Variance)], sharing.Moments(x).Variance, 4 * tolerance);

            // What a formula of one's own is made of: one number for each element's set.
            double[] Each(Func<IEnumerable<int>, double> ofSet) => [.. indices.Select(i => ofSet(sets[Set(i)]))];
            Close(Each(Mean), sharing.Mean(x).BroadcastTo(x.Shape), tolerance);
            Close(Each(Variance), sharing.Variance(x).BroadcastTo(x.Shape), 4 * tolerance);
            Close(Each(set => set.Average(i => values[i] * values[i])), sharing.MeanSquare(x).BroadcastTo(x.Shape),
                4 * tolerance);
            Close([.. indices.Select(i => values[i] - Mean(sets[Set(i)]))], sharing.Center(x), tolerance);
        }
    }

    // Seven samples in sub-batches: each of them, and what is left over, as if it were alone.
    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void What_is_asked_for_beside_is_done_to_what_is_left_over_too(int sub)
    {
        Shape shape = new(7, 3, 4), channels = new(4);
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            using var _ = Device.Use(device);
            var tolerance = device == Device.Reference ? 1e-12 : 4e-6;
            double[][] Results(Func<Tensor[], Tensor> compute)
            {
                using var tape = Tape.Evaluating();
                Tensor[] inputs = [.. new[] { shape, channels, channels, shape }.Select((of, i) =>
                    tape.Watch(Tensor.From(Numbers.Random(of.Count, 3 + i), of)))];
                var y = compute(inputs);
                return [y.ToDoubles(), .. tape.Gradients(y, inputs, Tensor.From(Numbers.Random(shape.Count, 9), shape))
                    .Select(g => g.ToDoubles())];
            }
            var sharing = new Sharing(Batch: true, Positions: true, Groups: 2);
            var blocks = Enumerable.Range(0, (6 + sub) / sub)
                .Select(i => (Start: i * sub, Count: Math.Min(sub, 7 - i * sub))).ToArray();
            var alone = Results(x =>
            {
                Tensor[] parts = [.. blocks.Select(block => x[0].Slice(0, block.Start, block.Count)
                    .Normalize(sharing, Eps, x[1], x[2], x[3].Slice(0, block.Start, block.Count), relu: true))];
                return parts[0].Concatenate(0, parts[1..]);
            });
            sharing = sharing with { SubBatch = sub };
            foreach (var results in (double[][][])[
                Results(x => x[0].Normalize(sharing, Eps, x[1], x[2], x[3], relu: true)),
                Results(x => x[0].Normalize(sharing, Eps, out var moments, x[1], x[2], x[3], relu: true))])
                foreach (var (expected, actual) in alone.Zip(results)) Close(expected,
                    Tensor.From(actual, new Shape(actual.Length)), tolerance);
        }
    }

    private static void Close(double[] expected, Tensor actual, double tolerance)
    {
        var values = actual.ToDoubles();
        Assert.Equal(expected.Length, values.Length);
        for (var i = 0; i < values.Length; i++)
            if (!(Math.Abs(values[i] - expected[i]) <= tolerance))
                Assert.Fail($"element {i} is {values[i]:R}, not {expected[i]:R}");
    }
}
