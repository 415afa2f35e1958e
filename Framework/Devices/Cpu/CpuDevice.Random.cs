using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Random fills: element i is a function of the source and of i, so any thread may write any part. What the source computes together is written
// together; the last group reaches into the buffer's padding.
public sealed unsafe partial class CpuDevice
{
    // A group costs about as much as this many of the elements that InRanges counts.
    private const int RandomCost = 32;

    /// <inheritdoc/>
    public override void FillUniform(Buffer target, RandomSource random)
    {
        var output = Pointer(target);
        InRanges((target.Length + 3) / 4, RandomCost, (from, to) =>
        {
            for (var group = from; group < to; group++)
            {
                var (a, b, c, d) = random.Four(group);
                var four = output + 4L * group;
                four[0] = (float)RandomSource.Uniform(a);
                four[1] = (float)RandomSource.Uniform(b);
                four[2] = (float)RandomSource.Uniform(c);
                four[3] = (float)RandomSource.Uniform(d);
            }
        });
        GC.KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void FillNormal(Buffer target, RandomSource random)
    {
        var output = Pointer(target);
        InRanges((target.Length + 1) / 2, RandomCost, (from, to) =>
        {
            for (var pair = from; pair < to; pair++)
            {
                var (even, odd) = random.NormalPair(pair);
                output[2L * pair] = (float)even;
                output[2L * pair + 1] = (float)odd;
            }
        });
        GC.KeepAlive(target);
    }
}
