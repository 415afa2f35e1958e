namespace Tapegrad.Devices;

/// <summary>A height and a width; a single number stands for both.</summary>
public readonly record struct Size2d(int Height, int Width)
{
    /// <summary>The same number for height and width.</summary>
    public static implicit operator Size2d(int both) => new(both, both);

    /// <summary>"3" when both are 3, else "1x3".</summary>
    public override string ToString() => Height == Width ? $"{Height}" : $"{Height}x{Width}";
}

/// <summary>
/// Windows that slide over images [N, H, W, C]: window (i, j) covers the pixels (i * stride + k * dilation - padding),
/// k = 0 .. kernel - 1, in both directions; what lies outside the image is 0.
/// </summary>
public readonly record struct WindowGeometry(int Batch, int Height, int Width, int Channels, Size2d Kernel,
    Size2d Stride, Size2d Padding, Size2d Dilation)
{
    /// <summary>Windows from top to bottom; below 1 when the kernel does not fit.</summary>
    public int OutputHeight => Positions(Height, Kernel.Height, Stride.Height, Padding.Height, Dilation.Height);

    /// <summary>Windows from left to right; below 1 when the kernel does not fit.</summary>
    public int OutputWidth => Positions(Width, Kernel.Width, Stride.Width, Padding.Width, Dilation.Width);

    private static int Positions(int length, int kernel, int stride, int padding, int dilation) =>
        (int)Math.Floor((length + 2.0 * padding - dilation * (kernel - 1.0) - 1) / stride) + 1;
}

/// <summary>
/// A convolution: windows over the input, and for each of <see cref="Groups"/> equal blocks of channels its own
/// weights. The weights are [KH, KW, C / groups, <see cref="OutputChannels"/>].
/// </summary>
public readonly record struct ConvolutionGeometry(WindowGeometry Windows, int OutputChannels, int Groups);

/// <summary>
/// A batched matrix product: for each batch, [Rows, Inner] x [Inner, Columns]. A transposed operand is stored with its
/// two axes swapped. Batch i of the result starts at i * Rows * Columns, and reads its operands at the given offsets
/// (so one operand can serve many batches).
/// </summary>
public sealed record MatrixProductGeometry(int Rows, int Inner, int Columns, bool TransposeA, bool TransposeB,
    int[] OffsetsA, int[] OffsetsB);

/// <summary>
/// Slices picked along an axis of x [Outer, Length, Inner]: y [Outer, Indices, Inner], with y[o, i, :] =
/// x[o, Indices[i], :].
/// </summary>
public sealed record GatherGeometry(int Outer, int Length, int Inner, int[] Indices);

/// <summary>
/// A walk through a buffer: where it starts, and how far each axis steps. A step may be 0 (repeat) or negative.
/// </summary>
public readonly record struct Walk(int Offset, int[] Strides);

/// <summary>
/// A tensor [N, positions, C] cut into sets that share a mean. Groups are contiguous blocks of C / Groups channels; the
/// sets also span the positions, or the batch, or both, or neither. Sets follow one another as (samples, position,
/// group) do.
/// </summary>
/// <param name="Batch">N.</param>
/// <param name="Positions">Places of a sample.</param>
/// <param name="Channels">C.</param>
/// <param name="Groups">Groups of channels; they divide C.</param>
/// <param name="ShareBatch">Whether samples share.</param>
/// <param name="SharePositions">Whether the positions of a sample share.</param>
/// <param name="SubBatch">Where samples share, so many consecutive ones do; they divide N. 0: all of them.</param>
/// <param name="IsCentered">Whether the mean is subtracted; else it counts as 0, and the variance is the mean of the
/// squares.</param>
public readonly record struct SharingGeometry(int Batch, int Positions, int Channels, int Groups, bool ShareBatch,
    bool SharePositions, int SubBatch = 0, bool IsCentered = true)
{
    /// <summary>How many samples share.</summary>
    public int Samples => !ShareBatch ? 1 : SubBatch == 0 ? Batch : SubBatch;

    /// <summary>How many sets there are.</summary>
    public int Sets => (ShareBatch && SubBatch == 0 ? 1 : Batch / Samples) * (SharePositions ? 1 : Positions) * Groups;

    /// <summary>How many elements share one mean.</summary>
    public int SetSize => Samples * (SharePositions ? Positions : 1) * (Channels / Groups);
}

/// <summary>
/// A normalization by the statistics of the input's sets, or by given ones (then none of them depends on the input),
/// and whether a ReLU ends it.
/// </summary>
public readonly record struct NormalizationGeometry(SharingGeometry Sharing, double Eps, bool Relu = false,
    bool IsGiven = false);
