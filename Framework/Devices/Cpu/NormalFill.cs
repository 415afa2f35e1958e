namespace Tapegrad.Devices.Cpu;

/// <summary>
/// for (i = 0; i &lt; length; i++) y[i] = random.Normal(i). An element is a function of the source and of its place, so
/// any thread may write any part. The source computes two together; the last pair may reach into the buffer's padding.
/// </summary>
internal readonly unsafe struct NormalFill
{
    private const int Together = 2;
    private const int Cost = 32;   // a pair costs at least as much as so many elements of a sum

    private readonly Blocks pairs;
    private readonly Ranges ranges;   // of pairs

    public NormalFill(int length)
    {
        pairs = new Blocks(length, Together);
        ranges = new Ranges(pairs.Count, Cost);
    }

    public void Run(RandomSource random, float* y) => ranges.Run(new Pairs(random, y));

    private readonly struct Pairs(RandomSource random, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var pair = from; pair < to; pair++)
            {
                var (even, odd) = random.NormalPair(pair);
                y[(long)Together * pair] = (float)even;
                y[(long)Together * pair + 1] = (float)odd;
            }
        }
    }
}
