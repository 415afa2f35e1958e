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
    private const string Networks = "resnet20|resnet32|resnet44|resnet56|resnet110|...|resnet18|wrn16-4|...|vgg";
    private static readonly string NormalizationNames = $"{string.Join(", ", Normalizations.All.Select(info => info.Usage))}, none";
    private const string Schedules = "constant|multistep:E,E|cosine|one-cycle";

    private static readonly Option<string?> Data = Options.Path("--data", "folder with the binary files of CIFAR-10 or CIFAR-100");
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
        Options.Choice("--optimizer", "how gradients become steps", "sgd", name => name is "sgd" or "adam" or "adamw", "sgd|adam|adamw");
    private static readonly Option<double> Rate = Options.Number("--lr", "learning rate at its highest", 0.1, 0, 1e6);
    private static readonly Option<string> Schedule = Options.Choice("--schedule",
        "course of the learning rate after the warm-up", "cosine", SchedulePattern().IsMatch, Schedules);
    private static readonly Option<double> Warmup =
        Options.Number("--warmup", "share of the steps in which the rate rises", 0.05, 0, 1);
    private static readonly Option<double> Momentum = Options.Number("--momentum", "of sgd", 0.9, 0, 0.999999);
    private static readonly Option<double> WeightDecay =
        Options.Number("--weight-decay", "added to every gradient, times the parameter", 5e-4, 0, 1e6);
    private static readonly Option<string> Decayed = Options.Choice("--decay",
        "what decays: every parameter, or the weights of convolutions and linear layers", "all", name => name is "all" or "weights", "all|weights");
    private static readonly Option<bool> ZeroGamma = Options.Flag("--zero-gamma", "begin with every residual block as its shortcut: its last gamma is 0");
    private static readonly Option<int> Accumulate = Options.Whole("--accumulate", "batches whose gradients make one step", 1);
    private static readonly Option<double> Average =
        Options.Number("--average", "keep moving averages of the weights, with this decay, and use them: 0.999", 0, 0, 0.999999);
    private static readonly Option<double> Smoothing = Options.Number("--label-smoothing", "share of a label that all classes get", 0, 0, 1);
    private static readonly Option<int> Cutout = Options.Whole("--cutout", "side of a square painted over in every training image", 0, 0);
    private static readonly Option<double> MixupAlpha = Options.Number("--mixup", "mix training images, the more the larger: 0.2", 0, 0, 100);
    private static readonly Option<int> Validation =
        Options.Whole("--validation", "hold so many training images apart, and keep the weights that are best on them", 0, 0);
    private static readonly Option<int> Seed = Options.Whole("--seed", "of weights, order and augmentation", 1, int.MinValue);
    public static readonly Option<int?> Threads = Options.Limit("--threads",
        $"threads to compute with; the results do not depend on it [default: {Workers.Variable}, or one a processor]");
    private static readonly Option<int?> TrainLimit =
        Options.Limit("--train-limit", "use the first so many training images [default: all]");
    private static readonly Option<int?> TestLimit = Options.Limit("--test-limit", "use the first so many test images [default: all]");

    [GeneratedRegex(@"^(constant|cosine|one-cycle|multistep:[0-9]{1,6}(,[0-9]{1,6})*)$")]
    private static partial Regex SchedulePattern();

    public static void AddTo(RootCommand root)
    {
        var command = new Command("train", "Trains a network and writes its weights and metrics.");
        foreach (var holder in (Command[])[root, command])
        {
            foreach (var option in (Option[])[Data, Out, Overwrite, Download, Model, Norm, Epochs, Batch, OptimizerName, Rate, Schedule, Warmup, Momentum, WeightDecay,
                Decayed, ZeroGamma, Accumulate, Average, Smoothing, Cutout, MixupAlpha, Validation, Seed, Threads, TrainLimit, TestLimit]) holder.Add(option);
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
        ImageDataset? validation = null;
        if (Get(Validation) is > 0 and var held)
        {
            if (held >= train.Count) throw new UserError($"--validation {held}: there are only {train.Count} training images.");
            (train, validation) = train.Split(held);
        }
        if (train.Count < batch)
            throw new UserError($"--batch {batch}: there are only {train.Count} training images, not one whole batch.");
        var (batches, together) = (train.BatchesPerEpoch(batch), Get(Accumulate));
        if ((long)batches * epochs < together)
            throw new UserError($"--accumulate {together}: {epochs} epochs have only {(long)batches * epochs} batches, not one whole step.");
        var model = Create(Get(Model), Get(Norm), train.Classes, seed, Get(ZeroGamma));
        InputStatistics.Write(model, train);
        var rate = RateOf(Get(Schedule), Get(Rate), batches, together, epochs, Get(Warmup));
        var folder = new RunFolder(Get(Out), name, Get(Overwrite));

        var groups = Get(Decayed) == "weights" ? ParameterGroup.DecayWeightsOnly(model.Parameters, Get(WeightDecay))
            : [new(model.Parameters, Get(WeightDecay))];
        Optimizer optimizer = Get(OptimizerName) switch
        {
            "sgd" => new Sgd(groups, Get(Momentum)),
            "adam" => new Adam(groups),
            _ => new AdamW(groups),
        };
        Console.WriteLine($"{Get(Model)} with {Get(Norm)} normalization,"
            + $" {model.Parameters.Sum(p => (long)p.Count).ToString("N0", CultureInfo.InvariantCulture)} parameters, "
            + $"on {train.Count} images of {train.Name}: {epochs} epochs of {batches} steps, {Workers.Threads} threads, weights to"
            + $" {folder.WeightsPath}");

        using var interrupt = new Interrupt();
        var heldApart = validation is null ? "test" : "validation";
        var display = new Display(epochs, heldApart);
        var average = Get(Average) > 0 ? new AveragedWeights(model.State, Get(Average)) : null;
        var lastGood = new Snapshot(model);
        var best = double.NegativeInfinity;
        var fit = new Fit(model.Apply, optimizer, rate)
        {
            LabelSmoothing = Get(Smoothing),
            Mixup = Get(MixupAlpha),
            Accumulate = together,
            Average = average,
            AfterStep = now =>
            {
                lastGood.Take();
                display.AfterStep(now);
            },
            AfterEpoch = epoch =>
            {
                display.AfterEpoch(epoch);
                folder.Append(epoch, heldApart);
                var accuracy = epoch.Validation!.Accuracy;
                if (validation is not null && accuracy <= best) return true;
                best = accuracy;
                using (average?.Use()) folder.Save(model);
                return true;
            },
        };
        try
        {
            var augment = Augment.CropAndFlip with { Cutout = Get(Cutout) };
            if (!display.Show(() => fit.Run(train, validation ?? test, epochs, batch, seed, augment, interrupt.Token)))
            {
                if (validation is null || best < 0)
                    using (average?.Use()) folder.Save(model);
                Console.WriteLine($"stopped; the weights are in {folder.WeightsPath}");
                return 130;
            }
        }
        catch (NonFiniteException e)
        {
            lastGood.Restore();
            folder.Save(model);
            throw new UserError($"{e.Message.TrimEnd('.')}. The weights of the step before are kept. Try a lower --lr or a longer --warmup.");
        }
        if (validation is not null)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"validation accuracy: {best:F4}"));
            model.Load(folder.WeightsPath);
            best = test.Accuracy(model.Apply);
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"test accuracy: {best:F4}"));
        return 0;
    }

    public static Module Create(string architecture, string normalization, int classes, int seed, bool zeroGamma = false)
    {
        try
        {
            return SavedModel.Create(architecture, normalization, classes, seed, zeroGamma);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }

    private static LearningRate RateOf(string schedule, double rate, int batchesPerEpoch, int together, int epochs, double warmup)
    {
        if ((long)batchesPerEpoch * epochs > int.MaxValue)
            throw new UserError($"--epochs {epochs}: so many epochs of {batchesPerEpoch} steps are more steps than can be counted.");
        var steps = batchesPerEpoch * epochs / together;
        if (schedule == "constant") return LearningRate.Constant(rate, steps, warmup);
        if (schedule == "cosine") return LearningRate.Cosine(rate, steps, warmup);
        if (schedule == "one-cycle") return LearningRate.OneCycle(rate, steps);
        int[] milestones = [.. schedule["multistep:".Length..].Split(',').Select(epoch => int.Parse(epoch, CultureInfo.InvariantCulture))];
        if (milestones.Zip(milestones[1..]).Any(pair => pair.First >= pair.Second) || milestones[^1] >= epochs)
            throw new UserError($"--schedule {schedule}: the epochs must rise and lie before the last one, {epochs}.");
        return LearningRate.MultiStep(rate, [.. milestones.Select(epoch => epoch * batchesPerEpoch / together)], steps: steps, warmup: warmup);
    }
}
