namespace Tapegrad.Datasets;

/// <summary>Changes one training image in place.</summary>
/// <param name="image">[H, W, C], normalized numbers: (value / 255 - mean) / std of the channel, so that 0 is the mean
/// colour.</param>
/// <param name="size">Height, width and channels.</param>
/// <param name="random">
/// The random numbers of this image in this epoch. Whoever draws from nothing else gets the same images for any number
/// of threads, and in a run that was interrupted.
/// </param>
/// <remarks>
/// Called in the background, while the training computes: it must not touch tensors, nor what the training changes.
/// </remarks>
public delegate void ImageTransform(Span<float> image, (int Height, int Width, int Channels) size, RandomSource random);

/// <summary>
/// What happens to a training image before it is shown: a random crop out of the image with a border around it, black
/// or the image's reflection, then a flip from left to right in half of the cases, or in every second epoch, then a
/// change of one's own, then a square that is painted over; each of them or none:
/// <code>
/// Augment.CropAndFlip with { Cutout = 16 }
/// Augment.Flip with { Transform = (image, size, random) => Brighten(image, by: random.Uniform(0)) }
/// Augment.Crop(2) with { Reflects = true, Flips = true, Alternates = true }
/// </code>
/// </summary>
/// <remarks>
/// Black is black before normalization, so a border pixel becomes (0 - mean) / std, as the pixels of a black image do;
/// not 0, which is the mean colour. Random numbers are keyed by seed, epoch and position in the epoch: they do not
/// change with the batch size or the number of threads. Which epochs an alternating flip begins with follows from the
/// seed and the image's place in the dataset.
/// </remarks>
public sealed record Augment
{
    /// <summary>The image as it is.</summary>
    public static Augment None { get; } = new();

    /// <summary>Left and right change places with probability 1/2.</summary>
    public static Augment Flip { get; } = new() { Flips = true };

    /// <summary>
    /// The usual choice for CIFAR-10: a crop with a border of 4, then a flip (He, Zhang, Ren and Sun, 2016, section
    /// 4.2).
    /// </summary>
    public static Augment CropAndFlip { get; } = new() { Padding = 4, Flips = true };

    /// <summary>The width of the border that a crop is taken from; 0 when nothing is cropped.</summary>
    public int Padding { get; init => field = Positive(value); }

    /// <summary>
    /// Whether the border is not black but goes on as the image's reflection, whose axis is the outermost pixel: it is
    /// narrower than the image then.
    /// </summary>
    public bool Reflects { get; init; }

    /// <summary>Whether half of the images are flipped.</summary>
    public bool Flips { get; init; }

    /// <summary>
    /// Whether an image that is flipped is so in every second epoch, half of the images in the odd ones, and not by
    /// chance in each: two epochs show both sides of every image (Jordan, 2024, arXiv:2404.00498).
    /// </summary>
    public bool Alternates { get; init; }

    /// <summary>
    /// The side of a square, its centre anywhere in the image, that becomes 0, the mean colour (DeVries and Taylor,
    /// 2017); 0 for none.
    /// </summary>
    public int Cutout { get; init => field = Positive(value); }

    /// <summary>A change of one's own, behind crop and flip and before the square; none when null.</summary>
    public ImageTransform? Transform { get; init; }

    /// <summary>
    /// A window of the image's own size, at a random place in the image with a border of <paramref name="padding"/>
    /// pixels.
    /// </summary>
    public static Augment Crop(int padding) => new() { Padding = padding };

    /// <summary>Refuses a border that images of a size have no reflection for.</summary>
    /// <exception cref="ArgumentException">The border reflects, and is not narrower than the images.</exception>
    internal void CheckFits(int height, int width)
    {
        if (Reflects && Padding >= Math.Min(height, width))
            throw new ArgumentException($"a border of {Padding} pixels that reflects: images of {height}x{width} have "
                + "no reflection as wide as that.");
    }

    private static int Positive(int pixels)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(pixels);
        return pixels;
    }

    /// <summary>Writes one image [H, W, C] as normalized numbers.</summary>
    /// <param name="image">The pixels.</param>
    /// <param name="levels">The normalized number of each byte: 256 for the first channel, 256 for the next,
    /// ...</param>
    /// <param name="size">Height, width and channels.</param>
    /// <param name="random">The random numbers of this image in this epoch.</param>
    /// <param name="turn">Whether it is this image's turn to be flipped, where flips alternate.</param>
    /// <param name="target">H * W * C numbers.</param>
    internal void Apply(ReadOnlySpan<byte> image, ReadOnlySpan<float> levels, (int H, int W, int C) size,
        RandomSource random, bool turn, Span<float> target)
    {
        // Numbers at fixed indices: whether one is used does not move the others.
        var top = random.Below(2 * Padding + 1, 0) - Padding;
        var left = random.Below(2 * Padding + 1, 1) - Padding;
        var flip = Flips && (Alternates ? turn : random.Below(2, 2) == 1);
        if (Reflects && Padding > 0) WriteReflected(image, levels, size, (top, left, flip), target);
        else WriteFramed(image, levels, size, (top, left, flip), target);
        // numbers of its own: however many it takes, the others stay
        Transform?.Invoke(target, size, random.Split(0));
        if (Cutout > 0)
            PaintOver(size, random.Below(size.H, 3) - Cutout / 2, random.Below(size.W, 4) - Cutout / 2, target);
    }

    // The window at (top, left), in a black frame.
    private static void WriteFramed(ReadOnlySpan<byte> image, ReadOnlySpan<float> levels, (int H, int W, int C) size,
        (int Top, int Left, bool Flip) window, Span<float> target)
    {
        var (height, width, channels) = size;
        var (top, left, flip) = window;
        // The window's columns that lie in the image; they are shown from a column on, forwards or backwards, with
        // border before and behind.
        var (first, end) = (Math.Max(0, -left), Math.Min(width, width - left));
        var seen = Math.Max(0, end - first);
        var before = flip ? width - first - seen : first;
        var (start, step) = flip ? (width - 1 - first, -channels) : (first, channels);
        for (var y = 0; y < height; y++)
        {
            var row = target.Slice(y * width * channels, width * channels);
            if (seen == 0 || (uint)(top + y) >= (uint)height)
            {
                Blacken(row, levels, channels);
                continue;
            }
            Blacken(row[..(before * channels)], levels, channels);
            Blacken(row[((before + seen) * channels)..], levels, channels);
            var pixels = image.Slice(((top + y) * width + left + first) * channels, seen * channels);
            for (var channel = 0; channel < channels; channel++)
            {
                var numbers = levels.Slice(256 * channel, 256);
                for (int i = channel, place = start * channels + channel; i < pixels.Length; i += channels,
                    place += step)
                    row[place] = numbers[pixels[i]];
            }
        }
    }

    // The window at (top, left), of the image and its reflections.
    private static void WriteReflected(ReadOnlySpan<byte> image, ReadOnlySpan<float> levels, (int H, int W, int C) size,
        (int Top, int Left, bool Flip) window, Span<float> target)
    {
        var (height, width, channels) = size;
        for (var y = 0; y < height; y++)
        {
            var pixels = image.Slice(Reflected(window.Top + y, height) * width * channels, width * channels);
            var row = target.Slice(y * width * channels, width * channels);
            for (var x = 0; x < width; x++)
            {
                var from = Reflected(window.Left + (window.Flip ? width - 1 - x : x), width) * channels;
                for (var channel = 0; channel < channels; channel++)
                    row[x * channels + channel] = levels[256 * channel + pixels[from + channel]];
            }
        }
    }

    /// <summary>The pixel that stands at a place near an image: -2, -1, 0, 1 stand for 2, 1, 0, 1.</summary>
    internal static int Reflected(int place, int length) =>
        length == 1 ? 0 : place < 0 ? -place : place < length ? place : 2 * (length - 1) - place;

    // The part of the square that lies in the image.
    private void PaintOver((int H, int W, int C) size, int top, int left, Span<float> target)
    {
        var (from, to) = (Math.Max(0, left), Math.Min(size.W, left + Cutout));
        for (var y = Math.Max(0, top); y < Math.Min(size.H, top + Cutout); y++)
            target.Slice((y * size.W + from) * size.C, (to - from) * size.C).Clear();
    }

    private static void Blacken(Span<float> pixels, ReadOnlySpan<float> levels, int channels)
    {
        for (var i = 0; i < pixels.Length; i += channels)
            for (var channel = 0; channel < channels; channel++) pixels[i + channel] = levels[256 * channel];
    }
}
