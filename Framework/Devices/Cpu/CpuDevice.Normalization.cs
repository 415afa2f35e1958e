using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// x^ = ((x - pivot) - remainder) * inverse, where the set's mean is kept as two numbers: its first element, and the mean of what is left when that
// one is subtracted. So a constant set gives exactly 0, and a large mean costs no digits. The gradient is inverse * (g - mean(g) - x^ mean(g x^)),
// where x^ is computed again from x. Statistics are [4, sets]: pivot, remainder, biased variance, inverse; those of nothing are 0.
public sealed unsafe partial class CpuDevice : INormalizationKernels
{
    /// <inheritdoc/>
    public void Normalize(SharingGeometry geometry, double eps, Buffer x, Buffer y, Buffer statistics)
    {
        if (x.Length == 0)
        {
            Fill(statistics, 0);
            return;
        }
        var sets = new SharedSets(geometry);
        float* input = Pointer(x), output = Pointer(y), numbers = Pointer(statistics);
        sets.ForEachSlab(slab =>
        {
            var own = SetNumbers.OfSlab(numbers, geometry, slab);
            var each = SetNumbers.OfLanes(sets.Width, geometry.Groups, out _);
            for (var group = 0; group < geometry.Groups; group++) own.Pivot[group] = input[sets.Start(slab) + sets.Channel(group)];
            sets.Spread(own.Pivot, each.Pivot);
            sets.Means(new Shifted(input, each.Pivot), slab, own.Remainder);
            sets.Spread(own.Remainder, each.Remainder);
            sets.Means(new Square(input, each.Pivot, each.Remainder), slab, own.Variance);
            for (var group = 0; group < geometry.Groups; group++) own.Inverse[group] = (float)(1 / Math.Sqrt(own.Variance[group] + eps));
            sets.Spread(own.Inverse, each.Inverse);
            sets.Write(new Normalized(input, each.Pivot, each.Remainder, each.Inverse), slab, output);
        });
        KeepAlive(x, y, statistics);
    }

    /// <inheritdoc/>
    public void NormalizeGradient(SharingGeometry geometry, Buffer x, Buffer statistics, Buffer gradient, Buffer xGradient)
    {
        if (x.Length == 0) return;
        var sets = new SharedSets(geometry);
        float* input = Pointer(x), numbers = Pointer(statistics), g = Pointer(gradient), output = Pointer(xGradient);
        sets.ForEachSlab(slab =>
        {
            var own = SetNumbers.OfSlab(numbers, geometry, slab);
            var each = SetNumbers.OfLanes(sets.Width, geometry.Groups, out var means);
            sets.Spread(own.Pivot, each.Pivot);
            sets.Spread(own.Remainder, each.Remainder);
            sets.Spread(own.Inverse, each.Inverse);
            var normalized = new Normalized(input, each.Pivot, each.Remainder, each.Inverse);
            sets.Means(new Gradient(g), slab, means);
            sets.Spread(means, each.MeanGradient);
            sets.Means(new Correlation(g, normalized), slab, means);
            sets.Spread(means, each.MeanProduct);
            sets.Write(new InputGradient(g, normalized, each.Inverse, each.MeanGradient, each.MeanProduct), slab, output);
        });
        KeepAlive(x, statistics, gradient);
        GC.KeepAlive(xGradient);
    }

    // The numbers of sets, side by side: one for each set of a slab, or one for each lane of a row.
    private readonly record struct SetNumbers(long First, int Distance)
    {
        private float* Row(int row) => (float*)First + (long)row * Distance;

        public float* Pivot => Row(0);

        public float* Remainder => Row(1);

        public float* Variance => Row(2);

        public float* Inverse => Row(3);

        public float* MeanGradient => Row(4);

        public float* MeanProduct => Row(5);

        public static SetNumbers OfSlab(float* statistics, SharingGeometry geometry, int slab) =>
            new((long)(statistics + slab * geometry.Groups), geometry.Sets);

        // In the thread's scratch, each row with a vector of slack; and a place for one number a group.
        public static SetNumbers OfLanes(int width, int groups, out float* means)
        {
            var scratch = Scratch<float>.Rent(6L * (width + Lanes) + groups);
            means = scratch + 6 * (width + Lanes);
            return new SetNumbers((long)scratch, width + Lanes);
        }
    }

    private readonly struct Shifted(float* x, float* pivot) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane) => Vector256.Load(x + element) - Vector256.Load(pivot + lane);
    }

    private readonly struct Square(float* x, float* pivot, float* remainder) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane)
        {
            var centered = Vector256.Load(x + element) - Vector256.Load(pivot + lane) - Vector256.Load(remainder + lane);
            return centered * centered;
        }
    }

    private readonly struct Normalized(float* x, float* pivot, float* remainder, float* inverse) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane) =>
            (Vector256.Load(x + element) - Vector256.Load(pivot + lane) - Vector256.Load(remainder + lane)) * Vector256.Load(inverse + lane);
    }

    private readonly struct Gradient(float* g) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane) => Vector256.Load(g + element);
    }

    private readonly struct Correlation(float* g, Normalized normalized) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane) => Vector256.Load(g + element) * normalized.At(element, lane);
    }

    private readonly struct InputGradient(float* g, Normalized normalized, float* inverse, float* meanGradient, float* meanProduct) : ILine
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector256<float> At(long element, int lane) => Vector256.Load(inverse + lane)
            * (Vector256.Load(g + element) - Vector256.Load(meanGradient + lane) - normalized.At(element, lane) * Vector256.Load(meanProduct + lane));
    }
}
