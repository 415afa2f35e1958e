using System.Runtime.Intrinsics;
using Tapegrad.Memory;
using static Tapegrad.Devices.Cpu.NormalizationFollow;
using static Tapegrad.Devices.Cpu.NormalizationRows;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// One normalization, forwards or backwards. x^ = ((x - pivot) - remainder) * inverse,
/// where the set's mean is kept as two numbers: its first element, and the mean of what is left when that one is
/// subtracted. So a constant set gives exactly 0, and a large mean costs no digits. What is not to be centered has the
/// mean 0, and the mean of its squares for a variance.
/// </summary>
/// <remarks>
/// Both directions go over a slab twice: for the sums, and once more, from the end, which the cache still holds, to
/// write. What follows x^ happens in registers. The ReLU's mask is not stored: the gradient computes the value again,
/// by the same expression, so to the bit; where a residual was added, it reads the value instead and leaves the masked
/// gradient, which is the residual's.
/// </remarks>
internal readonly unsafe struct NormalizationPass<TLanes>(NormalizationGeometry geometry, float* x, float* gamma,
    float* beta, float* statistics) where TLanes : struct, ILanes<TLanes>
{
    private static readonly Plans<SharingGeometry, SharedSets> plans = new(sharing => new SharedSets(sharing));

    private readonly SharingGeometry sharing = geometry.Sharing;
    private readonly SharedSets sets = plans.For(geometry.Sharing);

    // ---- value ------------------------------------------------------------------------------------------------------

    public void WriteValue(float* residual, float* y)
    {
        if (geometry.Relu)
            if (residual is null) WriteValue(new Rectifying<Nothing>(), y);
            else WriteValue(new Rectifying<AddingResidual>(new AddingResidual(residual)), y);
        else
            if (residual is null) WriteValue(new Nothing(), y);
            else WriteValue(new AddingResidual(residual), y);
    }

    private void WriteValue<TFollow>(TFollow follow, float* y) where TFollow : struct, IFollow =>
        Workers.Run(sets.Items, new ValueItems<TFollow>(this, follow, y));

    private readonly struct ValueItems<TFollow>(NormalizationPass<TLanes> pass, TFollow follow, float* y) : IItemBody
        where TFollow : struct, IFollow
    {
        public void Run(int item) => pass.WriteValueItem(item, follow, y);
    }

    private void WriteValueItem<TFollow>(int item, TFollow follow, float* y) where TFollow : struct, IFollow
    {
        var numbers = RentNumbers();
        var totals = RentTotals();
        var (from, to) = sets.Slabs(item);
        for (var slab = from; slab < to; slab++)
        {
            if (geometry.IsGiven) Complete(slab, numbers);
            else Measure(slab, numbers, totals);
            SpreadStatistics(slab, numbers);
            Run(new WritingValue<TLanes, TFollow>(x, numbers, follow, y), slab, fromTheEnd: true);
        }
    }

    private void Complete(int slab, LaneNumbers numbers)
    {
        SpreadPivots(slab, numbers);
        for (var group = 0; group < sharing.Groups; group++)
            Inverse(slab)[group] = (float)(1 / Math.Sqrt(Variance(slab)[group] + geometry.Eps));
    }

    private void Measure(int slab, LaneNumbers numbers, double* totals)
    {
        for (var group = 0; group < sharing.Groups; group++)
            Pivot(slab)[group] = sharing.IsCentered ? x[sets.Start(slab) + group * GroupChannels] : 0;
        SpreadPivots(slab, numbers);
        Clear(totals, TotalsLength);
        Run(new Measuring<TLanes>(x, numbers, totals), slab);
        Join(totals);
        var (groups, channels, each) = (sharing.Groups, GroupChannels, 1.0 / sharing.SetSize);
        float* remainders = Remainder(slab), variances = Variance(slab), inverses = Inverse(slab);
        for (var group = 0; group < groups; group++)
        {
            var sum = sharing.IsCentered ? Sum(totals + group * channels, channels) : 0;
            var squares = Sum(totals + sets.Width + group * channels, channels);
            var mean = sum * each;
            remainders[group] = (float)mean;
            variances[group] = (float)Math.Max(0, (squares - sum * mean) * each);
            inverses[group] = (float)(1 / Math.Sqrt(variances[group] + geometry.Eps));
        }
    }

    // ---- gradient ---------------------------------------------------------------------------------------------------

    public void WriteGradients(BufferPool pool, float* g, float* y, float* kept, float* dx, float* gammaGradient,
        float* betaGradient)
    {
        var sums = (HostBuffer<float>)pool.Rent(sets.Items * 2 * sharing.Channels);
        if (geometry.Relu && kept is null) WriteGradient<Positive>(g, y, kept, dx, sums.Pointer);
        else WriteGradient<All>(g, y, kept, dx, sums.Pointer);
        AddSums(sums.Pointer, gammaGradient, betaGradient);
        pool.Return(sums);
    }

    private void WriteGradient<TMask>(float* g, float* y, float* kept, float* dx, float* sums) where TMask : struct,
        IMask =>
        Workers.Run(sets.Items, new GradientItems<TMask>(this, g, y, kept, dx, sums));

    private readonly struct GradientItems<TMask>(NormalizationPass<TLanes> pass, float* g, float* y, float* kept,
        float* dx, float* sums) : IItemBody
        where TMask : struct, IMask
    {
        public void Run(int item) => pass.WriteGradientItem<TMask>(item, g, y, kept, dx, sums);
    }

    private void WriteGradientItem<TMask>(int item, float* g, float* y, float* kept, float* dx, float* sums)
        where TMask : struct, IMask
    {
        var numbers = RentNumbers();
        var totals = RentTotals();
        var itemSums = totals + TotalsLength;
        Clear(itemSums, 2 * sharing.Channels);
        var gradient = kept is null ? g : kept;
        var (from, to) = sets.Slabs(item);
        for (var slab = from; slab < to; slab++)
        {
            SpreadPivots(slab, numbers);
            SpreadStatistics(slab, numbers);
            Clear(totals, TotalsLength);
            var summing = new Summing<TLanes, TMask>(x, gradient, numbers, totals);
            if (kept is null) Run(summing, slab);
            else Run(new Then<Masking<TLanes>, Summing<TLanes, TMask>>(new(y, g, kept), summing), slab);
            FindSlopes(slab, numbers, totals, itemSums);
            Run(new WritingGradient<TLanes, TMask>(x, gradient, numbers, dx), slab, fromTheEnd: true);
        }
        for (var i = 0; i < 2 * sharing.Channels; i++) sums[item * 2 * sharing.Channels + i] = (float)itemSums[i];
    }

    // With s = inverse gamma: dx = s g - mean(s g) - c inverse^2 mean(s g c), without mean(s g) if nothing is centered.
    // A centered set of one element gives 0, exactly.
    private void FindSlopes(int slab, LaneNumbers numbers, double* totals, double* itemSums)
    {
        Join(totals);
        var (groups, channels, each) = (sharing.Groups, GroupChannels, geometry.IsGiven ? 0 : -1.0 / sharing.SetSize);
        double* first = totals, second = totals + sets.Width, gammaSums = itemSums,
            betaSums = itemSums + sharing.Channels;
        float* scales = numbers.Scale, offsets = numbers.Offset, slopes = numbers.Slope, inverses = Inverse(slab);
        for (int group = 0, channel = 0; group < groups; group++)
        {
            double inverse = inverses[group], gradients = 0, products = 0;
            var end = channel + channels;
            for (var c = channel; c < end; c++)
            {
                gammaSums[c] += second[c] * inverse;
                betaSums[c] += first[c];
                gradients += scales[c] * first[c];
                products += scales[c] * second[c];
            }
            var (offset, slope) = (sharing.IsCentered ? (float)(each * gradients) : 0,
                (float)(each * inverse * inverse * products));
            for (; channel < end; channel++) (offsets[channel], slopes[channel]) = (offset, slope);
        }
        if (sharing is { SetSize: 1, IsCentered: true } && !geometry.IsGiven)
        {
            new Span<float>(numbers.Scale, sets.Width).Clear();
            new Span<float>(numbers.Offset, sharing.Channels).Clear();
        }
        Repeat(numbers.Offset);
        Repeat(numbers.Slope);
    }

    // The gradients of gamma and beta: the sums of all items, in their order.
    private void AddSums(float* sums, float* gammaGradient, float* betaGradient)
    {
        for (var channel = 0; channel < sharing.Channels; channel++)
        {
            var (ofGamma, ofBeta) = (0.0, 0.0);
            for (var item = 0; item < sets.Items; item++)
            {
                ofGamma += sums[(2 * item) * sharing.Channels + channel];
                ofBeta += sums[(2 * item + 1) * sharing.Channels + channel];
            }
            (gammaGradient[channel], betaGradient[channel]) = ((float)ofGamma, (float)ofBeta);
        }
    }

    // ---- the work in pieces -----------------------------------------------------------------------------------------

    private void Run<TRows>(TRows rows, int slab, bool fromTheEnd = false) where TRows : struct, IRows
    {
        var blocks = new Blocks<TRows>(sets, rows, slab, fromTheEnd);
        if (sets.IsOneSlab) Workers.Run(sets.Blocks, blocks, fromTheEnd);
        else
            for (var i = 0; i < sets.Blocks; i++) blocks.Run(fromTheEnd ? sets.Blocks - 1 - i : i);
    }

    private readonly struct Blocks<TRows>(SharedSets sets, TRows rows, int slab, bool fromTheEnd) : IItemBody
        where TRows : struct, IRows
    {
        public void Run(int block) => sets.Run(rows, slab, block, fromTheEnd);
    }

    // ---- numbers of sets, of lanes, of blocks -----------------------------------------------------------------------

    private int GroupChannels => sharing.Channels / sharing.Groups;

    private float* Pivot(int slab) => statistics + slab * sharing.Groups;

    private float* Remainder(int slab) => Pivot(slab) + sharing.Sets;

    private float* Variance(int slab) => Pivot(slab) + 2 * sharing.Sets;

    private float* Inverse(int slab) => Pivot(slab) + 3 * sharing.Sets;

    // With what does not change from slab to slab.
    private LaneNumbers RentNumbers()
    {
        var numbers = new LaneNumbers(Scratch<float>.Rent(LaneNumbers.Length(sets.Width)), sets.Width);
        for (var channel = 0; channel < sharing.Channels; channel++)
        {
            numbers.Gamma[channel] = gamma is null ? 1 : gamma[channel];
            numbers.Shift[channel] = beta is null ? 0 : beta[channel];
        }
        Repeat(numbers.Shift);
        return numbers;
    }

    // Of each block two numbers a lane; the first block's place takes the sum of all. Behind them, two numbers a
    // channel.
    private double* RentTotals() => Scratch<double>.Rent(TotalsLength + 2 * sharing.Channels);

    private int TotalsLength => sets.Blocks * 2 * sets.Width;

    private static void Clear(double* numbers, int count) => new Span<double>(numbers, count).Clear();

    // Adds up the blocks, then the lanes of each channel: its two sums are totals[channel] and totals[Width + channel].
    private void Join(double* totals)
    {
        var count = 2 * sets.Width;
        for (var block = 1; block < sets.Blocks; block++)
            for (var i = 0; i < count; i++) totals[i] += totals[block * count + i];
        for (var lane = sharing.Channels; lane < sets.Width; lane += sharing.Channels)
            for (var channel = 0; channel < sharing.Channels; channel++)
            {
                totals[channel] += totals[lane + channel];
                totals[sets.Width + channel] += totals[sets.Width + lane + channel];
            }
    }

    // Four lanes, then what remains of them.
    private static double Sum(double* numbers, int count)
    {
        var lanes = Vector256<double>.Zero;
        var i = 0;
        for (; i + 4 <= count; i += 4) lanes += Vector256.Load(numbers + i);
        var sum = lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        for (; i < count; i++) sum += numbers[i];
        return sum;
    }

    // Each lane gets the numbers of its channel's group.
    private void SpreadPivots(int slab, LaneNumbers numbers)
    {
        float* pivots = Pivot(slab), lanes = numbers.Pivot;
        var (groups, channels) = (sharing.Groups, GroupChannels);
        for (int group = 0, channel = 0; group < groups; group++)
            for (var end = channel + channels; channel < end; channel++) lanes[channel] = pivots[group];
        Repeat(lanes);
    }

    private void SpreadStatistics(int slab, LaneNumbers numbers)
    {
        float* ofGroups = Remainder(slab), inverses = Inverse(slab), gammas = numbers.Gamma,
            remainders = numbers.Remainder, scales = numbers.Scale;
        var (groups, channels) = (sharing.Groups, GroupChannels);
        for (int group = 0, channel = 0; group < groups; group++)
        {
            var (remainder, inverse) = (ofGroups[group], inverses[group]);
            for (var end = channel + channels; channel < end; channel++)
            {
                remainders[channel] = remainder;
                scales[channel] = inverse * gammas[channel];
            }
        }
        Repeat(remainders);
        Repeat(scales);
    }

    // The channels' numbers once more for each row that was joined.
    private void Repeat(float* lanes)
    {
        var channels = sharing.Channels;
        for (var lane = channels; lane < sets.Width; lane++) lanes[lane] = lanes[lane - channels];
    }
}
