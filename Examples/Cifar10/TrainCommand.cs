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
/// The command 'train', which is also what happens without a command. Its defaults, but for --model fast: GroupNorm
/// with standardized weights, SGD with momentum 0.9 and weight decay 5e-4 on every parameter, batches of 32, a rate of
/// 0.05 that rises over the first 5 % of the steps and falls along a cosine, random crops and flips. RESULTS.md says
/// what that comes to, and how it was found.
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
            return given.GetValue(Resume) is { } folder ? Continue(given, folder) : Begin(given);
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
        RefuseIdle(options, Epochs, options.GetValue(Minutes) is not null, "--minutes says how long it trains.");
        var given = RecipeOf(options);
        RefuseIdle(options, Minutes, given.Schedule?.StartsWith("multistep", StringComparison.Ordinal) == true,
            "the milestones of the schedule are epochs of a run whose --epochs are known.");
        var weights = InitialWeightsOf(options, ref given);
        given.Check();
        var output = OutputOf(options);
        if (weights is not null && options.GetValue(Overwrite))
            OutputFile.CheckOutside(From.Name, weights.Path, output);
        var images = ImagesOf(given, options, options.GetValue(Data), shapes: null, output, SizeOf(weights));
        var (recipe, budget) = (given.Resolve(images.Train), (string?)null);
        if (options.GetValue(Minutes) is { } minutes) (recipe, budget) = Within(minutes, recipe, images);
        KnownElsewhere.Notice(recipe.Model);
        var model = recipe.CreateModel(images.Train);
        var begins = weights is null ? null : BeginWith(model, weights);
        using var folder = CreateFolder(options, recipe);
        Console.WriteLine($"{recipe.Model} with {recipe.Normalization} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {Display.Count(images.Train.Count, "image")} of {NameOf(images.Train, images.Folder)}: "
            + $"{Display.Count(recipe.Epochs!.Value, "epoch")} of "
            + $"{Display.Count(images.Train.BatchesPerEpoch(recipe.BatchSize!.Value), "step")}, "
            + $"{Display.Count(Workers.Threads, "thread")}, weights to {folder.WeightsPath}");
        if (budget is not null) Console.WriteLine(budget);
        if (begins is not null) Console.WriteLine(begins);
        if (FewBatches(given, recipe, images.Train.Count) is { } few) Console.WriteLine(few);
        return Train(Training.Run.Begin(recipe, images, model, folder, weights?.Path), folder, options);
    }

    // As many epochs as fit, and what is to be said of it.
    private static (Recipe, string) Within(double minutes, Recipe recipe, RunImages images)
    {
        var budget = Budget.Measure(minutes, recipe, images);
        return ((recipe with { Epochs = budget.Epochs }).Resolve(images.Train),
            Invariant($"an epoch takes about {budget.SecondsPerEpoch:F1} seconds here, {minutes} minutes are ")
            + (budget.IsEnough ? $"enough for {Display.Count(budget.Epochs, "epoch")}"
                : "not enough for one, which is the least"));
    }

    private static int Continue(ParseResult given, string path)
    {
        CheckGoingOn(given);
        using var folder = Reopen(path);
        var saved = SavedRun.From(Newest(folder), path);
        var images = ImagesOf(saved.Recipe, given, given.GetValue(Data) ?? saved.Data, shapes: true, output: null,
            otherwise: null);
        var run = GoOn(saved, images, folder);
        var (epochs, steps) = (run.Recipe.Epochs!.Value, images.Train.BatchesPerEpoch(run.Recipe.BatchSize!.Value));
        Console.WriteLine(saved.Place.Epoch > epochs
            ? $"{path} is at its end already, after {Display.Count(epochs, "epoch")}"
            : $"{path} goes on in epoch {saved.Place.Epoch} of {epochs}, after {saved.Place.Batch} of {steps} steps,"
                + $" {Display.Count(Workers.Threads, "thread")}");
        return Train(run, folder, given);
    }

    private static int Train(Run run, RunFolder folder, ParseResult options)
    {
        run.SecondsBetweenCheckpoints = options.GetValue(CheckpointEvery);
        var display = new Display(run.Recipe.Epochs!.Value, run.HeldApart);
        (run.AfterStep, run.AfterEpoch) = (display.AfterStep, display.AfterEpoch);
        using var interrupt = new Interrupt();
        RunResult result;
        try
        {
            result = display.Show(() => run.Train(interrupt.Token));
        }
        catch (IOException e)   // for instance a full disk
        {
            throw new UserError($"{e.Message.TrimEnd('.')}. Once it can be written, train --resume {folder.FolderPath} "
                + "goes on.");
        }
        catch (NonFiniteException e)
        {
            throw new UserError($"{e.Message} Try a lower --lr or a longer --warmup.");
        }
        if (!result.IsComplete)
        {
            Console.WriteLine($"stopped; the weights {result.Kept} are in {folder.WeightsPath}; to go on: train "
                + $"--resume {folder.FolderPath}");
            return interrupt.ExitCode;
        }
        Console.WriteLine(Measured(run.Images));
        if (result.ValidationAccuracy is { } validation)
            Console.WriteLine(Invariant($"validation accuracy: {validation:F4}"));
        Console.WriteLine(Invariant($"test accuracy: {result.TestAccuracy:F4}"));
        if (result.ViewsAccuracy is { } ofViews)
            Console.WriteLine(Invariant($"test accuracy with --tta {run.Recipe.TestViews}: {ofViews:F4}"));
        return 0;
    }

    // Whoever forgot --data sees a high number, and should see of what.
    private static string Measured(RunImages images) =>
        $"measured on {Display.Count(images.Test.Count, "test image")} of "
        + NameOf(images.Test, images.Folder)
        + (images.Test.Name == Shapes10.Name
            ? ", shapes made by a formula, which are easy: not CIFAR-10, which --data FOLDER names and --download "
                + "fetches" : "");

    private static string NameOf(ImageDataset images, string? folder) =>
        images.IsResized ? Line.Of(folder ?? "a folder") : images.Name;

    /// <summary>What is to be said of an epoch with few batches; null where there are enough.</summary>
    internal static string? FewBatches(Recipe given, Recipe recipe, int images)
    {
        var (size, usual) = (recipe.BatchSize!.Value, ModelSpec.UsualTraining(recipe.Model).BatchSize);
        var (steps, rest) = (images / size, images % size);
        if (given.BatchSize is null)
            return size == usual ? null
                : $"of {Display.Count(images, "image")}, batches of {size} and not of {usual},"
                + $" so that an epoch has {Display.Count(steps, "step")}";
        return steps >= Recipe.LeastBatches ? null
            : $"--batch {size}: of {Display.Count(images, "image")} an epoch has {Display.Count(steps, "step")}"
            + (rest == 0 ? "" : $", and leaves {rest} out, others in each") + ". A smaller --batch makes more.";
    }

    // ---- what it works with -----------------------------------------------------------------------------------------

    // Refused before the images are read, which can take minutes.
    private static Output OutputOf(ParseResult options)
    {
        var output = options.GetValue(Out) is { } path ? new Output(Out.Name, path)
            : new Output(Out.Name, "runs", IsGiven: false);
        if (output.IsGiven && !options.GetValue(Overwrite) && RunFolder.FindRun(output.Path) is { } taken)
            throw new UserError($"--out: {taken} exists already. Name another folder, go on with that run by --resume "
                + $"{output.Path}, or give --overwrite to "
                + "replace it.");
        OutputFile.CheckFolder(output);
        return output;
    }

    private static int? SizeOf(SavedNetwork? weights) =>
        weights?.Description.Size is var (height, width) && height == width ? height : null;

    private static RunImages ImagesOf(Recipe recipe, ParseResult options, string? data, bool? shapes, Output? output,
        int? otherwise)
    {
        var (train, test, folder) = DataSource.Find(data, options.GetValue(Download), shapes,
            recipe.TrainLimit ?? int.MaxValue, recipe.TestLimit ?? int.MaxValue, recipe.Size ?? otherwise
            ?? Recipe.UsualSize, output is null ? [] : [output], recipe.Strict);
        return RunImages.Of(recipe, train, test, folder);
    }

    // --model and --norm are the file's, where they are not given.
    private static SavedNetwork? InitialWeightsOf(ParseResult options, ref Recipe recipe)
    {
        if (options.GetValue(From) is not { } path) return null;
        RefuseIdle(options, ZeroGamma, true, "the weights of --from say where every gamma begins.");
        Weights.CheckNetwork(From.Name, path);
        var network = SavedNetwork.Load(path);
        if (!IsGiven(options, Model)) recipe = recipe with { Model = network.Model.Metadata["architecture"] };
        if (!IsGiven(options, Norm)) recipe = recipe with { Normalization = network.Model.Metadata["normalization"] };
        return network;
    }

    private static string BeginWith(Module model, SavedNetwork weights)
    {
        var begins = $"begins with the weights of {weights.Path}";
        if (!InitialWeights.Load(model, weights)) return begins;
        return $"{begins}, and a new last layer: " + (InitialWeights.OtherNames(model, weights) is var (here, there)
            ? Line.Of($"other classes, such as '{here}' in the place of '{there}'")
            : $"{model.Metadata["classes"]} classes and not {weights.Model.Metadata["classes"]}");
    }

    private static RunFolder CreateFolder(ParseResult options, Recipe recipe)
    {
        var path = options.GetValue(Out)
            ?? RunFolder.NewPath("runs",
                $"{recipe.Model}-{string.Concat(recipe.Normalization!.Select(letter => char.IsAsciiLetterOrDigit(letter) ? letter : '-'))}");
        return InWordsOf<RunFolder, IOException>(Out.Name, () => RunFolder.Create(path, options.GetValue(Overwrite)));
    }

    private static RunFolder Reopen(string path) =>
        InWordsOf<RunFolder, IOException>(Resume.Name, () => RunFolder.Reopen(path),
        Directory.Exists(path) ? "" : " Name the one that the run was given, or made: runs/...");

    private static Checkpoint Newest(RunFolder folder)
    {
        try
        {
            return folder.Checkpoints.Newest()
                ?? throw new UserError($"--resume {folder.FolderPath}: there is no checkpoint in this folder. Name "
                    + "that of a run.");
        }
        catch (InvalidDataException e)
        {
            throw new UserError($"--resume {folder.FolderPath}: none of its checkpoints is whole. Begin the run again: "
                + $"--out {folder.FolderPath} --overwrite. The newest, {e.Message}");
        }
    }

    private static Run GoOn(SavedRun saved, RunImages images, RunFolder folder) => InWordsOf<Run, InvalidDataException>(
        $"{Resume.Name} {folder.FolderPath}", () => Training.Run.GoOn(saved, images, folder),
        $" To begin the run again: --out {folder.FolderPath} --overwrite.");

    // What the library refuses, as what is wrong with an option, and what to do.
    private static T InWordsOf<T, TException>(string option, Func<T> work, string remedy = "")
        where TException : Exception
    {
        try
        {
            return work();
        }
        catch (TException e)
        {
            throw new UserError($"{option}: {e.Message}{remedy}");
        }
    }
}
