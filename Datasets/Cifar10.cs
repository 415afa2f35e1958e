namespace Tapegrad.Datasets;

/// <summary>
/// CIFAR-10: 50,000 + 10,000 colour photographs of 32 x 32 pixels in ten classes (Krizhevsky, "Learning multiple layers
/// of features from tiny images", 2009), in the binary version from https://www.cs.toronto.edu/~kriz/cifar.html.
/// </summary>
/// <remarks>Six files of 10,000 records of a byte with the label and 3072 bytes with the image.</remarks>
public static class Cifar10
{
    internal const int RecordsPerFile = 10_000;
    private const string NamesFile = "batches.meta.txt";

    /// <summary>Per channel, the mean of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Mean { get; } = [0.4914, 0.4822, 0.4465];

    /// <summary>Per channel, the standard deviation of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Std { get; } = [0.2470, 0.2435, 0.2616];

    internal static CifarFiles Files { get; } =
        new("CIFAR-10", [.. Enumerable.Range(1, 5).Select(number => $"data_batch_{number}.bin")],
        ["test_batch.bin"], LabelBytes: 1, NamesFile,
        ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"], Mean, Std);

    /// <summary>
    /// Whether a folder holds the six files. What is in them is checked by <see cref="Load(string)"/>.
    /// </summary>
    public static bool IsIn(string folder) => Files.AreIn(folder);

    /// <summary>Reads all six files. Every one of them is checked before any image is handed out.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file has not the length it must have, or a label is over 9: the message
    /// says where.</exception>
    public static (ImageDataset Train, ImageDataset Test) Load(string folder) => Load(folder, RecordsPerFile);

    /// <summary>
    /// Downloads the dataset and puts it in place: a folder that <see cref="Load(string)"/> reads, whole or not at all.
    /// On any failure nothing is left behind, and nothing that was there before is touched.
    /// </summary>
    /// <param name="folder">Where the six files will be. It must not exist yet, or be empty.</param>
    /// <param name="progress">Called with the bytes so far and the bytes in all, which are null when the server does
    /// not say.</param>
    /// <param name="address">Another place to download from, with the same file; the dataset's home page when not
    /// given.</param>
    /// <param name="cancellation">Ends the download.</param>
    /// <exception cref="InvalidDataException">The server sent something else than the dataset.</exception>
    /// <exception cref="IOException">The server cannot be reached, the connection broke, the folder is occupied, or the
    /// disk is full.</exception>
    public static Task DownloadAsync(string folder, Action<long, long?>? progress = null, Uri? address = null,
        CancellationToken cancellation = default) =>
        (Archive with { Address = address ?? Archive.Address }).RunAsync(folder, progress, cancellation);

    internal static ArchiveDownload Archive { get; } = new(
        new Uri("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"),
        Md5: "c32a1d4ab5d03f1284b67883e8d87530",
        Folder: "cifar-10-batches-bin",
        Files: Files.All.ToDictionary(file => file, _ => (long)RecordsPerFile * Files.RecordLength),
        Ignored: [NamesFile, "readme.html"]);   // the names are known, and their file's length is not documented

    /// <summary>Like <see cref="Load(string)"/>, for files of another number of records.</summary>
    internal static (ImageDataset Train, ImageDataset Test) Load(string folder, int recordsPerFile) =>
        Files.Load(folder, recordsPerFile, recordsPerFile);
}
