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
    public float* Prepare(float* source, int first, int images, float* scratch)
    {
        var sourceLength = (long)height * width * channels;
        source += first * sourceLength;
        if (!needsPadding) return source;
        for (var image = 0; image < images; image++) Pad(source + image * sourceLength, scratch + image * ImageLength);
        return scratch;
    }

    private void Pad(float* source, float* target)
    {
        var (left, run) = ((long)horizontal.Lead * channels, (long)horizontal.Copied * channels);
        Clear(ref target, vertical.Lead * (long)RowLength);
        for (var row = 0; row < vertical.Copied; row++, source += (long)width * channels)
        {
            Clear(ref target, left);
            Unsafe.CopyBlockUnaligned(target, source, (uint)(run * sizeof(float)));
            target += run;
            Clear(ref target, RowLength - left - run);
        }
        Clear(ref target, (vertical.Extent - vertical.Lead - vertical.Copied) * (long)RowLength);
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
