using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The images [N, H, W, C] that a convolution walks through, with zeros around them as far as it reads. They are copied
/// once for each use, into the thread's scratch; images that need no zeros are read where they lie.
/// </summary>
internal sealed unsafe class PaddedImages(ConvolutionAxis vertical, ConvolutionAxis horizontal, int height, int width,
    int channels)
{
    private readonly bool needsPadding = vertical.NeedsPadding || horizontal.NeedsPadding;

    /// <summary>Elements of one row of a padded image.</summary>
    public int RowLength { get; } = horizontal.Extent * channels;

    /// <summary>Elements of one padded image.</summary>
    public long ImageLength { get; } = (long)vertical.Extent * horizontal.Extent * channels;

    /// <summary>How many elements of scratch <see cref="Prepare"/> needs for some images.</summary>
    public long ScratchLength(int images) => needsPadding ? images * ImageLength : 0;

    /// <summary>Some consecutive images, one every <see cref="ImageLength"/> elements.</summary>
    public float* Prepare(float* source, int first, int images, float* scratch) =>
        Prepare(source, first, images, scratch, 0, vertical.Extent);

    /// <summary>
    /// One image, of which only those rows are there that some rows of results read, in their place.
    /// </summary>
    public float* PrepareRows(float* source, int image, float* scratch, AxisPhase results, int from, int to) =>
        results.Taps is [var first, ..] && results.Taps[^1] is var last
            ? Prepare(source, image, 1, scratch, from * results.SourceStep + first.Offset + vertical.Lead,
                (to - 1) * results.SourceStep + last.Offset + vertical.Lead + 1)
            : scratch;

    private float* Prepare(float* source, int first, int images, float* scratch, int from, int to)
    {
        var sourceLength = (long)height * width * channels;
        source += first * sourceLength;
        if (!needsPadding) return source;
        for (var image = 0; image < images; image++)
            Pad(source + image * sourceLength, scratch + image * ImageLength, from, to);
        return scratch;
    }

    private void Pad(float* source, float* target, int from, int to)
    {
        var (left, run) = ((long)horizontal.Lead * channels, (long)horizontal.Copied * channels);
        target += from * (long)RowLength;
        for (var row = from - vertical.Lead; row < to - vertical.Lead; row++)
            if (row >= 0 && row < vertical.Copied)
            {
                Clear(ref target, left);
                Unsafe.CopyBlockUnaligned(target, source + row * (long)width * channels, (uint)(run * sizeof(float)));
                target += run;
                Clear(ref target, RowLength - left - run);
            }
            else Clear(ref target, RowLength);
    }

    private static void Clear(ref float* target, long length)
    {
        new Span<float>(target, (int)length).Clear();
        target += length;
    }

    /// <summary>
    /// Where the taps of a result read, as runs of consecutive elements behind the result's own start: whole rows of
    /// the kernel where neighbouring taps read neighbouring pixels and all their channels, else single pixels.
    /// </summary>
    public KernelRuns Runs(AxisPhase rows, AxisPhase columns, int groups)
    {
        var reduced = channels / groups;
        var taps = columns.Taps;
        var isContiguous = groups == 1 && (taps.Length == 1 || taps.Length > 1 && taps[1].Offset == taps[0].Offset + 1);
        int[] starts = [.. isContiguous ? taps.Take(1).Select(tap => tap.Offset) : taps.Select(tap => tap.Offset)];
        return new KernelRuns(isContiguous, isContiguous ? taps.Length * reduced : reduced,
            [.. from row in rows.Taps from start in starts select (row.Offset + vertical.Lead) * RowLength
                + (start + horizontal.Lead) * channels]);
    }
}

/// <summary>
/// Runs of <see cref="Length"/> consecutive elements, at <see cref="Starts"/>; of whole rows of the kernel, or of
/// single pixels.
/// </summary>
internal sealed record KernelRuns(bool HasWholeRows, int Length, int[] Starts);
