namespace Tapegrad.Datasets.Images;

/// <summary>Files as squares of one size in colour, decoded on all processors, or taken from a cache.</summary>
internal sealed class DecodedImages(int side, string[] paths, IReadOnlyList<IImageDecoder> decoders, bool strict)
{
    public const int Channels = 3;

    /// <summary>What can come of a file; the cache has a byte of it for each.</summary>
    public enum Outcome : byte
    {
        /// <summary>It could not be read.</summary>
        Unread,

        /// <summary>It was read to its end.</summary>
        Read,

        /// <summary>It was read as far as it goes.</summary>
        CutOff,
    }

    private readonly int length = side * side * Channels;
    private readonly string?[] refusals = new string?[paths.Length];

    /// <summary>Of each file, [side, side, 3]; zeros where it could not be read.</summary>
    public byte[] Pixels { get; } = new byte[paths.Length * side * side * Channels];

    /// <summary>What came of each file.</summary>
    public Outcome[] Outcomes { get; } = new Outcome[paths.Length];

    /// <summary>The files that are cut off, and were read as far as they go.</summary>
    public IEnumerable<string> CutOff => paths.Where((_, i) => Outcomes[i] == Outcome.CutOff);

    /// <summary>Why the others could not, in the order of the files.</summary>
    public IReadOnlyList<string> Refusals => [.. refusals.OfType<string>()];

    /// <summary>
    /// What the images follow from: the size, the decoders, and the files' names, lengths and times. Of before the
    /// first one is read: a file that changes meanwhile will not fit it the next time.
    /// </summary>
    public string Key { get; } = string.Join('\n',
        [$"{side}", $"{strict}", ImageCodec.Version, .. decoders.Select(decoder => $"{decoder.GetType()}"),
        .. paths.Select(path =>
            RegularFile.Info(path) is { Exists: true } file ? $"{path}\t{file.Length}\t{file.LastWriteTimeUtc.Ticks}"
            : path)]);

    /// <summary>
    /// Fills <see cref="Pixels"/>. Files that could not be read are tried again where the cache has the others.
    /// </summary>
    public void Read(ImageCache? cache)
    {
        var isKept = cache is not null && cache.Read(this);
        Parallel.For(0, paths.Length, i =>
        {
            if (Outcomes[i] != Outcome.Unread) return;
            try
            {
                var (picture, isWhole) = ImageFile.ReadAny(paths[i], decoders, ImageFile.MostPixels, strict);
                picture.WithChannels(Channels).Square(side).Pixels.CopyTo(Pixels, i * length);
                Outcomes[i] = isWhole ? Outcome.Read : Outcome.CutOff;
            }
            catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                refusals[i] = error.Message.Contains(paths[i], StringComparison.Ordinal) ? error.Message
                    : $"{paths[i]}: {error.Message}";
            }
        });
        if (!isKept) cache?.Write(this);
    }

    /// <summary>The images that were read, without gaps. Nothing else may be read from here afterwards.</summary>
    public byte[] Packed()
    {
        var count = 0;
        for (var i = 0; i < Outcomes.Length; i++)
            if (Outcomes[i] != Outcome.Unread) Array.Copy(Pixels, i * length, Pixels, length * count++, length);
        return count == Outcomes.Length ? Pixels : Pixels[..(count * length)];
    }
}
