using System.CommandLine;
using System.Globalization;
using System.Text.RegularExpressions;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'train', which is also what happens without a command. Its defaults: SGD with momentum 0.9 and weight decay 5e-4
/// on every parameter, batches of 128, a rate of 0.1 that rises over the first 5 % of the steps and falls along a cosine, random
/// crops and flips.
/// </summary>
internal static partial class TrainCommand
{
    private const string Networks = "resnet20|resnet32|resnet44|resnet56|resnet110|...|resnet18|vgg";
    private static readonly string NormalizationNames = $"{string.Join(", ", Normalizations.All.Select(info => info.Usage))}, none";
    private const string Schedules = "constant|multistep:E,E|cosine";

    private static readonly Option<string?> Data = Options.Path("--data", "folder with the CIFAR-10 binary files");
    private static readonly Option<string?> Out =
        Options.Path("--out", "folder for metrics.jsonl and model.safetensors [default: runs/..., a new one]");
    private static readonly Option<bool> Overwrite = Options.Flag("--overwrite", "replace a run that is in --out");
    private static readonly Option<bool> Download = Options.Flag("--download", "fetch CIFAR-10 where it is missing, without asking");
    public static readonly Option<string> Model = Options.Choice("--model", "network", "resnet20", SavedModel.IsKnown, Networks);
    public static readonly Option<string> Norm = Options.Choice("--norm",
        "normalization: so many groups, so many channels a group, or a name", "group:8", Normalizations.IsKnown, NormalizationNames);
    private static readonly Option<int> Epochs = Options.Whole("--epochs", "passes over the training images", 3);
    public static readonly Option<int> Batch = Options.Whole("--batch", "images a step", 128);
    private static readonly Option<string> OptimizerName =
        Options.Choice("--optimizer", "how gradients become steps", "sgd", name => name is "sgd" or "adam", "sgd|adam");
    private static readonly Option<double> Rate = Options.Number("--lr", "learning rate at its highest", 0.1, 0, 1e6);
    private static readonly Option<string> Schedule = Options.Choice("--schedule",
        "course of the learning rate after the warm-up", "cosine", SchedulePattern().IsMatch, Schedules);
    private static readonly Option<double> Warmup =
        Options.Number("--warmup", "share of the steps in which the rate rises", 0.05, 0, 1);
    private static readonly Option<double> Momentum = Options.Number("--momentum", "of sgd", 0.9, 0, 0.999999);
    private static readonly Option<double> WeightDecay =
        Options.Number("--weight-decay", "added to every gradient, times the parameter", 5e-4, 0, 1e6);
    private static readonly Option<int> Seed = Options.Whole("--seed", "of weights, order and augmentation", 1, int.MinValue);
    public static readonly Option<int?> Threads = Options.Limit("--threads",
        $"threads to compute with; the results do not depend on it [default: {Workers.Variable}, or one a processor]");
    private static readonly Option<int?> TrainLimit =
        Options.Limit("--train-limit", "use the first so many training images [default: all]");
    private static readonly Option<int?> TestLimit = Options.Limit("--test-limit", "use the first so many test images [default: all]");

    [GeneratedRegex(@"^(constant|cosine|multistep:[0-9]{1,6}(,[0-9]{1,6})*)$")]
    private static partial Regex SchedulePattern();

    public static void AddTo(RootCommand root)
    {
        var command = new Command("train", "Trains a network and writes its weights and metrics.");
        foreach (var holder in (Command[])[root, command])
        {
            foreach (var option in (Option[])[Data, Out, Overwrite, Download, Model, Norm, Epochs, Batch, OptimizerName, Rate, Schedule, Warmup, Momentum, WeightDecay,
                Seed, Threads, TrainLimit, TestLimit]) holder.Add(option);
            holder.SetAction(Run);
        }
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        T Get<T>(Option<T> option) => options.GetValue(option)!;
        if (Get(Threads) is { } threads) Workers.Threads = threads;
        var name = $"{Get(Model)}-{Get(Norm).Replace(':', '-')}";
        var (train, test) = DataSource.Find(Get(Data), Get(Download), shapes: false, Get(TrainLimit) ?? int.MaxValue,
            Get(TestLimit) ?? int.MaxValue);
        var (epochs, batch, seed) = (Get(Epochs), Get(Batch), Get(Seed));
        if (train.Count < batch)
            throw new UserError($"--batch {batch}: there are only {train.Count} training images, not one whole batch.");
        var steps = train.BatchesPerEpoch(batch);
        var model = Create(Get(Model), Get(Norm), train.Classes, seed);
        InputStatistics.Write(model, train);
        var rate = RateOf(Get(Schedule), Get(Rate), steps, epochs, Get(Warmup));
        var folder = new RunFolder(Get(Out), name, Get(Overwrite));

        Optimizer optimizer = Get(OptimizerName) == "sgd"
            ? new Sgd(model.Parameters, Get(Momentum), Get(WeightDecay))
            : new Adam(model.Parameters, weightDecay: Get(WeightDecay));
        Console.WriteLine($"{Get(Model)} with {Get(Norm)} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {train.Count} images of {train.Name}: {epochs} epochs of {steps} steps, {Workers.Threads} threads, weights to"
            + $" {folder.WeightsPath}");

        using var interrupt = new Interrupt();
        var accuracy = double.NaN;
        var display = new Display(epochs, epoch =>
        {
            accuracy = epoch.TestAccuracy;
            folder.Append(epoch);
            folder.Save(model);
        });
        var loop = new TrainingLoop(model, optimizer, rate, train, test, display);
        try
        {
            if (!display.Show(() => loop.Run(epochs, batch, seed, Augment.CropAndFlip, interrupt.Token)))
            {
                folder.Save(model);
                Console.WriteLine($"stopped; the weights are in {folder.WeightsPath}");
                return 130;
            }
        }
        catch (Exception e) when (e is UserError or NonFiniteException)
        {
            folder.Save(model);   // the loop has put the last good weights back
            throw;
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test accuracy: {accuracy:F4}"));
        return 0;
    }

    public static Module Create(string architecture, string normalization, int classes, int seed)
    {
        try
        {
            return SavedModel.Create(architecture, normalization, classes, seed);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }

    private static LearningRate RateOf(string schedule, double rate, int stepsPerEpoch, int epochs, double warmup)
    {
        if ((long)stepsPerEpoch * epochs > int.MaxValue)
            throw new UserError($"--epochs {epochs}: so many epochs of {stepsPerEpoch} steps are more steps than can be counted.");
        var steps = stepsPerEpoch * epochs;
        if (schedule == "constant") return LearningRate.Constant(rate, steps, warmup);
        if (schedule == "cosine") return LearningRate.Cosine(rate, steps, warmup);
        int[] milestones = [.. schedule["multistep:".Length..].Split(',').Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= epochs)
            throw new UserError($"--schedule {schedule}: the epochs must rise and lie before the last one, {epochs}.");
        return LearningRate.MultiStep(rate, [.. milestones.Select(epoch => epoch * stepsPerEpoch)], steps: steps, warmup: warmup);
    }
}
