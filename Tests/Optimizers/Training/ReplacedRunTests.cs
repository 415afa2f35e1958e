using Tapegrad.Datasets;
using Tapegrad.Tests.Layers.Files;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>A run that is to be replaced stays until another one begins, whatever is wrong with that.</summary>
public sealed class ReplacedRunTests : IDisposable
{
    private static readonly ImageDataset Train = SmallRun.Images(48, seed: 1), Test = SmallRun.Images(20, seed: 2);
    private static readonly Recipe Small =
        new() { Model = "resnet8", Normalization = "layer", Epochs = 1, BatchSize = 8 };

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    [Fact]
    public void It_is_there_until_another_one_begins()
    {
        using (var folder = RunFolder.Create(runs.PathOf("run"))) SmallRun.Begin(Small, folder, Train, Test).Train();
        var before = runs.Files("run");
        using (RunFolder.Create(runs.PathOf("run"), overwrite: true)) { }
        Assert.Equal(before, runs.Files("run"));

        var images = RunImages.Of(Small, Train, Test, folder: null);
        var recipe = Small.Resolve(images.Train);
        var model = recipe.CreateModel(images.Train);
        using (var folder = RunFolder.Create(runs.PathOf("run"), overwrite: true))
            Assert.Throws<RecipeException>(() =>
                Run.Begin(recipe with { Epochs = int.MaxValue }, images, model, folder));
        Assert.Equal(before, runs.Files("run"));
        using (var folder = RunFolder.Create(runs.PathOf("run"), overwrite: true))
            Run.Begin(recipe, images, model, folder);
        Assert.Equal(["checkpoint-000000000.safetensors", "run.json"], runs.Files("run").Keys.Order());
    }

    [Fact]
    public void A_folder_that_cannot_be_taken_is_left_to_others()
    {
        Directory.CreateDirectory(runs.PathOf("run"));
        File.WriteAllText(Path.Combine(runs.PathOf("run"), ".run.json.abcdefgh.ijk"), "left by a dead process");
        Assert.Contains("Not now.", Assert.Throws<IOException>(() =>
            new RunFolder(runs.PathOf("run"), new FailingDisk(atDelete: new IOException("Not now.")))).Message);
        using (RunFolder.Reopen(runs.PathOf("run"))) { }
    }
}
