using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using static Tapegrad.Examples.Cifar10.TrainOptions;

namespace Tapegrad.Examples.Cifar10;

/// <summary>One run of training, from its beginning or from a checkpoint to its end, with its files.</summary>
internal sealed class TrainingRun
{
    private readonly ParseResult options;
    private readonly Images images;
    private readonly Module model;
    private readonly RunFolder folder;
    private readonly double secondsBetweenCheckpoints;

    private readonly Fit fit;
    private readonly Display display;
    private readonly AveragedWeights? average;
    private readonly string hash;
    private readonly Stopwatch sinceCheckpoint = Stopwatch.StartNew();
    private Snapshot? lastGood;
    private bool isFinite = true;   // the loss of the last epoch on what is held apart
    private double? best;   // accuracy on what chooses the weights; without images held apart for that, of the last epoch

    public TrainingRun(ParseResult options, Images images, Module model, LearningRate rate, RunFolder folder, double secondsBetweenCheckpoints)
    {
        (this.options, this.images, this.model, this.folder, this.secondsBetweenCheckpoints) = (options, images, model, folder, secondsBetweenCheckpoints);
        hash = images.Hash;
        display = new Display(Get(Epochs), HeldApart);
        average = Get(Average) > 0 ? new AveragedWeights(model.State, Get(Average)) : null;
        var groups = Get(Decayed) == "weights" ? ParameterGroup.DecayWeightsOnly(model.Parameters, Get(WeightDecay))
            : [new(model.Parameters, Get(WeightDecay))];
        Optimizer optimizer = Get(OptimizerName) switch
        {
            "sgd" => new Sgd(groups, Get(Momentum)),
            "adam" => new Adam(groups),
            _ => new AdamW(groups),
        };
        fit = new Fit(model.Apply, optimizer, rate)
        {
            LabelSmoothing = Get(Smoothing),
            Mixup = Get(MixupAlpha),
            Accumulate = Get(Accumulate),
            Average = average,
            AfterStep = AfterStep,
            AfterEpoch = AfterEpoch,
        };
    }

    /// <summary>Trains to the end.</summary>
    /// <param name="from">Where to go on; null to begin.</param>
    /// <returns>What the program returns.</returns>
    public int Run((Checkpoint Checkpoint, SavedRun Saved)? from)
    {
        if (from is { } at)
        {
            folder.Checkpoints.Load(at.Checkpoint, State);
            (folder.Metrics, best) = (at.Saved.Metrics, at.Saved.Best);
        }
        else Save();   // so that there is something to go on from, however soon it ends
        lastGood = new Snapshot(model);
        using var interrupt = new Interrupt();
        try
        {
            var own = images.Train.Augment;
            var augment = own with { Flips = own.Flips && !Get(NoFlip), Cutout = Get(Cutout) };
            if (!display.Show(() => fit.Run(images.Train, images.Validation ?? images.Test, Get(Epochs), Get(BatchSize), Get(Seed), augment, interrupt.Token,
                from?.Saved.Place)))
            {
                Save();
                if (images.Validation is null || best is null) SaveWeights();
                Console.WriteLine($"stopped; the weights are in {folder.WeightsPath}; to go on: train --resume {folder.FolderPath}");
                return interrupt.ExitCode;
            }
        }
        catch (ArgumentException e) when (from is not null && e.ParamName is "from" or "value")   // a place, or counters, that are none here
        {
            throw new InvalidDataException($"{folder.FolderPath}: checkpoint {from!.Value.Checkpoint.Step}: {e.Message}");
        }
        catch (ShapeException e)   // images too small for the network, for instance
        {
            throw new UserError($"--model {Get(TrainOptions.Model)}: images of {images.Train.Height}x{images.Train.Width}: {e.Message}");
        }
        catch (NonFiniteException e)
        {
            throw Diverged(e.Message);
        }
        if (!isFinite) throw Diverged($"after the last step the {HeldApart} loss is not finite.");
        Save();
        if (images.Validation is not null)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"validation accuracy: {best:F4}"));
            model.Load(folder.WeightsPath);
            best = images.Test.Accuracy(model.Apply);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test accuracy: {best:F4}"));
        return 0;
    }

    private string HeldApart => images.Validation is null ? "test" : "validation";

    private Parameter[] State => [.. model.State, .. fit.State];

    private T Get<T>(Option<T> option) => options.GetValue(option)!;

    private void AfterStep(TrainingProgress now)
    {
        lastGood!.Take();
        display.AfterStep(now);
        if (sinceCheckpoint.Elapsed.TotalSeconds >= secondsBetweenCheckpoints) Save();
    }

    private bool AfterEpoch(Epoch epoch)
    {
        display.AfterEpoch(epoch);
        folder.Append(epoch, HeldApart);
        // Weights that give no numbers classify some images right as well. If there is another step, it says where they come from.
        isFinite = double.IsFinite(epoch.Validation!.Loss);
        if (!isFinite || (images.Validation is not null && epoch.Validation.Accuracy <= best)) return true;
        best = epoch.Validation.Accuracy;
        SaveWeights();
        return true;
    }

    private UserError Diverged(string what)
    {
        var keepsBest = images.Validation is not null && best is not null;
        lastGood!.Restore();
        if (!keepsBest) folder.Save(model);
        return new UserError($"{what.TrimEnd('.')}. The weights of {(keepsBest ? "the best epoch" : "the step before")} are kept. Try a lower --lr or a"
            + " longer --warmup.");
    }

    private void SaveWeights()
    {
        using (average?.Use()) folder.Save(model);
    }

    private void Save()
    {
        var place = fit.Position;
        var metrics = folder.Metrics.Split('\n').Take(place.Epoch - 1);   // gradients may wait for a step beyond the end of an epoch
        var saved = new SavedRun(RecipeOf(options), images.Folder, hash, place, best, string.Concat(metrics.Select(line => line + '\n')));
        folder.Checkpoints.Save(place.OptimizerCounters[0], State, saved.ToTexts());
        sinceCheckpoint.Restart();
    }
}
