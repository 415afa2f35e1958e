namespace Tapegrad.Datasets;

/// <summary>
/// CIFAR-10: 50,000 + 10,000 colour photographs of 32 x 32 pixels in ten classes (Krizhevsky, "Learning multiple layers of features from tiny
/// images", 2009), in the binary version from https://www.cs.toronto.edu/~kriz/cifar.html.
/// </summary>
/// <remarks>
/// Six files of 10,000 records; a record is a byte with the label and 3072 bytes with the image: first all red values, row by row, then green,
/// then blue. <see cref="ImageDataset"/> has the channels last, so the three planes are woven together here.
/// </remarks>
public static class Cifar10
{
    internal const int RecordsPerFile = 10_000;
    private const int Side = 32;
    private const int Plane = Side * Side;
    internal const int RecordLength = 1 + 3 * Plane;

    private const string NamesFile = "batches.meta.txt";
    private static readonly string[] TrainFiles = [.. Enumerable.Range(1, 5).Select(number => $"data_batch_{number}.bin")];
    private static readonly string[] TestFiles = ["test_batch.bin"];
    private static readonly string[] UsualNames = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

    /// <summary>The names of the six files.</summary>
    internal static IReadOnlyList<string> Files { get; } = [.. TrainFiles, .. TestFiles];

    /// <summary>Per channel, the mean of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Mean { get; } = [0.4914, 0.4822, 0.4465];

    /// <summary>Per channel, the standard deviation of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Std { get; } = [0.2470, 0.2435, 0.2616];

    /// <summary>Whether a folder holds the six files. What is in them is checked by <see cref="Load(string)"/>.</summary>
    public static bool IsIn(string folder) => Files.All(file => File.Exists(Path.Combine(folder, file)));

    /// <summary>Reads all six files. Every one of them is checked before any image is handed out.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file has not the length it must have, or a label is over 9: the message says where.</exception>
    public static (ImageDataset Train, ImageDataset Test) Load(string folder) => Load(folder, RecordsPerFile);

    /// <summary>
    /// Downloads the dataset and puts it in place: a folder that <see cref="Load(string)"/> reads, whole or not at all. On any failure
    /// nothing is left behind, and nothing that was there before is touched.
    /// </summary>
    /// <param name="folder">Where the six files will be. It must not exist yet, or be empty.</param>
    /// <param name="progress">Called with the bytes so far and the bytes in all, which are null when the server does not say.</param>
    /// <param name="address">Another place to download from, with the same file; the dataset's home page when not given.</param>
    /// <param name="cancellation">Ends the download.</param>
    /// <exception cref="InvalidDataException">The server sent something else than the dataset.</exception>
    /// <exception cref="IOException">The server cannot be reached, the connection broke, the folder is occupied, or the disk is full.</exception>
    public static Task DownloadAsync(string folder, Action<long, long?>? progress = null, Uri? address = null,
        CancellationToken cancellation = default) =>
        (Archive with { Address = address ?? Archive.Address }).RunAsync(folder, progress, cancellation);

    internal static ArchiveDownload Archive { get; } = new(
        new Uri("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        Md5: "c32a1d4ab5d03f1284b67883e8d87530",
        Folder: "cifar-10-batches-bin",
        Files: Files.ToDictionary(file => file, _ => (long)RecordsPerFile * RecordLength),
        Ignored: [NamesFile, "readme.html"]);   // the names are known, and their file's length is not documented

    /// <summary>Like <see cref="Load(string)"/>, for files of another number of records.</summary>
    internal static (ImageDataset Train, ImageDataset Test) Load(string folder, int recordsPerFile)
    {
        foreach (var file in Files) CheckLength(folder, file, recordsPerFile);
        var names = ReadNames(folder);
        return (Read(folder, TrainFiles, recordsPerFile, names), Read(folder, TestFiles, recordsPerFile, names));
    }

    private static void CheckLength(string folder, string file, int records)
    {
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"CIFAR-10: there is no folder {folder}.");
        var info = new FileInfo(Path.Combine(folder, file));
        if (!info.Exists)
            throw new FileNotFoundException($"CIFAR-10: {file} is missing in {folder}. The folder must hold {string.Join(", ", Files)}: "
                + "the binary version, not the one for Python or Matlab.", info.FullName);
        var expected = (long)records * RecordLength;
        if (info.Length == expected) return;
        var whole = info.Length / RecordLength;
        var where = info.Length > expected ? $"what lies behind byte {expected} does not belong to it"
            : info.Length % RecordLength == 0 ? $"the records from byte {info.Length} on are missing"
            : $"record {whole}, which begins at byte {whole * RecordLength}, is cut off";
        throw new InvalidDataException($"CIFAR-10: {info.FullName} has {info.Length} bytes, not {expected} ({records} records of "
            + $"{RecordLength}): {where}. Copy or download it again.");
    }

    private static IReadOnlyList<string> ReadNames(string folder)
    {
        var path = Path.Combine(folder, NamesFile);
        if (!File.Exists(path)) return UsualNames;
        string[] names = [.. File.ReadLines(path).Select(line => line.Trim()).Where(line => line.Length > 0)];
        return names.Length == UsualNames.Length ? names
            : throw new InvalidDataException($"CIFAR-10: {path} has {names.Length} class names, not {UsualNames.Length}. "
                + "Without this file the usual names are used.");
    }

    private static ImageDataset Read(string folder, string[] files, int records, IReadOnlyList<string> names)
    {
        var images = new byte[files.Length * records * 3 * Plane];
        var labels = new int[files.Length * records];
        var record = new byte[RecordLength];
        for (var index = 0; index < labels.Length; index += records)
        {
            using var stream = File.OpenRead(Path.Combine(folder, files[index / records]));
            for (var i = 0; i < records; i++)
            {
                stream.ReadExactly(record);
                if (record[0] >= names.Count)
                    throw new InvalidDataException($"CIFAR-10: {stream.Name} has the label {record[0]} at byte {(long)i * RecordLength} "
                        + $"(record {i}); labels are 0 to {names.Count - 1}. The file is damaged, or of another dataset.");
                labels[index + i] = record[0];
                WeavePlanes(record.AsSpan(1), images.AsSpan((index + i) * 3 * Plane, 3 * Plane));
            }
        }
        return new ImageDataset("CIFAR-10", images, labels, (Side, Side, 3), names, Mean, Std);
    }

    private static void WeavePlanes(ReadOnlySpan<byte> planes, Span<byte> image)
    {
        for (var pixel = 0; pixel < Plane; pixel++)
            for (var channel = 0; channel < 3; channel++)
                image[3 * pixel + channel] = planes[channel * Plane + pixel];
    }
}
