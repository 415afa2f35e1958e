using System.CommandLine;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;
using static Tapegrad.Examples.Cifar10.TrainOptions;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'train', which is also what happens without a command. Its defaults: GroupNorm with standardized weights, SGD with momentum 0.9 and
/// weight decay 5e-4 on every parameter, batches of 32, a rate of 0.05 that rises over the first 5 % of the steps and falls along a cosine, random
/// crops and flips. RESULTS.md says what that comes to, and how it was found.
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
        var images = Images.Find(options, Get(Data), shapes: null);
        Recipe.RefuseIdle(options, images.Train);
        var recipe = new Recipe(options, images.Train);
        var model = recipe.CreateModel();
        if (images is { Train.Name: nameof(ImageFolder), Folder: { } data }) OutputFile.CheckApart("--out", Get(Out) ?? "runs", data);
        using var folder = RunFolder.Create(Get(Out), $"{Get(Model)}-{Get(Norm).Replace(':', '-').Replace('+', '-')}", Get(Overwrite));
        Console.WriteLine($"{Get(Model)} with {Get(Norm)} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {images.Train.Count} images of {images.Train.Name}: {Display.Count(recipe.Epochs, "epoch")} of"
            + $" {Display.Count(images.Train.BatchesPerEpoch(recipe.BatchSize), "step")}, {Display.Count(Workers.Threads, "thread")},"
            + $" weights to {folder.WeightsPath}");
        return new TrainingRun(recipe, images, model, folder, Get(CheckpointEvery)).Run(from: null);
    }

    private static int GoOn(ParseResult given, string path)
    {
        using var folder = RunFolder.Reopen(path);
        var checkpoint = Newest(folder)
            ?? throw new UserError($"--resume {path}: there is no checkpoint in this folder. Name that of a run.");
        var run = SavedRun.From(checkpoint, path);
        var options = GoingOn(given, run.Options);
        var images = Images.Find(options, given.GetValue(Data) ?? run.Data, shapes: true);
        if (images.Hash != run.Images)
            throw new UserError($"--resume {path}: the images in {images.Folder ?? "Shapes10"} are not those that the run began with: some"
                + " are missing, new or different. Give the folder that has them with --data.");
        var recipe = new Recipe(options, images.Train);
        var model = recipe.CreateModel();
        var (epochs, steps) = (recipe.Epochs, images.Train.BatchesPerEpoch(recipe.BatchSize));
        Console.WriteLine(run.Place.Epoch > epochs ? $"{path} is at its end already, after {Display.Count(epochs, "epoch")}"
            : $"{path} goes on in epoch {run.Place.Epoch} of {epochs}, after {run.Place.Batch} of {steps} steps,"
                + $" {Display.Count(Workers.Threads, "thread")}");
        return new TrainingRun(recipe, images, model, folder, given.GetValue(CheckpointEvery)).Run((checkpoint, run));
    }

    private static Checkpoint? Newest(RunFolder folder)
    {
        try
        {
            return folder.Checkpoints.Newest();
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"--resume {folder.FolderPath}: none of its checkpoints is whole. Begin the run again: --out {folder.FolderPath}"
                + $" --overwrite. The newest, {e.Message}");
        }
    }

    public static Module Create(string architecture, string normalization, int classes, int seed, bool zeroGamma = false, int inputs = 3)
    {
        try
        {
            return new ModelSpec(architecture, normalization, classes, Inputs: inputs, ZeroGamma: zeroGamma).Build(seed);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }
}
