using System.Diagnostics;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Examples.Cifar10;

/// <summary>One run of training, from its beginning or from a checkpoint to its end, with its files.</summary>
internal sealed class TrainingRun
{
    private readonly Recipe recipe;
    private readonly Images images;
    private readonly Module model;
    private readonly RunFolder folder;
    private readonly double secondsBetweenCheckpoints;

    private readonly Fit fit;
    private readonly Display display;
    private readonly string hash;
    private readonly Stopwatch sinceCheckpoint = Stopwatch.StartNew();
    private Snapshot? lastGood;
    private bool isFinite = true;   // the loss of the last epoch on what is held apart
    private double? saved;   // the accuracy of the epoch whose weights are in the folder; see SavedRun

    public TrainingRun(Recipe recipe, Images images, Module model, RunFolder folder, double secondsBetweenCheckpoints)
    {
        (this.recipe, this.images, this.model, this.folder) = (recipe, images, model, folder);
        this.secondsBetweenCheckpoints = secondsBetweenCheckpoints;
        hash = images.Hash;
        display = new Display(recipe.Epochs, HeldApart);
        fit = recipe.CreateFit(model, AfterStep, AfterEpoch);
    }

    /// <summary>Trains to the end.</summary>
    /// <param name="from">Where to go on; null to begin.</param>
    /// <returns>What the program returns.</returns>
    public int Run((Checkpoint Checkpoint, SavedRun Saved)? from)
    {
        if (from is { } at) GoOn(at.Checkpoint, at.Saved);
        else Save();   // so that there is something to go on from, however soon it ends
        lastGood = new Snapshot(model);
        using var interrupt = new Interrupt();
        bool isComplete;
        try
        {
            isComplete = display.Show(() => fit.Run(images.Train, images.Validation ?? images.Test, recipe.Epochs, recipe.BatchSize, recipe.Seed,
                recipe.Augment, interrupt.Token, from?.Saved.Place));
        }
        catch (ArgumentException e) when (from is not null && e.ParamName is "from" or "value")   // a place, or counters, that are none here
        {
            throw new InvalidDataException($"{folder.FolderPath}: checkpoint {from!.Value.Checkpoint.Step}: {e.Message.Split(" (Parameter ")[0]}");
        }
        catch (IOException e)   // for instance a full disk
        {
            throw new UserError($"{e.Message.TrimEnd('.')}. Once it can be written, train --resume {folder.FolderPath} goes on.");
        }
        catch (NonFiniteException e)
        {
            throw Diverged(e.Message);
        }
        if (isComplete && !isFinite) throw Diverged($"after the last step the {HeldApart} loss is not finite.");
        Save();
        if (isComplete) Measure();
        else Stop();
        return isComplete ? 0 : interrupt.ExitCode;
    }

    private void GoOn(Checkpoint checkpoint, SavedRun run)
    {
        folder.Checkpoints.Load(checkpoint, State);
        if (images.Validation is not null && run.Accuracy is not null && !folder.HasWeights)
            throw new UserError($"{folder.WeightsPath}: it is gone or damaged, and with it the weights of the best epoch so far. Put it back, or begin the"
                + $" run again: --out {folder.FolderPath} --overwrite.");
        folder.Metrics = [.. run.Metrics.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line + '\n')];
        saved = run.Accuracy;
    }

    private void Stop()
    {
        if (images.Validation is null || saved is null) SaveWeights();
        Console.WriteLine($"stopped; the weights are in {folder.WeightsPath}; to go on: train --resume {folder.FolderPath}");
    }

    // What the weights in the folder come to: those that were best on the validation images, or the last, which the last epoch has tested.
    private void Measure()
    {
        var accuracy = saved;
        if (images.Validation is not null)
        {
            Console.WriteLine(Invariant($"validation accuracy: {saved:F4}"));
            model.Load(folder.WeightsPath);
            accuracy = images.Test.Accuracy(model.Apply);
        }
        else if (!folder.HasWeights) SaveWeights();   // somebody has removed or damaged them since
        Console.WriteLine(Invariant($"test accuracy: {accuracy:F4}"));
    }

    private string HeldApart => images.Validation is null ? "test" : "validation";

    private Parameter[] State => [.. model.State, .. fit.State];

    private void AfterStep(TrainingProgress now)
    {
        if (saved is null) lastGood!.Take();
        display.AfterStep(now);
        if (sinceCheckpoint.Elapsed.TotalSeconds >= secondsBetweenCheckpoints) Save();
    }

    private bool AfterEpoch(Epoch epoch)
    {
        display.AfterEpoch(epoch);
        folder.Append(epoch, HeldApart);
        // Weights that give no numbers classify some images right as well. If there is another step, it says where they come from.
        var seen = epoch.Validation!;
        isFinite = double.IsFinite(seen.Loss);
        var isChosen = isFinite && (images.Validation is null || saved is null || seen.Accuracy > saved);
        if (!isChosen) return true;
        saved = seen.Accuracy;
        SaveWeights();
        return true;
    }

    private UserError Diverged(string what)
    {
        var kept = saved is null ? "of the step before" : images.Validation is null ? "saved before" : "of the best epoch";
        if (saved is null)
        {
            lastGood!.Restore();
            folder.Save(model);
        }
        return new UserError($"{what.TrimEnd('.')}. The weights {kept} are kept. Try a lower --lr or a longer --warmup.");
    }

    private void SaveWeights()
    {
        using (fit.Average?.Use()) folder.Save(model);
    }

    private void Save()
    {
        var place = fit.Position;
        var metrics = folder.Metrics.Take(place.Epoch - 1);   // gradients may wait for a step beyond the end of an epoch
        var run = new SavedRun(recipe.ToTexts(), images.Folder, hash, place, saved, string.Concat(metrics));
        folder.Checkpoints.Save(place.OptimizerCounters[0], State, run.ToTexts());
        sinceCheckpoint.Restart();
    }
}
