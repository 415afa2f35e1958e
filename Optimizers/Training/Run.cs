using System.Diagnostics;
using System.Text.Json;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using static System.FormattableString;

namespace Tapegrad.Training;

/// <summary>What a run came to.</summary>
/// <param name="IsComplete">Whether it came to its end; else it was cancelled, and can go on.</param>
/// <param name="ValidationAccuracy">On the validation images, of the weights in the folder; null where none were held
/// apart, or before the end.</param>
/// <param name="TestAccuracy">On the test images, of the weights in the folder; null before the end.</param>
/// <param name="ViewsAccuracy">The same of several views of each image; null where the recipe names none.</param>
/// <param name="Kept">Which weights are in the folder, in words, such as 'of the last epoch'; null at the end.</param>
public sealed record RunResult(bool IsComplete, double? ValidationAccuracy = null, double? TestAccuracy = null,
    double? ViewsAccuracy = null, string? Kept = null);

/// <summary>
/// One run of training with its files, from its beginning or from a checkpoint to its end.
/// <code>
/// var images = RunImages.Of(recipe, train, test, folder: null);
/// recipe = recipe.Resolve(images.Train);
/// using var folder = RunFolder.Create("run");
/// var run = Run.Begin(recipe, images, recipe.CreateModel(images.Train), folder);
/// run.AfterEpoch = Console.WriteLine;
/// Console.WriteLine(run.Train());
/// </code>
/// Interrupted at any moment it goes on from its folder, and ends with the same bytes: <see cref="GoOn"/>.
/// </summary>
public sealed class Run
{
    private readonly RunFolder folder;
    private readonly Fit fit;
    private readonly string hash;
    private readonly SavedRun? from;
    private readonly KeptWeights kept;
    private readonly Stopwatch sinceCheckpoint = Stopwatch.StartNew();

    private Run(Recipe recipe, RunImages images, Module model, RunFolder folder, string hash, SavedRun? from)
    {
        (Recipe, Images, Model, this.folder, this.hash, this.from) = (recipe, images, model, folder, hash, from);
        fit = recipe.CreateFit(model, images.Train);
        kept = new KeptWeights(model, fit, folder, images.Validation is not null, from);
        fit.AfterStep = OnStep;
        fit.AfterEpoch = OnEpoch;
    }

    /// <summary>A new run. What determines it stands in the folder's run.json.</summary>
    /// <param name="recipe">Resolved for the images.</param>
    /// <param name="images">The images.</param>
    /// <param name="model">The recipe's, as it begins.</param>
    /// <param name="folder">A new one; a run that it was made to replace is removed now, when nothing is refused any
    /// more.</param>
    /// <param name="weights">What the model's weights were read from, to be noted; null where they are the recipe's
    /// own.</param>
    /// <exception cref="RecipeException">There is no such run.</exception>
    /// <exception cref="IOException">The folder cannot be written.</exception>
    public static Run Begin(Recipe recipe, RunImages images, Module model, RunFolder folder, string? weights = null)
    {
        var run = new Run(recipe, images, model, folder, images.Hash(), from: null);
        var description = new Description(recipe, images.Train.Name, images.Folder, images.Train.Count,
            images.Validation?.Count ?? 0, images.Test.Count, run.hash,
            weights is null ? null : Path.GetFullPath(weights));
        folder.Begin(JsonSerializer.Serialize(description, RunJson.Indented));
        try
        {
            run.Save();   // so that there is something to go on from, however soon it ends
        }
        catch
        {
            folder.DiscardDescription();   // of a run that could not go on
            throw;
        }
        return run;
    }

    /// <summary>A run that was interrupted, as it was.</summary>
    /// <param name="saved">What its newest checkpoint says.</param>
    /// <param name="images">The same images.</param>
    /// <param name="folder">Where it is.</param>
    /// <exception cref="InvalidDataException">They are other images; the checkpoint is damaged, or contradicts itself;
    /// or the best weights are lost.</exception>
    /// <exception cref="RecipeException">Its recipe does not go with the images.</exception>
    /// <exception cref="IOException">The folder cannot be read.</exception>
    public static Run GoOn(SavedRun saved, RunImages images, RunFolder folder)
    {
        if (saved.Images != images.Hash())
            throw new InvalidDataException($"the images in {images.Folder ?? images.Train.Name} are not those that the "
                + "run began with: some are missing, new or different. Name the folder that has them.");
        var recipe = saved.Recipe.Resolve(images.Train);
        var run = new Run(recipe, images, recipe.CreateModel(images.Train), folder, saved.Images, saved);
        folder.Checkpoints.Load(saved.Checkpoint!, run.State);
        try
        {
            run.fit.GoTo(saved.Place, recipe.Epochs!.Value, images.Train.BatchesPerEpoch(recipe.BatchSize!.Value));
        }
        catch (ArgumentException e)   // a place, or counters, that are none here
        {
            throw new InvalidDataException($"{folder.FolderPath}: checkpoint {saved.Checkpoint!.Step}: "
                + $"{e.Message.Split(" (Parameter ")[0]}");
        }
        run.kept.GoOn();
        folder.Metrics =
            [.. saved.Metrics.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line + '\n')];
        return run;
    }

    private sealed record Description(Recipe Recipe, string Dataset, string? Data, int TrainImages,
        int ValidationImages, int TestImages, string Images, string? From);

    /// <summary>What it does.</summary>
    public Recipe Recipe { get; }

    /// <summary>What it does it with.</summary>
    public RunImages Images { get; }

    /// <summary>What is trained.</summary>
    public Module Model { get; }

    /// <summary>
    /// What the images are called that an epoch is measured by: <c>test</c>, or <c>validation</c> where some are held
    /// apart.
    /// </summary>
    public string HeldApart => Images.Validation is null ? "test" : "validation";

    /// <summary>Seconds between checkpoints; 0 for one after every step.</summary>
    public double SecondsBetweenCheckpoints { get; set; } = 60;

    /// <summary>Called after every batch.</summary>
    public Action<TrainingProgress>? AfterStep { get; set; }

    /// <summary>Called after every epoch.</summary>
    public Action<Epoch>? AfterEpoch { get; set; }

    /// <summary>Trains to the end. Once for each object.</summary>
    /// <param name="cancellation">Ends it after the batch that is being worked on, with all saved that it goes on
    /// from.</param>
    /// <exception cref="NonFiniteException">A loss is not finite. The last good weights are in the folder; the message
    /// says which those are.</exception>
    /// <exception cref="IOException">The folder cannot be written; the run goes on from there once it can.</exception>
    public RunResult Train(CancellationToken cancellation = default)
    {
        bool isComplete;
        try
        {
            isComplete = fit.Run(Images.Train, Images.Validation ?? Images.Test, Recipe.Epochs!.Value,
                Recipe.BatchSize!.Value, Recipe.Seed, Recipe.CreateAugment(Images.Train), cancellation, from?.Place);
        }
        catch (NonFiniteException e)
        {
            throw Diverged(e.Message);
        }
        if (isComplete && !kept.IsFinite) throw Diverged($"after the last step the {HeldApart} loss is not finite.");
        Save();
        return isComplete ? Measure() : new RunResult(false, Kept: kept.Stop());
    }

    // What the weights in the folder come to: those that were best on the validation images, or the last, which the
    // last epoch has tested.
    private RunResult Measure()
    {
        kept.End();
        var views = TestViews.Named(Recipe.TestViews!)!;
        if (Images.Validation is not null || views.Count > 1) Model.Load(folder.WeightsPath);
        var (validation, test) = Images.Validation is null ? (null, kept.Accuracy)
            : (kept.Accuracy, (double?)Images.Test.Accuracy(Model.Apply));
        return new RunResult(true, validation, test,
            views.Count > 1 ? Images.Test.Accuracy(views.Over(Model.Apply)) : null);
    }

    private Parameter[] State => [.. Model.State, .. fit.State, .. kept.State];

    private void OnStep(TrainingProgress now)
    {
        kept.AfterBatch();
        AfterStep?.Invoke(now);
        if (sinceCheckpoint.Elapsed.TotalSeconds >= SecondsBetweenCheckpoints) Save();
    }

    private bool OnEpoch(Epoch epoch)
    {
        AfterEpoch?.Invoke(epoch);
        folder.Append(epoch, HeldApart);
        kept.AfterEpoch(epoch.Validation!);
        return true;
    }

    private NonFiniteException Diverged(string what)
    {
        what = what.Split(" A lower learning rate")[0];   // where Optimizer's message turns to whoever writes the loop
        return new NonFiniteException($"{what.TrimEnd('.')}. The weights {kept.Diverge()} are kept.");
    }

    private void Save()
    {
        var place = fit.Position;
        // gradients may wait for a step beyond the end of an epoch
        var metrics = folder.Metrics.Take(place.Epoch - 1);
        var run = new SavedRun(SavedRun.Newest, Recipe, Images.Folder, hash, place, kept.Accuracy,
            string.Concat(metrics), kept.Untrained);
        folder.Checkpoints.Save(place.OptimizerCounters[0], State, run.ToTexts());
        sinceCheckpoint.Restart();
    }
}
