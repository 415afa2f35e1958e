namespace Tapegrad.Datasets;

/// <summary>A small text with a name on each line.</summary>
internal static class NameList
{
    private const long MostText = 1 << 20;   // bytes; the names of classes have a few thousand

    /// <summary>The lines that have something in them, without the blanks around it.</summary>
    /// <exception cref="InvalidDataException">The file has no length, or is too long.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string[] Read(string path)
    {
        using var stream = RegularFile.Open(path);
        if (stream.Length > MostText)
            throw new InvalidDataException($"{path} has {stream.Length} bytes: too many for a list of names.");
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
    }
}
