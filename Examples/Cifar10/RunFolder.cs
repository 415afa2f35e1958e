using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The folder of a run: metrics.jsonl, one object per epoch, and model.safetensors, replaced as a whole after every epoch. What
/// is there already is never overwritten unasked.
/// </summary>
internal sealed class RunFolder
{
    private const string Metrics = "metrics.jsonl", Weights = "model.safetensors";
    private readonly string path;

    /// <summary>Makes the folder ready, before any work is done.</summary>
    /// <param name="path">The folder; null for the first free 'runs/name-1', 'runs/name-2', ...</param>
    /// <param name="name">What a folder without a path is called.</param>
    /// <param name="overwrite">Whether a run that is there may be replaced.</param>
    /// <exception cref="UserError">It holds a run already, or it cannot be written.</exception>
    public RunFolder(string? path, string name, bool overwrite)
    {
        this.path = path ?? Enumerable.Range(1, int.MaxValue).Select(i => Path.Combine("runs", $"{name}-{i}")).First(p => !Directory.Exists(p));
        string[] files = [Path.Combine(this.path, Metrics), Path.Combine(this.path, Weights)];
        if (!overwrite && files.FirstOrDefault(File.Exists) is { } taken)
            throw new UserError($"--out: {taken} exists already. Name another folder, or give --overwrite to replace that run.");
        try
        {
            Directory.CreateDirectory(this.path);
            using (File.Create(Path.Combine(this.path, $".write-test-{Environment.ProcessId}"), 1, FileOptions.DeleteOnClose)) { }
            foreach (var file in files) File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserError($"--out: the folder '{this.path}' cannot be written: {e.Message}");
        }
    }

    /// <summary>Where the weights are, relative to the current directory or as it was given.</summary>
    public string WeightsPath => Path.Combine(path, Weights);

    /// <summary>Appends an epoch to metrics.jsonl.</summary>
    /// <param name="epoch">What it came to.</param>
    /// <param name="heldApart">What the images are called that it was measured by: the names are theirs, 'test_loss' or 'validation_loss'.</param>
    public void Append(Epoch epoch, string heldApart)
    {
        var (trained, seen) = (epoch.Training, epoch.Validation!);
        var line = new JsonObject
        {
            ["epoch"] = trained.Epoch, ["train_loss"] = trained.Loss, ["train_accuracy"] = trained.Accuracy,
            [$"{heldApart}_loss"] = seen.Loss, [$"{heldApart}_accuracy"] = seen.Accuracy,
            ["learning_rate"] = epoch.LearningRate, ["images_per_second"] = trained.ImagesPerSecond, ["seconds"] = epoch.Seconds,
        };
        File.AppendAllText(Path.Combine(path, Metrics), line.ToJsonString() + "\n");
    }

    /// <summary>Writes the weights beside the old ones, then puts them in their place.</summary>
    public void Save(Module model) => model.Save(WeightsPath);
}
