using System.Text.Json.Nodes;
using Tapegrad.Datasets;
using Tapegrad.Layers.Files;
using Tapegrad.Training;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A folder for runs of a few milliseconds: images of 8x8 pixels in three classes. Disposing removes it.
/// </summary>
internal sealed class SmallRun : IDisposable
{
    public SmallRun() => Folder = Directory.CreateDirectory(
        // every checkpoint is flushed
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(),
            $"tapegrad-test-{Guid.NewGuid()}")).FullName;

    /// <summary>Where the runs are.</summary>
    public string Folder { get; }

    public string PathOf(string run) => Path.Combine(Folder, run);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Pixels at random, brighter for a higher label.</summary>
    public static ImageDataset Images(int count, int seed, params int[] labels)
    {
        var random = new RandomSource(seed);
        int[] all = [.. Enumerable.Range(0, count).Select(i => labels.Length > 0 ? labels[i] : random.Below(3, i))];
        byte[] pixels =
            [.. Enumerable.Range(0, count * 64).Select(i => (byte)(60 * all[i / 64] + random.Below(120, count + i)))];
        return new ImageDataset("bright", pixels, all, (8, 8, 1), ["a", "b", "c"], [0.4], [0.2]);
    }

    /// <summary>A new run of a recipe.</summary>
    public static Run Begin(Recipe recipe, RunFolder folder, ImageDataset train, ImageDataset test)
    {
        var images = RunImages.Of(recipe, train, test, folder: null);
        var resolved = recipe.Resolve(images.Train);
        return Run.Begin(resolved, images, resolved.CreateModel(images.Train), folder);
    }

    /// <summary>The run in a folder, from its newest checkpoint.</summary>
    public static Run GoOn(RunFolder folder, ImageDataset train, ImageDataset test)
    {
        var saved = SavedRun.From(folder.Checkpoints.Newest()!, folder.FolderPath);
        return Run.GoOn(saved, RunImages.Of(saved.Recipe, train, test, folder: null), folder);
    }

    /// <summary>
    /// Every file of a run, byte for byte, but for what a clock says: in metrics.jsonl, and in the same lines in
    /// checkpoints.
    /// </summary>
    public Dictionary<string, string> Files(string run) =>
        Directory.EnumerateFiles(PathOf(run)).ToDictionary(path => Path.GetFileName(path), path =>
    {
        if (path.EndsWith(".jsonl", StringComparison.Ordinal)) return Timeless(File.ReadAllText(path));
        if (!Path.GetFileName(path).StartsWith("checkpoint-", StringComparison.Ordinal))
            return Convert.ToHexString(File.ReadAllBytes(path));
        using var file = SafetensorsFile.Open(path);
        var text = JsonNode.Parse(file.Metadata["run"])!.AsObject();
        text["metrics"] = Timeless(text["metrics"]!.GetValue<string>());
        return string.Join('\n', file.Entries.Select(entry => $"{entry.Name} {entry.Shape} {entry.Sha256}")
            .Append(text.ToJsonString()));
    });

    private static string Timeless(string lines) =>
        string.Join('\n', lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line =>
    {
        var epoch = JsonNode.Parse(line)!.AsObject();
        if (!epoch.Remove("seconds") || !epoch.Remove("images_per_second")) throw new InvalidDataException(line);
        return epoch.ToJsonString();
    }));
}
