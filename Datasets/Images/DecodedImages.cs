namespace Tapegrad.Datasets.Images;

/// <summary>Files as squares of one size in colour, decoded on all processors, or taken from a cache.</summary>
internal sealed class DecodedImages(int side, string[] paths, IReadOnlyList<IImageDecoder> decoders)
{
    public const int Channels = 3;

    private readonly int length = side * side * Channels;
    private readonly string?[] refusals = new string?[paths.Length];

    /// <summary>Of each file, [side, side, 3]; zeros where it could not be read.</summary>
    public byte[] Pixels { get; } = new byte[paths.Length * side * side * Channels];

    /// <summary>Whether each file could be read.</summary>
    public bool[] IsRead { get; } = new bool[paths.Length];

    /// <summary>Why the others could not, in the order of the files.</summary>
    public IReadOnlyList<string> Refusals => [.. refusals.OfType<string>()];

    /// <summary>
    /// What the images follow from: the size, the decoders, and the files' names, lengths and times. Of before the first one is read: a file that
    /// changes meanwhile will not fit it the next time.
    /// </summary>
    public string Key { get; } = string.Join('\n', [$"{side}", .. decoders.Select(decoder => $"{decoder.GetType()}"), .. paths.Select(path =>
        RegularFile.Info(path) is { Exists: true } file ? $"{path}\t{file.Length}\t{file.LastWriteTimeUtc.Ticks}" : path)]);

    /// <summary>Fills <see cref="Pixels"/>. Files that could not be read are tried again where the cache has the others.</summary>
    public void Read(ImageCache? cache)
    {
        var isKept = cache is not null && cache.Read(this);
        Parallel.For(0, paths.Length, i =>
        {
            if (IsRead[i]) return;
            try
            {
                ImageFile.Read(paths[i], decoders).WithChannels(Channels).Square(side).Pixels.CopyTo(Pixels, i * length);
                IsRead[i] = true;
            }
            catch (Exception error) when (error is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                refusals[i] = error.Message.Contains(paths[i], StringComparison.Ordinal) ? error.Message : $"{paths[i]}: {error.Message}";
            }
        });
        if (!isKept) cache?.Write(this);
    }

    /// <summary>The images that were read, without gaps. Nothing else may be read from here afterwards.</summary>
    public byte[] Packed()
    {
        var count = 0;
        for (var i = 0; i < IsRead.Length; i++)
            if (IsRead[i]) Array.Copy(Pixels, i * length, Pixels, length * count++, length);
        return count == IsRead.Length ? Pixels : Pixels[..(count * length)];
    }
}
