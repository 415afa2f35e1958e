using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Who shares a mean: the choice that makes a normalization. Channels are cut into contiguous groups of C / Groups; a
/// set also spans the positions, the batch, both, or neither.
/// </summary>
/// <remarks>
/// <code>
/// shared over           Groups = 1                  G groups     Groups = C
/// positions             LayerNorm (the paper's)     GroupNorm    InstanceNorm
/// positions and batch   (unnamed)                   (unnamed)    BatchNorm
/// neither               LayerNorm per position      (unnamed)    one element: all zeros
/// </code>
/// Inputs are [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C]. Every mean is taken around a pivot, the set's first
/// element, which passes no gradient: a mean does not depend on the pivot, so its derivative is exact, and a large
/// common offset costs no digits. Without centering the mean counts as 0 everywhere, and the variance is the mean of
/// the squares: RMSNorm and its kin (Zhang and Sennrich, 2019). Sub-batches: ghost batch normalization (Hoffer, Hubara
/// and Soudry, 2017).
/// </remarks>
/// <param name="Batch">Whether the samples of a batch share.</param>
/// <param name="Positions">Whether the positions of a sample share.</param>
/// <param name="Groups">How many groups the channels form.</param>
/// <param name="SubBatch">Where samples share, only so many consecutive ones do, and what is left over at the batch's
/// end; 0 for all of them.</param>
/// <param name="IsCentered">Whether the mean is subtracted.</param>
public sealed record Sharing(bool Batch, bool Positions, int Groups, int SubBatch = 0, bool IsCentered = true)
{
    /// <summary>
    /// The mean of each element's set, one value a channel: [N or 1, positions or 1s, C]; N with sub-batches, too. 0
    /// without centering.
    /// </summary>
    public Tensor Mean(Tensor x)
    {
        if (Parts(x) is { } parts) return Join(parts, Mean);
        var (sets, axes) = View(x);
        if (!IsCentered) return PerChannel(sets.Constant(sets.Shape.Reduce(axes, keepAxes: true), 0), x.Shape);
        var pivot = Pivot(sets);
        return PerChannel(pivot + (sets - pivot).Mean(axes, keepAxes: true), x.Shape);
    }

    /// <summary>The biased variance of each element's set, one value a channel.</summary>
    public Tensor Variance(Tensor x) => MeanSquare(Center(x));

    /// <summary>The mean of the squares of each element's set, one value a channel. Without a pivot: squares do not
    /// cancel.</summary>
    public Tensor MeanSquare(Tensor x)
    {
        if (Parts(x) is { } parts) return Join(parts, MeanSquare);
        var (sets, axes) = View(x);
        return PerChannel(sets.Square().Mean(axes, keepAxes: true), x.Shape);
    }

    /// <summary>x minus the mean of each element's set, of x's shape: exactly 0 for a set of equal numbers, however
    /// large.</summary>
    public Tensor Center(Tensor x)
    {
        if (!IsCentered) return x;
        if (Parts(x) is { } parts) return Join(parts, Center);
        var (sets, axes) = View(x);
        var shifted = sets - Pivot(sets);
        return (shifted - shifted.Mean(axes, keepAxes: true)).Reshape(x.Shape);
    }

    /// <summary>
    /// The mean and the variance of each set, [sets]; those of all sub-batches together, which are what evaluation is
    /// to use.
    /// </summary>
    public Moments Moments(Tensor x)
    {
        if (Parts(x) is var (first, rest)) return Moments(first).Pool(Moments(rest));
        var geometry = Geometry(x.Shape);
        return PoolSubBatches(new Moments(geometry.SetSize, OnePerSet(Mean(x)), OnePerSet(Variance(x))), geometry);

        Tensor OnePerSet(Tensor perChannel)
        {
            var sets = View(perChannel).Sets;
            return First(sets, sets.Shape[2]).Reshape(-1);
        }
    }

    /// <summary>Moments of each set, those of sub-batches pooled, exactly as if all of them had been one set.</summary>
    internal static Moments PoolSubBatches(Moments each, SharingGeometry geometry)
    {
        if (!geometry.ShareBatch || geometry.SubBatch == 0) return each;
        var blocks = geometry.Batch / geometry.SubBatch;
        var means = each.Mean.Reshape(blocks, -1);
        var mean = means.Mean([0], keepAxes: false);
        return new Moments(each.Count * blocks, mean, each.Variance.Reshape(blocks, -1).Mean([0], keepAxes: false)
            + (means - mean).Square().Mean([0], keepAxes: false));
    }

    /// <summary>The whole sub-batches, and what is left over behind them; null where nothing is.</summary>
    internal (Tensor Whole, Tensor Left)? Parts(Tensor x)
    {
        var left = Batch && SubBatch > 0 && x.Shape.Rank > 0 && x.Shape[0] > SubBatch ? x.Shape[0] % SubBatch : 0;
        return left == 0 ? null : (x.Slice(0, 0, x.Shape[0] - left), x.Slice(0, x.Shape[0] - left, left));
    }

    // One for each sample, of one block too.
    private static Tensor Join((Tensor Whole, Tensor Left) parts, Func<Tensor, Tensor> compute)
    {
        return Each(parts.Whole).Concatenate(0, Each(parts.Left));

        Tensor Each(Tensor part)
        {
            var result = compute(part);
            var each = new Shape([part.Shape[0], .. result.Shape.Dimensions[1..]]);
            return result.Shape == each ? result : result.BroadcastTo(each);
        }
    }

    /// <summary>How a shape is cut into sets.</summary>
    /// <exception cref="ShapeException">It is not [N, .., C] with 2 to 5 axes, or the groups do not divide the
    /// channels.</exception>
    public SharingGeometry Geometry(Shape x)
    {
        if (x.Rank is < 2 or > 5)
            throw new ShapeException($"normalize: the input {x} must be [N, C], [N, L, C], [N, H, W, C] or [N, D, H, "
                + "W, C].");
        var channels = x[-1];
        if (Groups < 1 || channels % Groups != 0)
            throw new ShapeException($"normalize: {Groups} groups do not divide the {channels} channels of {x}; the "
                + $"number of groups must be one of {string.Join(", ", Divisors(channels))}.");
        var positions = 1;
        foreach (var length in x.Dimensions[1..^1]) positions *= length;
        return new SharingGeometry(x[0], positions, channels, Groups, Batch, Positions, Batch && SubBatch < x[0]
            ? SubBatch : 0, IsCentered);
    }

    private static IEnumerable<int> Divisors(int number) =>
        Enumerable.Range(1, number).Where(divisor => number % divisor == 0);

    // [N, .., C] as [blocks, samples, positions, G, C/G], where the samples of a block share, and the axes that share.
    private (Tensor Sets, int[] Axes) View(Tensor x)
    {
        var g = Geometry(x.Shape);
        var blocks = !Batch ? g.Batch : g.SubBatch == 0 ? 1 : g.Batch / g.SubBatch;
        return (x.Reshape(blocks, Batch ? g.Samples : 1, g.Positions, g.Groups, g.Channels / g.Groups),
            [.. Batch ? [1] : (int[])[], .. Positions ? [2] : (int[])[], 4]);
    }

    private Tensor Pivot(Tensor sets) =>
        sets.Count == 0 ? sets.StopGradient() : First(sets.StopGradient(), Positions ? 1 : sets.Shape[2]);

    // Of each block the first sample, of each group the first channel.
    private static Tensor First(Tensor sets, int positions) =>
        sets.Slice([0, 0, 0, 0, 0], [sets.Shape[0], 1, positions, sets.Shape[3], 1], [1, 1, 1, 1, 1]);

    // [blocks, 1, positions or 1, G, 1] as [N or 1, positions or 1s, C]: a block's number for each of its samples,
    // unless there is one block.
    private Tensor PerChannel(Tensor sets, Shape x)
    {
        var (blocks, samples, channels) = (sets.Shape[0], Geometry(x) is { SubBatch: > 0 and var size } ? size
            : 1, x[-1]);
        var middle = Positions ? Enumerable.Repeat(1, x.Rank - 2) : x.Dimensions[1..^1].ToArray();
        return sets.BroadcastTo(new Shape(blocks, samples, sets.Shape[2], Groups, channels / Groups))
            .Reshape([blocks * samples, .. middle, channels]);
    }
}
