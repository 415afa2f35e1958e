namespace Tapegrad;

/// <summary>
/// Random numbers as a pure function of a key and a counter: Philox4x32-10 (Salmon, Moraes, Dror and Shaw, "Parallel
/// random numbers: as easy as 1, 2, 3", 2011). There is no hidden state: the same source gives the same number at the
/// same index on every machine, in any order and on any number of threads. <see cref="Split"/> makes an independent
/// source. Written here because the runtime's sources have a state.
/// </summary>
/// <remarks>An immutable value; thread-safe.</remarks>
public readonly record struct RandomSource
{
    private readonly ulong key;

    private RandomSource(ulong key, bool _) => this.key = key;

    /// <summary>The source of a seed. Any number is a good seed.</summary>
    public RandomSource(long seed) : this(Scramble((ulong)seed), false) { }

    /// <summary>An independent source, named by a number: an epoch, a layer, a sample.</summary>
    public RandomSource Split(long index)
    {
        // Counters of splits have their top bit set, counters of numbers do not: a split never repeats a drawn number.
        var (a, b, _, _) = Philox(key, (ulong)index, 1UL << 63);
        return new RandomSource((ulong)a << 32 | b, false);
    }

    /// <summary>32 random bits at an index.</summary>
    public uint Bits(long index)
    {
        var (a, b, c, d) = Four(index >> 2);
        return (index & 3) switch { 0 => a, 1 => b, 2 => c, _ => d };
    }

    /// <summary>
    /// The bits at the indices 4 * <paramref name="block"/> to 4 * <paramref name="block"/> + 3, which are computed
    /// together.
    /// </summary>
    public (uint, uint, uint, uint) Four(long block) => Philox(key, (ulong)block, 0);

    /// <summary>
    /// A number in [0, 1) at an index: a multiple of 2^-24, so that it is the same in float and in double.
    /// </summary>
    public double Uniform(long index) => Uniform(Bits(index));

    /// <summary>The uniform number that 32 random bits stand for.</summary>
    public static double Uniform(uint bits) => (bits >> 8) * (1.0 / (1 << 24));

    /// <summary>A number of the standard normal distribution at an index (Box and Muller, 1958).</summary>
    public double Normal(long index)
    {
        var (even, odd) = NormalPair(index >> 1);
        return (index & 1) == 0 ? even : odd;
    }

    /// <summary>The normal numbers at the indices 2 * <paramref name="pair"/> and 2 * <paramref name="pair"/> + 1: two
    /// uniform numbers make both.</summary>
    public (double Even, double Odd) NormalPair(long pair)
    {
        var radius = Math.Sqrt(-2 * Math.Log(1 - Uniform(2 * pair)));   // 1 - u lies in (0, 1]: the logarithm is finite
        var (sine, cosine) = Math.SinCos(2 * Math.PI * Uniform(2 * pair + 1));
        return (radius * cosine, radius * sine);
    }

    /// <summary>
    /// A whole number in [0, <paramref name="bound"/>) at an index. <paramref name="bound"/> is at least 1.
    /// </summary>
    public int Below(int bound, long index)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bound, 1);
        return (int)((ulong)Bits(index) * (uint)bound >> 32);
    }

    /// <summary>The numbers 0 .. <paramref name="count"/> - 1 in a random order (Fisher and Yates).</summary>
    public int[] Permutation(int count)
    {
        var order = new int[count];
        for (var i = 0; i < count; i++)
        {
            var j = Below(i + 1, i);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }

    /// <summary>
    /// Philox4x32-10 of a 128-bit counter. Ten rounds: two 32x32 -> 64 bit products, the halves crossed and mixed with
    /// a key that a constant moves on (section 3 of the paper).
    /// </summary>
    internal static (uint, uint, uint, uint) Philox(ulong key, ulong low, ulong high)
    {
        var (x0, x1, x2, x3) = ((uint)low, (uint)(low >> 32), (uint)high, (uint)(high >> 32));
        var (k0, k1) = ((uint)key, (uint)(key >> 32));
        for (var round = 0; round < 10; round++)
        {
            var p = (ulong)x0 * 0xD2511F53;
            var q = (ulong)x2 * 0xCD9E8D57;
            (x0, x1, x2, x3) = ((uint)(q >> 32) ^ x1 ^ k0, (uint)q, (uint)(p >> 32) ^ x3 ^ k1, (uint)p);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (x0, x1, x2, x3);
    }

    // Small seeds differ in a few bits only; this spreads them over the whole key (the finalizer of SplitMix64, Steele
    // et al., 2014).
    private static ulong Scramble(ulong seed)
    {
        var z = seed + 0x9E3779B97F4A7C15;
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
        z = (z ^ z >> 27) * 0x94D049BB133111EB;
        return z ^ z >> 31;
    }
}
