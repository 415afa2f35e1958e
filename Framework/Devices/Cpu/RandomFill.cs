namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Random fills: element i is a function of the source and of i, so any thread may write any part. What the source
/// computes together is written together; the last group reaches into the buffer's padding.
/// </summary>
internal readonly unsafe struct RandomFill
{
    private const int GroupCost = 32;   // a group costs about as much as this many elements of a sum

    private readonly Ranges ranges;   // of groups

    private RandomFill(int length, int together) => ranges = new Ranges((length + together - 1) / together, GroupCost);

    /// <summary>for (i = 0; i &lt; length; i++) y[i] = random.Uniform(i); in fours.</summary>
    public static void Uniform(RandomSource random, float* y, int length) => new RandomFill(length, 4).ranges.Run(new UniformFours(random, y));

    /// <summary>for (i = 0; i &lt; length; i++) y[i] = random.Normal(i); in pairs.</summary>
    public static void Normal(RandomSource random, float* y, int length) => new RandomFill(length, 2).ranges.Run(new NormalPairs(random, y));

    private readonly struct UniformFours(RandomSource random, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var four = from; four < to; four++)
            {
                var (a, b, c, d) = random.Four(four);
                var target = y + 4L * four;
                target[0] = (float)RandomSource.Uniform(a);
                target[1] = (float)RandomSource.Uniform(b);
                target[2] = (float)RandomSource.Uniform(c);
                target[3] = (float)RandomSource.Uniform(d);
            }
        }
    }

    private readonly struct NormalPairs(RandomSource random, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var pair = from; pair < to; pair++)
            {
                var (even, odd) = random.NormalPair(pair);
                y[2L * pair] = (float)even;
                y[2L * pair + 1] = (float)odd;
            }
        }
    }
}
