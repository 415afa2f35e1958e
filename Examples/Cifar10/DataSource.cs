using System.Globalization;
using Spectre.Console;
using Tapegrad.Datasets;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Finds the images: --data, then the environment variable TAPEGRAD_DATA, then the cache folder. Where there are none,
/// --download fetches CIFAR-10, and otherwise Shapes10 takes its place, which needs no network. Nobody is asked: a run
/// must not wait for an answer.
/// </summary>
internal static class DataSource
{
    /// <summary>The environment variable that names the folder where --data does not.</summary>
    public const string Variable = "TAPEGRAD_DATA";

    private const string FolderName = "cifar-10-batches-bin", FolderName100 = "cifar-100-binary";
    private const int Shown = 3;

    private const string Kinds =
        "data_batch_1.bin to data_batch_5.bin and test_batch.bin (CIFAR-10), train.bin and test.bin (CIFAR-100), "
        + "train-images-idx3-ubyte and the three files beside it (MNIST), or a folder of images for each class, of "
        + "which two are the least";

    /// <summary>
    /// The training and the test images: what --data holds, CIFAR-10 where it can be had, else Shapes10.
    /// </summary>
    /// <param name="data">The value of --data.</param>
    /// <param name="download">Whether to fetch what is missing.</param>
    /// <param name="shapes">Without --data: whether Shapes10 is wanted; null for CIFAR-10, or Shapes10 where that is
    /// not at hand.</param>
    /// <param name="trainLimit">The first so many training images.</param>
    /// <param name="testLimit">The first so many test images.</param>
    /// <param name="side">The side that images of a folder get.</param>
    /// <param name="outputs">What will be written: refused among images of a folder, before these are read.</param>
    /// <param name="strict">Whether files of a folder that are cut off are left out.</param>
    /// <returns>The images, and the folder that they were found in; none for Shapes10.</returns>
    public static (ImageDataset Train, ImageDataset Test, string? Folder) Find(string? data, bool download,
        bool? shapes, int trainLimit, int testLimit, int side, IReadOnlyList<Output> outputs, bool strict = false)
    {
        var (folder, named) = Locate(data, download, shapes);
        var (train, test) = folder is null ? Shapes10.Load(Math.Min(trainLimit, 50_000), Math.Min(testLimit, 10_000))
            : Dataset(folder, named, side, outputs, strict);
        if (train.Classes < 2)
            throw new UserError($"{named}: '{folder}' has only one class, of which everything is right; two are the "
                + "least.");
        if (test.Count == 0) throw new UserError($"{named}: '{folder}' has no image to test on.");
        return (train.Take(trainLimit), test.Take(testLimit), folder);
    }

    // The folder, and what named it.
    private static (string? Folder, string Named) Locate(string? data, bool download, bool? shapes)
    {
        if (shapes == true && data is null) return (null, "");
        if (data is not null) return (data, "--data");
        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
            return download ? throw new UserError($"--download: {Variable} says where the images are. Leave it out.")
                : (named, Variable);
        var cached = Path.Combine(CacheFolder, FolderName);
        if (Datasets.Cifar10.IsIn(cached)) return (cached, CacheFolder);
        if (download)
        {
            try
            {
                Download(cached);
                return (cached, "--download");
            }
            catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
            {
                throw new UserError($"--download: {e.Message} Without --download the program trains on Shapes10.");
            }
        }
        var missing =
            $"CIFAR-10 is neither in --data, in {Variable}, nor in {CacheFolder} (train --download fetches it)";
        if (shapes == false) throw new UserError($"{missing}. Name the folder of the images: --data FOLDER.");
        Console.WriteLine($"{missing}: Shapes10 takes its place, shapes made by a formula.");
        return (null, "");
    }

    // What a folder holds, or the usual folder in it.
    private static (ImageDataset, ImageDataset) Dataset(string folder, string named, int side,
        IReadOnlyList<Output> outputs, bool strict)
    {
        if (!Directory.Exists(folder))
            throw new UserError($"{named}: there is no folder '{folder}'. Name one that holds {Kinds}.");
        foreach (var place in (string[])[folder, Path.Combine(folder, FolderName), Path.Combine(folder, FolderName100)])
        {
            if (Datasets.Cifar10.IsIn(place)) return Datasets.Cifar10.Load(place);
            if (Cifar100.IsIn(place)) return Cifar100.Load(place);
        }
        if (Idx.IsIn(folder)) return Idx.Load(folder);
        // Some of its files are there: it says what is missing.
        if (Directory.EnumerateFiles(folder, "*_batch*.bin").Any()) return Datasets.Cifar10.Load(folder);
        if (Directory.EnumerateFiles(folder, "*idx?-ubyte*").Any()) return Idx.Load(folder);
        var (train, test) = Images(folder, named, side, outputs, strict);
        var bytes = (long)(train.Count + test.Count) * side * side * train.Channels;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{folder}: {train.Count} images to train on and {test.Count} to test on,"
            + $" {train.Classes} classes, {side}x{side} pixels, {bytes / 1e6:F1} MB"));
        return (train, test);
    }

    private static (ImageDataset, ImageDataset) Images(string folder, string named, int side,
        IReadOnlyList<Output> outputs, bool strict)
    {
        try
        {
            if (!ImageFolder.IsIn(folder))
                throw new UserError($"{named}: '{folder}' is no dataset that is known: {Contents(folder)}. Name a "
                    + $"folder that holds {Kinds}.");
            foreach (var output in outputs) OutputFile.CheckApart(output, folder);
            return ImageFolder.Load(folder, side, CacheFolder, strict: strict);
        }
        catch (UnauthorizedAccessException e)   // for instance of the whole disk
        {
            throw new UserError($"{named} {folder}: {e.Message.TrimEnd('.')}. Name a folder that holds the images and "
                + "nothing else.");
        }
    }

    private static string Contents(string folder)
    {
        string[] names = [.. Directory.EnumerateFileSystemEntries(folder).Select(path => Path.GetFileName(path))
            .Order(StringComparer.Ordinal)];
        return names.Length == 0 ? "it is empty"
            : "it holds "
                + $"{string.Join(", ", names.Take(Shown).Select(name => $"'{name}'"))}{(names.Length > Shown ? $" and {names.Length - Shown} more" : "")}"
                + (Directory.EnumerateDirectories(folder).Skip(1).Any()
                    ? ", and image files in no two of its folders" : "");
    }

    private static void Download(string folder)
    {
        using var interrupt = new Interrupt();
        ProgressColumn[] columns = [new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(),
            new TransferSpeedColumn(),
            new RemainingTimeColumn()];
        try
        {
            AnsiConsole.Progress().Columns(columns).Start(progress =>
            {
                var bar = progress.AddTask("CIFAR-10");
                Datasets.Cifar10.DownloadAsync(folder, (done, total) =>
                {
                    if (total is { } all) bar.MaxValue = all;
                    bar.Value = done;
                }, cancellation: interrupt.Token).GetAwaiter().GetResult();
            });
        }
        catch (OperationCanceledException)
        {
            throw new UserError("the download was stopped; nothing was left behind.", interrupt.ExitCode);
        }
    }

    /// <summary>The folder 'tapegrad' in the user's cache directory.</summary>
    private static string CacheFolder
    {
        get
        {
            string? root = OperatingSystem.IsWindows()
                ? Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData)
                : OperatingSystem.IsMacOS()
                ? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), "Library", "Caches")
                : Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
            if (string.IsNullOrEmpty(root))
                root = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
            return Path.Combine(root, "tapegrad");
        }
    }
}
