namespace Tapegrad.Datasets;

/// <summary>
/// The binary files of both CIFAR datasets: records of one or more bytes with labels, of which the last one counts, and
/// 3072 bytes with an image: first all red values, row by row, then green, then blue. <see cref="ImageDataset"/> has
/// the channels last, so the three planes are woven together. Read here: records of bytes, for which no package is
/// known.
/// </summary>
internal sealed record CifarFiles(string Dataset, IReadOnlyList<string> Train, IReadOnlyList<string> Test,
    int LabelBytes, string NamesFile, IReadOnlyList<string> UsualNames, IReadOnlyList<double> Mean,
    IReadOnlyList<double> Std)
{
    private const int Side = 32;
    private const int Plane = Side * Side;

    public int RecordLength => LabelBytes + 3 * Plane;

    public IReadOnlyList<string> All => [.. Train, .. Test];

    public bool AreIn(string folder) => All.All(file => File.Exists(Path.Combine(folder, file)));

    /// <summary>Reads all files; every one of them is checked before any image is handed out.</summary>
    public (ImageDataset Train, ImageDataset Test) Load(string folder, int trainRecords, int testRecords)
    {
        foreach (var file in Train) CheckLength(folder, file, trainRecords);
        foreach (var file in Test) CheckLength(folder, file, testRecords);
        var names = ReadNames(folder);
        return (Read(folder, Train, trainRecords, names), Read(folder, Test, testRecords, names));
    }

    private void CheckLength(string folder, string file, int records)
    {
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"{Dataset}: there is no folder {folder}.");
        var path = Path.Combine(folder, file);
        var info = RegularFile.Info(path);
        if (!info.Exists)
            throw new FileNotFoundException($"{Dataset}: {file} is missing in {folder}. The folder must hold "
                + $"{string.Join(", ", All)}: "
                + "the binary version, not the one for Python or Matlab.", path);
        var expected = (long)records * RecordLength;
        if (info.Length == expected) return;
        var whole = info.Length / RecordLength;
        var where = info.Length > expected ? $"what lies behind byte {expected} does not belong to it"
            : info.Length % RecordLength == 0 ? $"the records from byte {info.Length} on are missing"
            : $"record {whole}, which begins at byte {whole * RecordLength}, is cut off";
        throw new InvalidDataException($"{Dataset}: {path} has {info.Length} bytes, not {expected} ({records} records "
            + $"of {RecordLength}): {where}. Copy or download it again.");
    }

    private IReadOnlyList<string> ReadNames(string folder)
    {
        var path = Path.Combine(folder, NamesFile);
        if (!File.Exists(path)) return UsualNames;
        var names = NameList.Read(path);
        return names.Length == UsualNames.Count ? names
            : throw new InvalidDataException($"{Dataset}: {path} has {names.Length} class names, not "
                + $"{UsualNames.Count}. "
                + "Without this file the usual names are used.");
    }

    private ImageDataset Read(string folder, IReadOnlyList<string> files, int records, IReadOnlyList<string> names)
    {
        var images = new byte[files.Count * records * 3 * Plane];
        var labels = new int[files.Count * records];
        var record = new byte[RecordLength];
        for (var index = 0; index < labels.Length; index += records)
        {
            using var stream = RegularFile.Open(Path.Combine(folder, files[index / records]));
            for (var i = 0; i < records; i++)
            {
                if (stream.ReadAtLeast(record, record.Length, throwOnEndOfStream: false) < record.Length)
                    throw new InvalidDataException($"{Dataset}: {stream.Name} ends in record {i}, which begins at byte "
                        + $"{(long)i * RecordLength}: "
                        + "it was cut short after it was opened. Copy or download it again.");
                var label = record[LabelBytes - 1];
                if (label >= names.Count)
                    throw new InvalidDataException($"{Dataset}: {stream.Name} has the label {label} at byte "
                        + $"{(long)i * RecordLength + LabelBytes - 1} (record {i}); labels are 0 to {names.Count - 1}. "
                        + "The file is damaged, or of another dataset.");
                labels[index + i] = label;
                WeavePlanes(record.AsSpan(LabelBytes), images.AsSpan((index + i) * 3 * Plane, 3 * Plane));
            }
        }
        return new ImageDataset(Dataset, images, labels, (Side, Side, 3), names, Mean, Std);
    }

    private static void WeavePlanes(ReadOnlySpan<byte> planes, Span<byte> image)
    {
        for (var pixel = 0; pixel < Plane; pixel++)
            for (var channel = 0; channel < 3; channel++)
                image[3 * pixel + channel] = planes[channel * Plane + pixel];
    }
}
