using System.CommandLine;
using System.Globalization;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;
using static System.FormattableString;
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
        try
        {
            return given.GetValue(Resume) is { } folder ? GoOn(given, folder) : Begin(given);
        }
        catch (RecipeException e)
        {
            throw Refusal(e);
        }
    }

    private static int Begin(ParseResult options)
    {
        RefuseIdle(options, Overwrite, options.GetValue(Out) is null, "without --out a run gets a folder of its own.");
        RefuseIdle(options, Download, options.GetValue(Data) is not null, "--data says where the images are.");
        var given = RecipeOf(options);
        var weights = InitialWeightsOf(options, ref given);
        given.Check();
        var images = ImagesOf(given, options, options.GetValue(Data), shapes: null);
        var recipe = given.Resolve(images.Train);
        KnownElsewhere.Notice(recipe.Model);
        var model = recipe.CreateModel(images.Train);
        var begins = weights is null ? null : BeginWith(model, weights);
        if (images is { Train.Name: nameof(ImageFolder), Folder: { } data }) OutputFile.CheckApart("--out", options.GetValue(Out) ?? "runs", data);
        using var folder = CreateFolder(options, recipe);
        Console.WriteLine($"{recipe.Model} with {recipe.Normalization} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {images.Train.Count} images of {images.Train.Name}: {Display.Count(recipe.Epochs, "epoch")} of"
            + $" {Display.Count(images.Train.BatchesPerEpoch(recipe.BatchSize!.Value), "step")}, {Display.Count(Workers.Threads, "thread")},"
            + $" weights to {folder.WeightsPath}");
        if (begins is not null) Console.WriteLine(begins);
        if (FewBatches(given, recipe, images.Train.Count) is { } few) Console.WriteLine(few);
        return Train(Training.Run.Begin(recipe, images, model, folder, weights?.Path), folder, options);
    }

    private static int GoOn(ParseResult given, string path)
    {
        CheckGoingOn(given);
        using var folder = Reopen(path);
        var saved = SavedRun.From(Newest(folder), path);
        var images = ImagesOf(saved.Recipe, given, given.GetValue(Data) ?? saved.Data, shapes: true);
        var run = GoOn(saved, images, folder);
        var (epochs, steps) = (run.Recipe.Epochs, images.Train.BatchesPerEpoch(run.Recipe.BatchSize!.Value));
        Console.WriteLine(saved.Place.Epoch > epochs ? $"{path} is at its end already, after {Display.Count(epochs, "epoch")}"
            : $"{path} goes on in epoch {saved.Place.Epoch} of {epochs}, after {saved.Place.Batch} of {steps} steps,"
                + $" {Display.Count(Workers.Threads, "thread")}");
        return Train(run, folder, given);
    }

    private static int Train(Run run, RunFolder folder, ParseResult options)
    {
        run.SecondsBetweenCheckpoints = options.GetValue(CheckpointEvery);
        var display = new Display(run.Recipe.Epochs, run.HeldApart);
        (run.AfterStep, run.AfterEpoch) = (display.AfterStep, display.AfterEpoch);
        using var interrupt = new Interrupt();
        RunResult result;
        try
        {
            result = display.Show(() => run.Train(interrupt.Token));
        }
        catch (IOException e)   // for instance a full disk
        {
            throw new UserError($"{e.Message.TrimEnd('.')}. Once it can be written, train --resume {folder.FolderPath} goes on.");
        }
        catch (NonFiniteException e)
        {
            throw new UserError($"{e.Message} Try a lower --lr or a longer --warmup.");
        }
        if (!result.IsComplete)
        {
            Console.WriteLine($"stopped; the weights are in {folder.WeightsPath}; to go on: train --resume {folder.FolderPath}");
            return interrupt.ExitCode;
        }
        Console.WriteLine(Measured(run.Images));
        if (result.ValidationAccuracy is { } validation) Console.WriteLine(Invariant($"validation accuracy: {validation:F4}"));
        Console.WriteLine(Invariant($"test accuracy: {result.TestAccuracy:F4}"));
        return 0;
    }

    // Whoever forgot --data sees a high number, and should see of what.
    private static string Measured(RunImages images) => $"measured on {Display.Count(images.Test.Count, "test image")} of "
        + (images.Test.Name == nameof(ImageFolder) ? Line.Of(images.Folder ?? "a folder") : images.Test.Name)
        + (images.Test.Name == nameof(Shapes10) ? ", shapes made by a formula, which are easy: not CIFAR-10, which --data FOLDER names and --download fetches" : "");

    /// <summary>What is to be said of an epoch with few batches; null where there are enough.</summary>
    internal static string? FewBatches(Recipe given, Recipe recipe, int images)
    {
        var size = recipe.BatchSize!.Value;
        var (steps, rest) = (images / size, images % size);
        if (given.BatchSize is null)
            return size == 32 ? null : $"of {images} images, batches of {size} and not of 32, so that an epoch has {Display.Count(steps, "step")}";
        return steps > 3 ? null : $"--batch {size}: of {images} images an epoch has {Display.Count(steps, "step")}"
            + (rest == 0 ? "" : $", and leaves {rest} out, others in each") + ". A smaller --batch makes more.";
    }

    // ---- what it works with --------------------------------------------------------------------------------------------------------------

    private static RunImages ImagesOf(Recipe recipe, ParseResult options, string? data, bool? shapes)
    {
        var (train, test, folder) = DataSource.Find(data, options.GetValue(Download), shapes, recipe.TrainLimit ?? int.MaxValue,
            recipe.TestLimit ?? int.MaxValue, recipe.Size ?? 32, recipe.Strict);
        return RunImages.Of(recipe, train, test, folder);
    }

    // --model and --norm are the file's, where they are not given.
    private static SavedNetwork? InitialWeightsOf(ParseResult options, ref Recipe recipe)
    {
        if (options.GetValue(From) is not { } path) return null;
        RefuseIdle(options, ZeroGamma, true, "the weights of --from say where every gamma begins.");
        if (!File.Exists(path)) throw new UserError($"--from: there is no file '{path}'.");
        var network = SavedNetwork.Load(path);
        if (!IsGiven(options, Model)) recipe = recipe with { Model = network.Model.Metadata["architecture"] };
        if (!IsGiven(options, Norm)) recipe = recipe with { Normalization = network.Model.Metadata["normalization"] };
        return network;
    }

    private static string BeginWith(Module model, SavedNetwork weights) => InitialWeights.Load(model, weights)
        ? $"begins with the weights of {weights.Path}, and a new last layer: {model.Metadata["classes"]} classes and not {weights.Model.Metadata["classes"]}"
        : $"begins with the weights of {weights.Path}";

    private static RunFolder CreateFolder(ParseResult options, Recipe recipe)
    {
        var path = options.GetValue(Out)
            ?? RunFolder.NewPath("runs", $"{recipe.Model}-{string.Concat(recipe.Normalization.Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '-'))}");
        var overwrite = options.GetValue(Overwrite);
        if (!overwrite && RunFolder.FindRun(path) is { } taken)
            throw new UserError($"--out: {taken} exists already. Name another folder, go on with that run by --resume {path}, or give --overwrite to "
                + "replace it.");
        try
        {
            return RunFolder.Create(path, overwrite);
        }
        catch (IOException e)
        {
            throw new UserError($"--out: {e.Message}");
        }
    }

    private static RunFolder Reopen(string path)
    {
        try
        {
            return RunFolder.Reopen(path);
        }
        catch (IOException e)
        {
            throw new UserError($"--resume: {e.Message}{(Directory.Exists(path) ? "" : " Name the one that the run was given, or made: runs/...")}");
        }
    }

    private static Checkpoint Newest(RunFolder folder)
    {
        try
        {
            return folder.Checkpoints.Newest()
                ?? throw new UserError($"--resume {folder.FolderPath}: there is no checkpoint in this folder. Name that of a run.");
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"--resume {folder.FolderPath}: none of its checkpoints is whole. Begin the run again: --out {folder.FolderPath}"
                + $" --overwrite. The newest, {e.Message}");
        }
    }

    private static Run GoOn(SavedRun saved, RunImages images, RunFolder folder)
    {
        try
        {
            return Training.Run.GoOn(saved, images, folder);
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"--resume {folder.FolderPath}: {e.Message} To begin the run again: --out {folder.FolderPath} --overwrite.");
        }
    }

    /// <summary>A network by its options.</summary>
    public static Module Create(string architecture, string normalization)
    {
        KnownElsewhere.Notice(architecture);
        try
        {
            return new ModelSpec(architecture, normalization).Build(seed: 1);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }
}
