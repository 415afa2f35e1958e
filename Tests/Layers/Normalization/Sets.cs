using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// Which elements share a mean, written out once more, as plainly as possible: the tests' own idea of it.
/// </summary>
internal static class Sets
{
    /// <summary>Every way of sharing, for six channels.</summary>
    public static TheoryData<bool, bool, int> Sharings
    {
        get
        {
            var data = new TheoryData<bool, bool, int>();
            foreach (var batch in (bool[])[false, true])
                foreach (var positions in (bool[])[false, true])
                    foreach (var groups in (int[])[1, 2, 3, 6]) data.Add(batch, positions, groups);
            return data;
        }
    }

    /// <summary>The sets' elements, as row-major indices; sets in the order of batch, position, group.</summary>
    public static int[][] Of(Sharing sharing, Shape x)
    {
        var channels = x[-1];
        var positions = x.Count / x[0] / channels;
        return [.. Enumerable.Range(0, x.Count).GroupBy(i =>
            {
                var (sample, position, channel) = (i / channels / positions, i / channels % positions, i % channels);
                return (sharing.Batch ? 0 : sample, sharing.Positions ? 0 : position,
                    channel / (channels / sharing.Groups));
            }).OrderBy(set => set.Key).Select(set => set.ToArray())];
    }

    public static double Mean(double[] values, int[] set) => set.Average(i => values[i]);

    /// <summary>Biased: divided by the number of elements.</summary>
    public static double Variance(double[] values, int[] set)
    {
        var mean = Mean(values, set);
        return set.Average(i => (values[i] - mean) * (values[i] - mean));
    }
}
