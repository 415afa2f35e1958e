namespace Tapegrad.Devices.Cpu;

/// <summary>
/// for (i = 0; i &lt; length; i++) y[i] = random.Uniform(i). An element is a function of the source and of its place,
/// so any thread may write any part. The source computes four together; the last four reach into the padding.
/// </summary>
internal readonly unsafe struct UniformFill
{
    private const int Together = 4;
    private const int Cost = 32;   // four cost about as much as so many elements of a sum

    private readonly Blocks fours;
    private readonly Ranges ranges;   // of fours

    public UniformFill(int length)
    {
        fours = new Blocks(length, Together);
        ranges = new Ranges(fours.Count, Cost);
    }

    public void Run(RandomSource random, float* y) => ranges.Run(new Fours(random, y));

    private readonly struct Fours(RandomSource random, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var four = from; four < to; four++)
            {
                var (a, b, c, d) = random.Four(four);
                var target = y + (long)Together * four;
                target[0] = (float)RandomSource.Uniform(a);
                target[1] = (float)RandomSource.Uniform(b);
                target[2] = (float)RandomSource.Uniform(c);
                target[3] = (float)RandomSource.Uniform(d);
            }
        }
    }
}
