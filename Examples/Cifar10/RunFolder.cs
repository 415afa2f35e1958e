using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Layers.Formats;
using Tapegrad.Optimizers;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The folder of a run: metrics.jsonl, one object per epoch; model.safetensors, replaced as a whole; and the checkpoints that it goes on from when it
/// was interrupted. What is there already is never overwritten unasked, and while a program trains in it, no other can.
/// </summary>
internal sealed class RunFolder : IDisposable
{
    private const string MetricsName = "metrics.jsonl", WeightsName = "model.safetensors";
    private readonly string path;
    private readonly FileStream inUse;
    private string[] metrics = [];

    private RunFolder(string path, string option)
    {
        this.path = path;
        try
        {
            // Shows that the folder can be written, and keeps others out: the system releases it with this process, however that ends.
            inUse = new FileStream(Path.Combine(path, ".in-use"), FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, 1,
                FileOptions.DeleteOnClose);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"{option}: the folder '{path}' cannot be written, or another program is training in it: {e.Message}");
        }
        Checkpoints = new Checkpoints(path);
        AtomicFile.RemoveSiblings(path, name => name == WeightsName);   // whoever wrote them is dead, or this folder would be in use
    }

    /// <summary>Makes the folder of a new run ready, before any work is done.</summary>
    /// <param name="path">The folder; null for the first free 'runs/name-1', 'runs/name-2', ...</param>
    /// <param name="name">What a folder without a path is called.</param>
    /// <param name="overwrite">Whether a run that is there may be replaced.</param>
    /// <exception cref="UserError">It holds a run already, or it cannot be written.</exception>
    public static RunFolder Create(string? path, string name, bool overwrite)
    {
        path ??= Enumerable.Range(1, int.MaxValue).Select(i => Path.Combine("runs", $"{name}-{i}")).First(p => !Directory.Exists(p));
        string[] files = [Path.Combine(path, MetricsName), Path.Combine(path, WeightsName)];
        try
        {
            Directory.CreateDirectory(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"--out: the folder '{path}' cannot be written: {e.Message}");
        }
        if (files.FirstOrDefault(Directory.Exists) is { } occupied)
            throw new UserError($"--out: {occupied} is a folder, where a file of the run will be. Name another folder, or take it away.");
        var taken = files.FirstOrDefault(File.Exists) ?? Directory.EnumerateFiles(path, "checkpoint-*.safetensors").FirstOrDefault();
        if (!overwrite && taken is not null)
            throw new UserError($"--out: {taken} exists already. Name another folder, go on with that run by --resume {path}, or give --overwrite to "
                + "replace it.");
        var folder = new RunFolder(path, "--out");
        foreach (var file in files) File.Delete(file);
        folder.Checkpoints.Clear();
        return folder;
    }

    /// <summary>The folder of a run that was interrupted.</summary>
    /// <exception cref="UserError">There is none, or it cannot be written.</exception>
    public static RunFolder Reopen(string path) => Directory.Exists(path) ? new RunFolder(path, "--resume")
        : throw new UserError($"--resume: there is no folder '{path}'. Name the one that the run was given, or made: runs/...");

    /// <summary>What a run goes on from.</summary>
    public Checkpoints Checkpoints { get; }

    /// <summary>As it was given, or made.</summary>
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

    /// <summary>The lines of metrics.jsonl, with their ends: one for each epoch of this run, whatever somebody does to the file meanwhile.</summary>
    public IReadOnlyList<string> Metrics
    {
        get => metrics;
        set
        {
            metrics = [.. value];
            File.WriteAllText(MetricsPath, string.Concat(metrics));
        }
    }

    /// <summary>Appends an epoch to metrics.jsonl; a loss that is not finite is null there, since JSON has no such numbers.</summary>
    /// <param name="epoch">What it came to.</param>
    /// <param name="heldApart">What the images are called that it was measured by: the names are theirs, 'test_loss' or 'validation_loss'.</param>
    public void Append(Epoch epoch, string heldApart)
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

    /// <summary>Writes the weights beside the old ones, then puts them in their place.</summary>
    public void Save(Module model) => model.Save(WeightsPath);

    public void Dispose() => inUse.Dispose();

    private string MetricsPath => Path.Combine(path, MetricsName);
}
