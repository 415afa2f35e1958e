using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Who shares a mean: the choice that makes a normalization. Channels are cut into contiguous groups of C / Groups; a set also
/// spans the positions, the batch, both, or neither.
/// </summary>
/// <remarks>
/// <code>
/// shared over           Groups = 1                  G groups     Groups = C
/// positions             LayerNorm (the paper's)     GroupNorm    InstanceNorm
/// positions and batch   (unnamed)                   (unnamed)    BatchNorm
/// neither               LayerNorm per position      (unnamed)    one element: all zeros
/// </code>
/// Inputs are [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C]. Every mean is taken around a pivot, the set's first element,
/// which passes no gradient: a mean does not depend on the pivot, so its derivative is exact, and a large common offset costs no
/// digits.
/// </remarks>
/// <param name="Batch">Whether the samples of a batch share.</param>
/// <param name="Positions">Whether the positions of a sample share.</param>
/// <param name="Groups">How many groups the channels form.</param>
public sealed record Sharing(bool Batch, bool Positions, int Groups)
{
    /// <summary>The mean of each element's set, one value a channel: [N or 1, positions or 1s, C].</summary>
    public Tensor Mean(Tensor x)
    {
        var (sets, axes) = View(x);
        var pivot = Pivot(sets);
        return PerChannel(pivot + (sets - pivot).Mean(axes, keepAxes: true), x.Shape);
    }

    /// <summary>The biased variance of each element's set, one value a channel.</summary>
    public Tensor Variance(Tensor x) => MeanSquare(Center(x));

    /// <summary>The mean of the squares of each element's set, one value a channel. Without a pivot: squares do not
    /// cancel.</summary>
    public Tensor MeanSquare(Tensor x)
    {
        var (sets, axes) = View(x);
        return PerChannel(sets.Square().Mean(axes, keepAxes: true), x.Shape);
    }

    /// <summary>x minus the mean of each element's set, of x's shape: exactly 0 for a set of equal numbers, however
    /// large.</summary>
    public Tensor Center(Tensor x)
    {
        var (sets, axes) = View(x);
        var shifted = sets - Pivot(sets);
        return (shifted - shifted.Mean(axes, keepAxes: true)).Reshape(x.Shape);
    }

    /// <summary>The mean and the variance of each set, [sets].</summary>
    public Moments Moments(Tensor x)
    {
        Tensor OnePerSet(Tensor perChannel) => View(perChannel).Sets.Slice(3, 0, 1).Reshape(-1);
        return new Moments(Geometry(x.Shape).SetSize, OnePerSet(Mean(x)), OnePerSet(Variance(x)));
    }

    /// <summary>How a shape is cut into sets.</summary>
    /// <exception cref="ShapeException">It is not [N, .., C] with 2 to 5 axes, or the groups do not divide the
    /// channels.</exception>
    public SharingGeometry Geometry(Shape x)
    {
        if (x.Rank is < 2 or > 5)
            throw new ShapeException($"normalize: the input {x} must be [N, C], [N, L, C], [N, H, W, C] or [N, D, H, W, C].");
        var channels = x[-1];
        if (Groups < 1 || channels % Groups != 0)
            throw new ShapeException($"normalize: {Groups} groups do not divide the {channels} channels of {x}; the number of"
                + $" groups must be one of "
                + $"{string.Join(", ", Enumerable.Range(1, channels).Where(g => channels % g == 0))}.");
        var positions = 1;
        foreach (var length in x.Dimensions[1..^1]) positions *= length;
        return new SharingGeometry(x[0], positions, channels, Groups, Batch, Positions);
    }

    // [N, .., C] as [N, positions, G, C/G], and the axes that share.
    private (Tensor Sets, int[] Axes) View(Tensor x)
    {
        var g = Geometry(x.Shape);
        return (x.Reshape(g.Batch, g.Positions, g.Groups, g.Channels / g.Groups), [.. Batch ? [0] : (int[])[], .. Positions ? [1] : (int[])[], 3]);
    }

    private Tensor Pivot(Tensor sets)
    {
        var shape = sets.Shape;
        if (sets.Count == 0) return sets.StopGradient();
        return sets.StopGradient().Slice([0, 0, 0, 0], [Batch ? 1 : shape[0], Positions ? 1 : shape[1], shape[2], 1], [1, 1, 1, 1]);
    }

    // [N or 1, positions or 1, G, 1] as [N or 1, positions or 1s, C].
    private Tensor PerChannel(Tensor sets, Shape x)
    {
        var (n, channels) = (sets.Shape[0], x[-1]);
        var middle = Positions ? Enumerable.Repeat(1, x.Rank - 2) : x.Dimensions[1..^1].ToArray();
        return sets.BroadcastTo(new Shape(n, sets.Shape[1], Groups, channels / Groups)).Reshape([n, .. middle, channels]);
    }
}
