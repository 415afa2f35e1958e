using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Random fills: element i is a function of the source and of i, so any thread may write any part.
public sealed unsafe partial class CpuDevice
{
    // An element costs about as much as this many of the elements that InRanges counts.
    private const int RandomCost = 8;

    /// <inheritdoc/>
    public override void FillUniform(Buffer target, RandomSource random)
    {
        var output = Pointer(target);
        InRanges(target.Length, RandomCost, (from, to) =>
        {
            for (var i = from; i < to; i++) output[i] = (float)random.Uniform(i);
        });
        GC.KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void FillNormal(Buffer target, RandomSource random)
    {
        var output = Pointer(target);
        InRanges(target.Length, RandomCost, (from, to) =>
        {
            for (var i = from; i < to; i++) output[i] = (float)random.Normal(i);
        });
        GC.KeepAlive(target);
    }
}
