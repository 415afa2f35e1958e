using System.Runtime.Intrinsics;
using static Tapegrad.Devices.NormalizationRows;

namespace Tapegrad.Devices;

/// <summary>
/// One normalization, forwards or backwards. x^ = ((x - pivot) - remainder) * inverse, where the set's mean is kept as two numbers: its first
/// element, and the mean of what is left when that one is subtracted. So a constant set gives exactly 0, and a large mean costs no digits.
/// </summary>
/// <remarks>
/// Both directions go over a slab twice: for the sums, and once more, from the end, which the cache still holds, to write. What follows x^ happens in
/// registers. The ReLU's mask is not stored: the gradient computes the value again, by the same expression, so to the bit; where a residual was
/// added, it reads the value instead and leaves the masked gradient, which is the residual's.
/// </remarks>
internal sealed unsafe class NormalizationPass(NormalizationGeometry geometry, float* x, float* gamma, float* beta, float* statistics)
{
    private readonly SharingGeometry sharing = geometry.Sharing;
    private readonly SharedSets sets = new(geometry.Sharing);

    // ---- value ---------------------------------------------------------------------------------------------------------------------------

    public void WriteValue(float* residual, float* y)
    {
        if (geometry.Relu)
            if (residual is null) WriteValue(new Rectifying<Nothing>(), y);
            else WriteValue(new Rectifying<AddingResidual>(new AddingResidual(residual)), y);
        else
            if (residual is null) WriteValue(new Nothing(), y);
            else WriteValue(new AddingResidual(residual), y);
    }

    private void WriteValue<TFollow>(TFollow follow, float* y) where TFollow : struct, IFollow => Workers.Run(sets.Items, item =>
    {
        var numbers = RentNumbers();
        var totals = RentTotals();
        var (from, to) = sets.Slabs(item);
        for (var slab = from; slab < to; slab++)
        {
            if (geometry.IsGiven) Complete(slab);
            else Measure(slab, numbers, totals);
            Spread(slab, numbers);
            Run(new WritingValue<TFollow>(x, numbers, follow, y), slab, fromTheEnd: true);
        }
    });

    private void Complete(int slab)
    {
        for (var group = 0; group < sharing.Groups; group++)
        {
            Remainder(slab)[group] = 0;
            Inverse(slab)[group] = (float)(1 / Math.Sqrt(Variance(slab)[group] + geometry.Eps));
        }
    }

    private void Measure(int slab, LaneNumbers numbers, double* totals)
    {
        for (var group = 0; group < sharing.Groups; group++) Pivot(slab)[group] = x[sets.Start(slab) + group * GroupChannels];
        Spread(Pivot(slab), numbers.Pivot);
        Clear(totals, TotalsLength);
        Run(new Measuring(x, numbers, totals), slab);
        Join(totals);
        for (var group = 0; group < sharing.Groups; group++)
        {
            var (sum, squares) = (Sum(totals + group * GroupChannels), Sum(totals + sets.Width + group * GroupChannels));
            var mean = sum / sharing.SetSize;
            var variance = (float)Math.Max(0, (squares - sum * mean) / sharing.SetSize);
            Remainder(slab)[group] = (float)mean;
            Variance(slab)[group] = variance;
            Inverse(slab)[group] = (float)(1 / Math.Sqrt(variance + geometry.Eps));
        }
    }

    // ---- gradient ------------------------------------------------------------------------------------------------------------------------

    /// <summary>How many numbers <see cref="WriteGradient(float*, float*, float*, float*, float*)"/> leaves for <see cref="AddSums"/>.</summary>
    public int SumsLength => sets.Items * 2 * sharing.Channels;

    public void WriteGradient(float* g, float* y, float* kept, float* dx, float* sums)
    {
        if (geometry.Relu && kept is null) WriteGradient<Positive>(g, y, kept, dx, sums);
        else WriteGradient<All>(g, y, kept, dx, sums);
    }

    private void WriteGradient<TMask>(float* g, float* y, float* kept, float* dx, float* sums) where TMask : struct, IMask =>
        Workers.Run(sets.Items, item =>
        {
            var numbers = RentNumbers();
            var totals = RentTotals();
            var itemSums = totals + TotalsLength;
            Clear(itemSums, 2 * sharing.Channels);
            var gradient = kept is null ? g : kept;
            var (from, to) = sets.Slabs(item);
            for (var slab = from; slab < to; slab++)
            {
                Spread(slab, numbers);
                Clear(totals, TotalsLength);
                var summing = new Summing<TMask>(x, gradient, numbers, totals);
                if (kept is null) Run(summing, slab);
                else Run(new Then<Masking, Summing<TMask>>(new Masking(y, g, kept), summing), slab);
                FindSlopes(slab, numbers, totals, itemSums);
                Run(new WritingGradient<TMask>(x, gradient, numbers, dx), slab, fromTheEnd: true);
            }
            for (var i = 0; i < 2 * sharing.Channels; i++) sums[item * 2 * sharing.Channels + i] = (float)itemSums[i];
        });

    // With s = inverse gamma: dx = s g - mean(s g) - c inverse^2 mean(s g c). A set of one element gives 0, exactly.
    private void FindSlopes(int slab, LaneNumbers numbers, double* totals, double* itemSums)
    {
        Join(totals);
        double* first = totals, second = totals + sets.Width;
        for (var group = 0; group < sharing.Groups; group++)
        {
            double inverse = Inverse(slab)[group], gradients = 0, products = 0;
            for (var channel = group * GroupChannels; channel < (group + 1) * GroupChannels; channel++)
            {
                itemSums[channel] += second[channel] * inverse;
                itemSums[sharing.Channels + channel] += first[channel];
                gradients += numbers.Scale[channel] * first[channel];
                products += numbers.Scale[channel] * second[channel];
            }
            var depends = geometry.IsGiven ? 0 : -1.0 / sharing.SetSize;
            new Span<float>(numbers.Offset + group * GroupChannels, GroupChannels).Fill((float)(depends * gradients));
            new Span<float>(numbers.Slope + group * GroupChannels, GroupChannels).Fill((float)(depends * inverse * inverse * products));
        }
        if (sharing.SetSize == 1 && !geometry.IsGiven)
        {
            new Span<float>(numbers.Scale, sets.Width).Clear();
            new Span<float>(numbers.Offset, sharing.Channels).Clear();
        }
        Repeat(numbers.Offset);
        Repeat(numbers.Slope);
    }

    /// <summary>The gradients of gamma and beta: the sums of all items, in their order.</summary>
    public void AddSums(float* sums, float* gammaGradient, float* betaGradient)
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

    // ---- the work in pieces --------------------------------------------------------------------------------------------------------------

    private void Run<TRows>(TRows rows, int slab, bool fromTheEnd = false) where TRows : struct, IRows
    {
        if (sets.IsOneSlab) RunOnThreads(rows, fromTheEnd);
        else
            for (var i = 0; i < sets.Blocks; i++) sets.Run(rows, slab, fromTheEnd ? sets.Blocks - 1 - i : i, fromTheEnd);
    }

    private void RunOnThreads<TRows>(TRows rows, bool fromTheEnd) where TRows : struct, IRows =>
        Workers.Run(sets.Blocks, i => sets.Run(rows, 0, fromTheEnd ? sets.Blocks - 1 - i : i, fromTheEnd));

    // ---- numbers of sets, of lanes, of blocks --------------------------------------------------------------------------------------------

    private int GroupChannels => sharing.Channels / sharing.Groups;

    private float* Pivot(int slab) => statistics + slab * sharing.Groups;

    private float* Remainder(int slab) => Pivot(slab) + sharing.Sets;

    private float* Variance(int slab) => Pivot(slab) + 2 * sharing.Sets;

    private float* Inverse(int slab) => Pivot(slab) + 3 * sharing.Sets;

    private LaneNumbers RentNumbers() => new(Scratch<float>.Rent(LaneNumbers.Length(sets.Width)), sets.Width);

    // Of each block two numbers a lane; the first block's place takes the sum of all. Behind them, two numbers a channel.
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

    // The sum over a group's channels: four lanes, then what remains of them.
    private double Sum(double* channels)
    {
        var lanes = Vector256<double>.Zero;
        var i = 0;
        for (; i + 4 <= GroupChannels; i += 4) lanes += Vector256.Load(channels + i);
        var sum = lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        for (; i < GroupChannels; i++) sum += channels[i];
        return sum;
    }

    // The numbers of a slab's lanes.
    private void Spread(int slab, LaneNumbers numbers)
    {
        Spread(Pivot(slab), numbers.Pivot);
        Spread(Remainder(slab), numbers.Remainder);
        Spread(Inverse(slab), numbers.Scale);
        for (var channel = 0; channel < sharing.Channels; channel++)
        {
            if (gamma is not null) numbers.Scale[channel] *= gamma[channel];
            numbers.Shift[channel] = beta is null ? 0 : beta[channel];
        }
        Repeat(numbers.Scale);
        Repeat(numbers.Shift);
    }

    // lanes[l] = perSet[the group of channel l mod C]
    private void Spread(float* perSet, float* lanes)
    {
        for (var group = 0; group < sharing.Groups; group++) new Span<float>(lanes + group * GroupChannels, GroupChannels).Fill(perSet[group]);
        Repeat(lanes);
    }

    // The channels' numbers once more for each row that was joined.
    private void Repeat(float* lanes)
    {
        for (var lane = sharing.Channels; lane < sets.Width; lane += sharing.Channels)
            new Span<float>(lanes, sharing.Channels).CopyTo(new Span<float>(lanes + lane, sharing.Channels));
    }
}
