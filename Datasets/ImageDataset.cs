namespace Tapegrad.Datasets;

/// <summary>
/// Labelled images of one size, kept as bytes in memory: Cifar10, Shapes10, or arrays of your own. Pixels are
/// [count, H, W, C], row-major, the channels last (for colour: red, green, blue); a pixel is shown to the network as
/// (value / 255 - mean) / std of its channel.
/// </summary>
/// <remarks>
/// Immutable, if the arrays that it was made from stay as they are; thread-safe. Loops over batches are independent of
/// each other.
/// </remarks>
public sealed class ImageDataset
{
    private readonly byte[] images;
    private readonly int[]? places;   // where each image stands in the array; null where they stand in order
    private readonly float[] levels;

    /// <summary>A dataset of one's own. The arrays are used as they are, not copied.</summary>
    /// <param name="name">The name for messages and for files.</param>
    /// <param name="images">count * H * W * C bytes, row-major, the channels last.</param>
    /// <param name="labels">One label an image: the index of its class.</param>
    /// <param name="size">Height, width and channels of every image.</param>
    /// <param name="classNames">The classes' names; their number is the number of classes.</param>
    /// <param name="mean">Per channel, of value / 255. Computed from these images when not given; give the training
    /// set's to the test set.</param>
    /// <param name="std">Per channel, the standard deviation of value / 255; computed like
    /// <paramref name="mean"/>.</param>
    /// <exception cref="ArgumentException">The arrays do not fit each other, or a label names no class.</exception>
    public ImageDataset(string name, byte[] images, int[] labels, (int Height, int Width, int Channels) size,
        IReadOnlyList<string> classNames, IReadOnlyList<double>? mean = null, IReadOnlyList<double>? std = null)
    {
        Name = name;
        (Height, Width, Channels) = size;
        this.images = images;
        Labels = labels;
        ClassNames = classNames;
        Check();
        var measured = mean is null || std is null ? PixelStatistics.Of(images, Channels) : [];
        Mean = mean ?? [.. measured.Select(channel => channel.Mean)];
        Std = std ?? [.. measured.Select(channel => channel.Std)];
        CheckNormalization();
        levels = NewLevels();
    }

    // Some of the images of another one, which keeps them.
    private ImageDataset(ImageDataset whole, IEnumerable<int> indices, IReadOnlyList<double> mean,
        IReadOnlyList<double> std)
    {
        (Name, Height, Width, Channels) = (whole.Name, whole.Height, whole.Width, whole.Channels);
        (images, ClassNames, Mean, Std) = (whole.images, whole.ClassNames, mean, std);
        CheckNormalization();
        levels = mean == whole.Mean && std == whole.Std ? whole.levels : NewLevels();
        (Augment, IsResized, Sources) = (whole.Augment, whole.IsResized, whole.Sources);
        int[] chosen = [.. indices];
        Labels = Array.ConvertAll(chosen, index => whole.Labels[index]);
        places = Array.ConvertAll(chosen, index => whole.places?[index] ?? index);
    }

    /// <summary>The name for messages and for files.</summary>
    public string Name { get; }

    /// <summary>The number of images.</summary>
    public int Count => Labels.Count;

    /// <summary>The height of an image.</summary>
    public int Height { get; }

    /// <summary>The width of an image.</summary>
    public int Width { get; }

    /// <summary>The channels of an image: 3 for colour.</summary>
    public int Channels { get; }

    /// <summary>The number of classes; labels are less than it.</summary>
    public int Classes => ClassNames.Count;

    /// <summary>The names of the classes, by label.</summary>
    public IReadOnlyList<string> ClassNames { get; }

    /// <summary>The class of each image.</summary>
    public IReadOnlyList<int> Labels { get; }

    /// <summary>Per channel, the mean of value / 255 that normalization subtracts.</summary>
    public IReadOnlyList<double> Mean { get; }

    /// <summary>Per channel, the standard deviation of value / 255 that normalization divides by.</summary>
    public IReadOnlyList<double> Std { get; }

    /// <summary>
    /// How images of this kind are changed for training; crops and flips, unless the dataset knows better.
    /// </summary>
    public Augment Augment { get; init; } = Augment.CropAndFlip;

    /// <summary>
    /// Whether the images had sizes of their own, as those of a folder have: only then can another one be asked for.
    /// </summary>
    public bool IsResized { get; init; }

    /// <summary>
    /// Where each image comes from, such as its file, in the order of the arrays; empty where nobody said.
    /// </summary>
    internal IReadOnlyList<string> Sources { get; init; } = [];

    internal int PixelsPerImage => Height * Width * Channels;

    /// <summary>The normalized number of each byte, 256 a channel.</summary>
    internal ReadOnlySpan<float> Levels => levels;

    /// <summary>The bytes of one image, [H, W, C].</summary>
    public ReadOnlySpan<byte> Image(int index) => images.AsSpan(Place(index) * PixelsPerImage, PixelsPerImage);

    /// <summary>
    /// What to call an image: its file, below the folder that was loaded; where it has none, the dataset and the
    /// image's place in it.
    /// </summary>
    public string Source(int index)
    {
        var place = Place(index);
        return Sources.Count > 0 ? Sources[place] : $"{Name} {place}";
    }

    private int Place(int index) => (uint)index < (uint)Count ? places?[index] ?? index
        : throw new ArgumentOutOfRangeException(nameof(index), $"{Name}: image {index} of {Count}.");

    /// <summary>
    /// The same images, shown to a network with another mean and deviation: those that it was trained with.
    /// </summary>
    /// <exception cref="ArgumentException">There is not one of each for every channel, or a deviation is not
    /// positive.</exception>
    public ImageDataset NormalizedBy(IReadOnlyList<double> mean, IReadOnlyList<double> std) =>
        new(this, Enumerable.Range(0, Count), mean, std);

    /// <summary>Some of the images, in an order of one's own.</summary>
    internal ImageDataset Choose(IEnumerable<int> indices) => new(this, indices, Mean, Std);

    /// <summary>The first images, or all if there are fewer. Mean and deviation stay those of the whole.</summary>
    public ImageDataset Take(int count)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        return Choose(Enumerable.Range(0, Math.Min(count, Count)));
    }

    /// <summary>
    /// Holds some images apart, drawn at random, so that no image is in both parts. Mean and deviation stay those of
    /// the whole; the order stays.
    /// </summary>
    /// <param name="held">How many.</param>
    /// <param name="seed">Another one holds other images apart.</param>
    public (ImageDataset Kept, ImageDataset Held) Split(int held, long seed = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(held);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(held, Count);
        int[] order = new RandomSource(seed).Permutation(Count), apart = order[..held], rest = order[held..];
        Array.Sort(apart);
        Array.Sort(rest);
        return (Choose(rest), Choose(apart));
    }

    /// <summary>How many steps an epoch has.</summary>
    /// <param name="size">Images in a batch.</param>
    /// <param name="dropLast">Whether the images that do not fill a batch at the end of an epoch are left out.</param>
    /// <exception cref="ArgumentException">The size is not positive, or there would be no batch at all.</exception>
    public int BatchesPerEpoch(int size, bool dropLast = true)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        if (dropLast && Count < size)
            throw new ArgumentException($"{Name}: a batch of {size} images cannot be filled from {Count}, so nothing "
                + "would be trained. Use a smaller batch, or dropLast: false.");
        return dropLast ? Count / size : (int)(((long)Count + size - 1) / size);
    }

    /// <summary>
    /// Batches for training: each epoch shows every image once, in an order of its own. They are prepared in the
    /// background, and are the same for the same seed on every machine.
    /// </summary>
    /// <param name="size">Images in a batch.</param>
    /// <param name="epochs">How many epochs, beginning with <paramref name="firstEpoch"/>.</param>
    /// <param name="seed">Orders, augmentation and each step's <see cref="Batch.Random"/> follow from it.</param>
    /// <param name="augment">What is done to the images; nothing when not given.</param>
    /// <param name="firstEpoch">
    /// The number of the first epoch: a run that has k epochs behind it goes on with k + 1 as if it had not been
    /// interrupted.
    /// </param>
    /// <param name="dropLast">Leave out the images that do not fill a batch at the end of an epoch.</param>
    /// <param name="firstBatch">
    /// How many batches of the first epoch to leave out: a run that stopped after so many goes on as if it had not.
    /// </param>
    /// <exception cref="ArgumentException">The size is not positive, or there would be no batch at all; or the images
    /// are too small for the augmentation.</exception>
    public IEnumerable<Batch> Batches(int size, int epochs, long seed, Augment? augment = null, int firstEpoch = 1,
        bool dropLast = true, int firstBatch = 0)
    {
        var perEpoch = BatchesPerEpoch(size, dropLast);
        ArgumentOutOfRangeException.ThrowIfNegative(epochs);
        ArgumentOutOfRangeException.ThrowIfLessThan(firstEpoch, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(firstBatch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(firstBatch, perEpoch);
        augment?.CheckFits(Height, Width);
        return new BatchSequence(this, size, new RandomSource(seed))
        {
            FirstEpoch = firstEpoch,
            FirstBatch = firstBatch,
            Epochs = epochs,
            Shuffles = true,
            DropsLast = dropLast,
            Augment = augment ?? Augment.None,
        }.Walk();
    }

    /// <summary>Batches for evaluation: every image once, as stored; the last batch may be smaller.</summary>
    /// <param name="size">Images in a batch.</param>
    public IEnumerable<Batch> InOrder(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, 1);
        return new BatchSequence(this, size, new RandomSource(0)).Walk();
    }

    /// <summary>Name, counts and sizes.</summary>
    public override string ToString() => $"{Name}: {Count} images of {Height}x{Width}x{Channels} in {Classes} classes";

    private void Check()
    {
        if (Height < 1 || Width < 1 || Channels < 1)
            throw new ArgumentException($"{Name}: images of {Height}x{Width}x{Channels}: height, width and channels "
                + "must be positive.");
        if (images.LongLength != (long)Labels.Count * PixelsPerImage)
            throw new ArgumentException($"{Name}: {images.Length} bytes of images and {Labels.Count} labels do not "
                + $"fit: {Labels.Count} images of {Height}x{Width}x{Channels} have "
                + $"{(long)Labels.Count * PixelsPerImage} bytes.");
        for (var i = 0; i < Labels.Count; i++)
            if ((uint)Labels[i] >= (uint)Classes)
                throw new ArgumentException($"{Name}: image {i} has the label {Labels[i]}, but there are {Classes} "
                    + $"classes: labels are 0 to {Classes - 1}.");
    }

    private float[] NewLevels()
    {
        var numbers = new float[256 * Channels];
        for (var i = 0; i < numbers.Length; i++) numbers[i] = (float)((i % 256 / 255.0 - Mean[i / 256]) / Std[i / 256]);
        return numbers;
    }

    private void CheckNormalization()
    {
        if (Mean.Count != Channels || Std.Count != Channels)
            throw new ArgumentException($"{Name}: {Mean.Count} means and {Std.Count} deviations for {Channels} "
                + "channels.");
        for (var channel = 0; channel < Channels; channel++)
            if (!double.IsFinite(Mean[channel]) || !double.IsFinite(Std[channel]) || Std[channel] <= 0)
                throw new ArgumentException($"{Name}: mean {Mean[channel]} and deviation {Std[channel]} of channel "
                    + $"{channel}: "
                    + "both must be finite, and the deviation positive.");
    }
}
