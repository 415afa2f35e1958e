namespace Tapegrad.Devices.Cpu;

/// <summary>How a source makes random numbers: some at a time.</summary>
internal unsafe interface IDraw
{
    /// <summary>How many elements a draw gives.</summary>
    static abstract int Together { get; }

    /// <summary>Writes the elements of a draw, from Together * index on.</summary>
    static abstract void Write(RandomSource random, int index, float* y);
}

/// <summary>Numbers in [0, 1): y[i] = random.Uniform(i).</summary>
internal readonly unsafe struct UniformDraw : IDraw
{
    public static int Together => 4;

    public static void Write(RandomSource random, int index, float* y)
    {
        var (a, b, c, d) = random.Four(index);
        y[0] = (float)RandomSource.Uniform(a);
        y[1] = (float)RandomSource.Uniform(b);
        y[2] = (float)RandomSource.Uniform(c);
        y[3] = (float)RandomSource.Uniform(d);
    }
}

/// <summary>Numbers of the standard normal distribution: y[i] = random.Normal(i).</summary>
internal readonly unsafe struct NormalDraw : IDraw
{
    public static int Together => 2;

    public static void Write(RandomSource random, int index, float* y)
    {
        var (even, odd) = random.NormalPair(index);
        y[0] = (float)even;
        y[1] = (float)odd;
    }
}

/// <summary>
/// for (i = 0; i &lt; length; i++) y[i] = a random number. An element is a function of the source and of its place, so
/// any thread may write any part. The last draw may reach into the buffer's padding.
/// </summary>
internal readonly unsafe struct RandomFill<TDraw> where TDraw : struct, IDraw
{
    private const int Cost = 32;   // a draw costs about as much as so many elements of a sum

    private readonly Blocks draws;
    private readonly Ranges ranges;   // of draws

    public RandomFill(int length)
    {
        draws = new Blocks(length, TDraw.Together);
        ranges = new Ranges(draws.Count, Cost);
    }

    public void Run(RandomSource random, float* y) => ranges.Run(new Draws(random, y));

    private readonly struct Draws(RandomSource random, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var draw = from; draw < to; draw++) TDraw.Write(random, draw, y + (long)TDraw.Together * draw);
        }
    }
}
