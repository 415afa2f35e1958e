using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using static Tapegrad.Examples.Cifar10.TrainOptions;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'train', which is also what happens without a command. Its defaults: SGD with momentum 0.9 and weight decay 5e-4
/// on every parameter, batches of 128, a rate of 0.1 that rises over the first 5 % of the steps and falls along a cosine, random
/// crops and flips.
/// </summary>
internal static class TrainCommand
{
    public static void AddTo(RootCommand root)
    {
        var command = new Command("train", "Trains a network and writes its weights and metrics.");
        foreach (var holder in (Command[])[root, command])
        {
            foreach (var option in All) holder.Add(option);
            holder.SetAction(Run);
        }
        root.Add(command);
    }

    private static int Run(ParseResult given)
    {
        if (given.GetValue(Threads) is { } threads) Workers.Threads = threads;
        return given.GetValue(Resume) is { } folder ? GoOn(given, folder) : Begin(given);
    }

    private static int Begin(ParseResult options)
    {
        T Get<T>(Option<T> option) => options.GetValue(option)!;
        var images = Images.Find(options, Get(Data), shapes: false);
        var model = Create(options, images.Train);
        var rate = RateOf(options, images.Train);
        using var folder = RunFolder.Create(Get(Out), $"{Get(Model)}-{Get(Norm).Replace(':', '-')}", Get(Overwrite));
        Console.WriteLine($"{Get(Model)} with {Get(Norm)} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {images.Train.Count} images of {images.Train.Name}: {Get(Epochs)} epochs of {images.Train.BatchesPerEpoch(Get(BatchSize))} steps,"
            + $" {Workers.Threads} threads, weights to {folder.WeightsPath}");
        return new TrainingRun(options, images, model, rate, folder, Get(CheckpointEvery)).Run(from: null);
    }

    private static int GoOn(ParseResult given, string path)
    {
        using var folder = RunFolder.Reopen(path);
        var checkpoint = folder.Checkpoints.Newest()
            ?? throw new UserError($"--resume {path}: there is no checkpoint in this folder. Begin the run again: --out {path} --overwrite.");
        var run = SavedRun.From(checkpoint, path);
        var options = GoingOn(given, run.Options);
        var images = Images.Find(options, given.GetValue(Data) ?? run.Data, shapes: true);
        if (images.Hash != run.Images)
            throw new UserError($"--resume {path}: the images in {images.Folder ?? "Shapes10"} are not those that the run began with. Give their folder"
                + " with --data.");
        var model = Create(options, images.Train);
        var (epochs, steps) = (options.GetValue(Epochs), images.Train.BatchesPerEpoch(options.GetValue(BatchSize)));
        Console.WriteLine(run.Place.Epoch > epochs ? $"{path} is at its end already, after {epochs} epochs"
            : $"{path} goes on in epoch {run.Place.Epoch} of {epochs}, after {run.Place.Batch} of {steps} steps, {Workers.Threads} threads");
        return new TrainingRun(options, images, model, RateOf(options, images.Train), folder, given.GetValue(CheckpointEvery)).Run((checkpoint, run));
    }

    private static Module Create(ParseResult options, ImageDataset train)
    {
        var model = Create(options.GetValue(Model)!, options.GetValue(Norm)!, train.Classes, options.GetValue(Seed), options.GetValue(ZeroGamma),
            train.Channels);
        InputStatistics.Write(model, train);
        return model;
    }

    public static Module Create(string architecture, string normalization, int classes, int seed, bool zeroGamma = false, int inputs = 3)
    {
        try
        {
            return SavedModel.Create(architecture, normalization, classes, seed, zeroGamma, inputs: inputs);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }

    private static LearningRate RateOf(ParseResult options, ImageDataset train)
    {
        T Get<T>(Option<T> option) => options.GetValue(option)!;
        var (schedule, rate, batches, together, epochs, warmup) =
            (Get(Schedule), Get(Rate), train.BatchesPerEpoch(Get(BatchSize)), Get(Accumulate), Get(Epochs), Get(Warmup));
        if ((long)batches * epochs < together)
            throw new UserError($"--accumulate {together}: {epochs} epochs have only {(long)batches * epochs} batches, not one whole step.");
        if ((long)batches * epochs > int.MaxValue)
            throw new UserError($"--epochs {epochs}: so many epochs of {batches} steps are more steps than can be counted.");
        var steps = batches * epochs / together;
        if (schedule == "constant") return LearningRate.Constant(rate, steps, warmup);
        if (schedule == "cosine") return LearningRate.Cosine(rate, steps, warmup);
        if (schedule == "one-cycle") return LearningRate.OneCycle(rate, steps);
        int[] milestones = [.. schedule["multistep:".Length..].Split(',').Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= epochs)
            throw new UserError($"--schedule {schedule}: the epochs must rise and lie before the last one, {epochs}.");
        return LearningRate.MultiStep(rate, [.. milestones.Select(epoch => epoch * batches / together)], steps: steps, warmup: warmup);
    }
}
