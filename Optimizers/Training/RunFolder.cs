using System.Text;
using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;

namespace Tapegrad.Training;

/// <summary>
/// The folder of a run: run.json, what determines it; metrics.jsonl, one object per epoch; model.safetensors, replaced
/// as a whole; and the checkpoints that it goes on from when it was interrupted. What is there already is never
/// overwritten unasked, and while a program trains in it, no other can.
/// </summary>
public sealed class RunFolder : IDisposable
{
    private const string DescriptionName = "run.json", MetricsName = "metrics.jsonl", WeightsName = "model.safetensors";
    private static readonly string[] Names = [MetricsName, WeightsName, DescriptionName];
    private readonly string path;
    private readonly IDisk disk;
    private readonly FileStream inUse;
    private readonly bool replaces;
    private string[] metrics = [];

    internal RunFolder(string path, IDisk? disk = null, bool replaces = false)
    {
        (this.path, this.disk, this.replaces) = (path, disk ?? Disk.Own, replaces);
        try
        {
            // Shows that the folder can be written, and keeps others out: the system releases it with this process,
            // however that ends.
            inUse = new FileStream(Path.Combine(path, ".in-use"), FileMode.OpenOrCreate, FileAccess.Write,
                FileShare.None, 1, FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"the folder '{path}' cannot be written, or another program is training in it: "
                + $"{e.Message}", e);
        }
        Checkpoints = new Checkpoints(path, disk: disk);
        try
        {
            // whoever wrote them is dead, or it would be in use
            AtomicFile.RemoveSiblings(path, name => name is WeightsName or DescriptionName, disk);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Makes the folder of a new run ready, before any work is done.</summary>
    /// <param name="path">The folder; it may exist.</param>
    /// <param name="overwrite">Whether a run that is there is replaced: it stays until <see cref="Run.Begin"/>.</param>
    /// <exception cref="IOException">It holds a run already, or it cannot be written.</exception>
    public static RunFolder Create(string path, bool overwrite = false)
    {
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"the folder '{path}' cannot be written: {e.Message}", e);
        }
        var files = Array.ConvertAll(Names, name => Path.Combine(path, name));
        if (files.FirstOrDefault(Directory.Exists) is { } occupied)
            throw new IOException($"{occupied} is a folder, where a file of the run will be. Name another folder, or "
                + "take it away.");
        if (!overwrite && FindRun(path) is { } taken)
            throw new IOException($"{taken} exists already: the folder holds a run. Name another folder.");
        return new RunFolder(path, replaces: overwrite);
    }

    /// <summary>The folder of a run that was interrupted.</summary>
    /// <exception cref="IOException">There is none, it cannot be written, or another program trains in it.</exception>
    public static RunFolder Reopen(string path) =>
        Directory.Exists(path) ? new RunFolder(path) : throw new IOException($"there is no folder '{path}'.");

    /// <summary>A file that shows that a folder holds a run; null where it does not, or there is none.</summary>
    public static string? FindRun(string path) => !Directory.Exists(path) ? null
        : Names.Select(name => Path.Combine(path, name)).FirstOrDefault(File.Exists)
            ?? Directory.EnumerateFiles(path, "checkpoint-*.safetensors").FirstOrDefault();

    /// <summary>The first of 'parent/name-1', 'parent/name-2', ... that is not there.</summary>
    public static string NewPath(string parent, string name) =>
        Enumerable.Range(1, int.MaxValue).Select(i => Path.Combine(parent, $"{name}-{i}"))
        .First(path => !Directory.Exists(path));

    /// <summary>What a run goes on from.</summary>
    public Checkpoints Checkpoints { get; }

    /// <summary>As it was given.</summary>
    public string FolderPath => path;

    /// <summary>Where the weights are, relative to the current directory or as it was given.</summary>
    public string WeightsPath => Path.Combine(path, WeightsName);

    /// <summary>Whether they are there, and whole.</summary>
    public bool HasWeights
    {
        get
        {
            try
            {
                using var file = SafetensorsFile.Open(WeightsPath);
                foreach (var entry in file.Entries) file.ReadDoubles(entry);
                return true;
            }
            catch (Exception damage) when (damage is InvalidDataException or IOException or UnauthorizedAccessException)
            {
                return false;
            }
        }
    }

    /// <summary>
    /// The lines of metrics.jsonl, with their ends: one for each epoch of this run, whatever somebody does to the file
    /// meanwhile.
    /// </summary>
    internal IReadOnlyList<string> Metrics
    {
        get => metrics;
        set
        {
            metrics = [.. value];
            File.WriteAllText(MetricsPath, string.Concat(metrics));
        }
    }

    /// <summary>
    /// Appends an epoch to metrics.jsonl; a loss that is not finite is null there, since JSON has no such numbers.
    /// </summary>
    /// <param name="epoch">What it came to.</param>
    /// <param name="heldApart">What the images are called that it was measured by: the names are theirs, 'test_loss' or
    /// 'validation_loss'.</param>
    internal void Append(Epoch epoch, string heldApart)
    {
        var (trained, seen) = (epoch.Training, epoch.Validation!);
        var line = new JsonObject
        {
            ["epoch"] = trained.Epoch,
            ["train_loss"] = trained.Loss,
            ["train_accuracy"] = trained.Accuracy,
            [$"{heldApart}_loss"] = double.IsFinite(seen.Loss) ? seen.Loss : null,
            [$"{heldApart}_accuracy"] = seen.Accuracy,
            ["learning_rate"] = epoch.LearningRate,
            ["images_per_second"] = trained.ImagesPerSecond,
            ["seconds"] = epoch.Seconds,
        };
        metrics = [.. metrics, line.ToJsonString() + "\n"];
        File.AppendAllText(MetricsPath, metrics[^1]);
    }

    /// <summary>Writes run.json, of a run that is sure to begin: what it replaces is removed before.</summary>
    internal void Begin(string json)
    {
        if (replaces)
        {
            foreach (var name in Names) disk.Delete(Path.Combine(path, name));
            Checkpoints.Clear();
        }
        AtomicFile.Write(Path.Combine(path, DescriptionName), stream =>
            stream.Write(Encoding.UTF8.GetBytes(json + "\n")), disk);
    }

    /// <summary>Deletes run.json, where that can be done: there is no run.</summary>
    internal void DiscardDescription() => AtomicFile.Discard(Path.Combine(path, DescriptionName), disk);

    /// <summary>Writes the weights beside the old ones, then puts them in their place.</summary>
    internal void Save(Module model) => model.Save(WeightsPath);

    /// <summary>Lets others train in it.</summary>
    public void Dispose() => inUse.Dispose();

    private string MetricsPath => Path.Combine(path, MetricsName);
}
