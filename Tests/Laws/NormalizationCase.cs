using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// A shape [N, positions.., C] for a normalization, and numbers of several kinds to fill it. A function of the seed and
/// the channels to choose from.
/// </summary>
internal sealed record NormalizationCase : ICase<NormalizationCase>
{
    private readonly IReadOnlyList<int> channelCounts;
    private readonly int[] dimensions;

    private NormalizationCase(IReadOnlyList<int> channelCounts, int[] dimensions, long seed) =>
        (this.channelCounts, this.dimensions, Seed) = (channelCounts, dimensions, seed);

    public long Seed { get; }

    public RandomSource Random => new(Seed);

    public Shape Shape => new(dimensions);

    public int Channels => dimensions[^1];

    public IReadOnlyList<Shape> Shapes => [Shape];

    public string Describe() => $"{Shape}";

    /// <summary>
    /// A small case. The seed's last two digits are the case's number: ranks from 2 to 5 and the numbers of channels
    /// take turns, and the first cases are the
    /// edges: one pixel, no sample, one sample.
    /// </summary>
    public static NormalizationCase Draw(IReadOnlyList<int> channelCounts, long seed)
    {
        var (random, number) = (new RandomSource(seed).Split(-1), (int)(seed % 100));
        int[] batches = [1, 2, 2, 3], positions = [1, 2, 2, 3];
        var batch = number switch { 0 => 1, 1 => 0, 2 => 1, _ => batches[random.Below(4, 0)] };
        var between = Enumerable.Range(1, number % 4).Select(axis => positions[random.Below(4, axis)]);
        // Shifted by one each time round, so that every rank meets every number of channels.
        return new NormalizationCase(channelCounts,
            [batch, .. between, channelCounts[(number + number / 4) % channelCounts.Count]], seed);
    }

    /// <summary>A case large enough for a device to use its threads.</summary>
    public static NormalizationCase DrawLarge(IReadOnlyList<int> channelCounts, long seed)
    {
        var channels = channelCounts[new RandomSource(seed).Below(channelCounts.Count, 0)];
        return new NormalizationCase(channelCounts, [7, 37, 300 / channels + 1, channels], seed);
    }

    public IEnumerable<NormalizationCase> Smaller()
    {
        NormalizationCase With(int[] dimensions) => new(channelCounts, dimensions, Seed);
        foreach (var channels in channelCounts.Where(count => count < Channels))
            yield return With([.. dimensions[..^1], channels]);
        for (var axis = 1; axis < dimensions.Length - 1; axis++)
            yield return With([.. dimensions[..axis], .. dimensions[(axis + 1)..]]);
        for (var axis = 0; axis < dimensions.Length - 1; axis++)
            if (dimensions[axis] > 1)
                yield return With([.. dimensions[..axis], dimensions[axis] - 1, .. dimensions[(axis + 1)..]]);
    }

    /// <summary>Numbers of mean 0 and deviation 1, moved and stretched, as float holds them.</summary>
    public double[] Values(double mean = 0, double deviation = 1) =>
        Numbers(i => (float)(mean + deviation * Random.Normal(i)));

    /// <summary>
    /// Multiples of 1/16, no two alike unless they are many: exact in float, and so are sums with whole numbers up to
    /// thousands.
    /// </summary>
    public double[] Sixteenths()
    {
        var order = Random.Permutation(Shape.Count);
        return Numbers(i => (order[i] % 1024 - 512) / 16.0);
    }

    /// <summary>The elements of a sample.</summary>
    public int SampleSize => dimensions[1..].Aggregate(1, (product, length) => product * length);

    /// <summary>
    /// Another batch, of so many samples of the same shape: numbers of a mean and a deviation of each channel's own.
    /// </summary>
    public double[] Batch(int samples) => [.. Enumerable.Range(0, samples * SampleSize).Select(i =>
        (double)(float)(2 - i % Channels + (3 + i % Channels) * Random.Split(1).Normal(i)))];

    /// <summary>A random covector.</summary>
    public double[] Covector(int number = 0) => Numbers(i => (float)Random.Split(number).Normal(i));

    /// <summary>The elements of each set that shares, as row-major indices.</summary>
    public int[][] Sets(SharingGeometry geometry)
    {
        var sets = new List<int>[geometry.Sets];
        for (var i = 0; i < Shape.Count; i++)
        {
            var (sample, position) = Math.DivRem(i / Channels, geometry.Positions);
            var place = geometry.ShareBatch ? 0 : sample;
            if (!geometry.SharePositions) place = place * geometry.Positions + position;
            (sets[place * geometry.Groups + i % Channels / (Channels / geometry.Groups)] ??= []).Add(i);
        }
        return [.. sets.Select(set => set?.ToArray() ?? [])];
    }

    private double[] Numbers(Func<int, double> element) => [.. Enumerable.Range(0, Shape.Count).Select(element)];
}
