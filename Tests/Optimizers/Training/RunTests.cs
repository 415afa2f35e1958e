using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Layers.Files;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// What a run keeps: that of the loop that one would write by hand, whatever settings meet, and good numbers whatever
/// happens.
/// </summary>
public sealed class RunTests : IDisposable
{
    private static readonly ImageDataset Train = SmallRun.Images(48, seed: 1), Test = SmallRun.Images(20, seed: 2);

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    // Each setting in a way of its own or as it is when nobody asks: with every pair of them in many cases, and shrunk
    // to those that matter.
    private static readonly (string Name, Func<Recipe, Recipe> Set)[] Settings =
    [
        ("group normalization", recipe => recipe with { Normalization = "group:4" }),
        ("averages", recipe => recipe with { Average = 0.8 }),
        ("accumulation", recipe => recipe with { Accumulate = 3 }),
        ("mixup", recipe => recipe with { Mixup = 0.5 }),
        ("smoothing", recipe => recipe with { LabelSmoothing = 0.2 }),
        ("validation", recipe => recipe with { Validation = 13 }),
        ("cutout", recipe => recipe with { Cutout = 3 }),
        ("no flip", recipe => recipe with { NoFlip = true }),
        ("adamw", recipe => recipe with { Optimizer = "adamw", Momentum = null, Decayed = null, WeightDecay = 0.1 }),
        ("zero gamma", recipe => recipe with { ZeroGamma = true }),
        ("weights decay", recipe => recipe.Optimizer == "sgd" ? recipe with { Decayed = "weights", WeightDecay = 0.05 }
            : recipe),
        ("milestones", recipe => recipe with { Schedule = "multistep:1,2" }),
        ("triangle", recipe => recipe with { Schedule = "triangular" }),
        ("nesterov", recipe => recipe.Optimizer == "sgd" ? recipe with { Nesterov = true } : recipe),
        ("betas apart", recipe => recipe with { BetaRate = 4 }),
        ("slow weights", recipe => recipe with { Lookahead = true }),
        ("alternate flips", recipe => recipe.NoFlip ? recipe : recipe with { Flip = "alternate" }),
        ("translation", recipe => recipe with { Translate = 2 }),
        ("views", recipe => recipe with { TestViews = recipe.NoFlip ? "shift" : "flip+shift" }),
        ("another batch", recipe => recipe with { BatchSize = 11 }),
        ("another seed", recipe => recipe with { Seed = 5 }),
    ];

    private static readonly Recipe Plain = new()
    {
        Model = "resnet8",
        Normalization = "batch",
        Epochs = 3,
        BatchSize = 7,
        LearningRate = 0.1
    };

    [Fact]
    public void It_keeps_what_the_loop_keeps_that_one_would_write()
    {
        var given = Arb.From(Gen.Elements(false, true).ArrayOf(Settings.Length), Shrink);
        Prop.ForAll(given, chosen =>
        {
            var recipe = Settings.Zip(chosen).Where(setting => setting.Second)
                .Aggregate(Plain, (recipe, setting) => setting.First.Set(recipe));
            using var folder = RunFolder.Create(runs.PathOf("run"), overwrite: true);
            var run = SmallRun.Begin(recipe, folder, Train, Test);
            var result = run.Train();
            var written = ByHand(recipe, run.Images);
            var (weights, accuracy, _) = written.Run();
            var what = string.Join(", ", Settings.Zip(chosen).Where(setting => setting.Second)
                .Select(setting => setting.First.Name));
            var kept = ModelSpec.Rebuild(folder.WeightsPath).State.Select(parameter => parameter.Value.ToFloats())
                .ToArray();
            for (var i = 0; i < weights.Length; i++)
                Assert.True(weights[i].AsSpan().SequenceEqual(kept[i]),
                    $"{what}: {run.Model.State[i].Name} is another one");
            Assert.Equal(accuracy, result.TestAccuracy);
            Assert.Equal(recipe.TestViews is { } views
                ? Test.Accuracy(TestViews.Named(views)!.Over(written.Model.Apply)) : null, result.ViewsAccuracy);
            var last = JsonNode.Parse(File.ReadLines(Path.Combine(folder.FolderPath, "metrics.jsonl")).Last())!;
            Assert.Equal(written.LastEpoch,
                (last["train_loss"]!.GetValue<double>(), last["train_accuracy"]!.GetValue<double>(),
                    last["learning_rate"]!.GetValue<double>()));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

        static IEnumerable<bool[]> Shrink(bool[] chosen) => Enumerable.Range(0, chosen.Length).Where(i => chosen[i])
            .Select(i => (bool[])[.. chosen[..i], false, .. chosen[(i + 1)..]]);
    }

    private static WrittenRun ByHand(Recipe recipe, RunImages images)
    {
        Func<int, Normalization?> normalization = channels =>
            recipe.Normalization == "batch" ? new BatchNorm(channels) : new GroupNorm(channels, GroupSpec.Count(4));
        var model = ResNet.Cifar(8, normalization, classes: 3, recipe.Seed, recipe.ZeroGamma, inputs: 1);
        var (isAdam, onlyWeights) =
            (recipe.Optimizer == "adamw", recipe.Decayed == "weights" || recipe.Optimizer == "adamw");
        var decay = recipe.WeightDecay ?? 5e-4;
        ParameterGroup[] groups = onlyWeights
            ? [new([.. model.Parameters.Where(p => p.Shape.Rank > 1)], decay),
                new([.. model.Parameters.Where(p => p.Shape.Rank <= 1)])]
            : [new(model.Parameters, decay)];
        if (recipe.BetaRate is { } factor)
        {
            bool IsBeta(Parameter p) => p.Name.Contains("bn") && p.Name.EndsWith("bias");
            groups = [.. groups.Select(group =>
                group with { Parameters = [.. group.Parameters.Where(p => !IsBeta(p))] }),
                .. groups.Select(group => new ParameterGroup([.. group.Parameters.Where(IsBeta)],
                    group.WeightDecay / factor, factor))];
        }
        var batches = images.Train.Count / recipe.BatchSize!.Value;
        var steps = 3 * batches / recipe.Accumulate;
        return new WrittenRun(images.Train, images.Test, model, isAdam ? new AdamW(groups)
            : new Sgd(groups, momentum: 0.9, recipe.Nesterov == true),
            recipe.Schedule is null ? LearningRate.Cosine(0.1, steps, warmup: 0.05)
                : recipe.Schedule == "triangular" ? LearningRate.Triangular(0.1, steps)
                : LearningRate.MultiStep(0.1, [batches / recipe.Accumulate, 2 * batches / recipe.Accumulate],
                    steps: steps, warmup: 0.05),
            (recipe.NoFlip ? Augment.Crop(4) : Augment.CropAndFlip) with
            {
                Cutout = recipe.Cutout,
                Alternates = recipe.Flip == "alternate",
                Padding = recipe.Translate ?? 4,
                Reflects = recipe.Translate is not null,
            })
        {
            Epochs = 3,
            Batch = recipe.BatchSize.Value,
            Seed = recipe.Seed,
            Together = recipe.Accumulate,
            Smoothing = recipe.LabelSmoothing ?? 0,
            Mixup = recipe.Mixup,
            Average = recipe.Average,
            Lookahead = recipe.Lookahead == true,
            Validation = images.Validation,
        };
    }

    // What a callback throws is no matter of the checkpoint.
    [Theory]
    [InlineData("value")]
    [InlineData("from")]
    public void An_error_of_a_callback_passes_as_it_is(string name)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        SmallRun.Begin(Plain, folder, Train, Test);
        var run = SmallRun.GoOn(folder, Train, Test);
        run.AfterStep = _ => throw new ArgumentException("of the callback", name);
        Assert.StartsWith("of the callback", Assert.Throws<ArgumentException>(() => run.Train()).Message);
    }

    // As when the disk is full: what is there is a run that goes on, or none, so that the same command can be given
    // again.
    [Fact]
    public void A_run_that_cannot_begin_leaves_no_run()
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        var occupied = Directory.CreateDirectory(Path.Combine(folder.FolderPath, "checkpoint-000000000.safetensors"));
        Assert.ThrowsAny<Exception>(() => SmallRun.Begin(Plain, folder, Train, Test));
        Assert.Null(RunFolder.FindRun(folder.FolderPath));
        occupied.Delete();
        SmallRun.Begin(Plain, folder, Train, Test);
        Assert.NotNull(RunFolder.FindRun(folder.FolderPath));
    }

    [Fact]
    public void Why_a_run_cannot_begin_is_told_even_where_something_of_it_stays()
    {
        Directory.CreateDirectory(Path.Combine(runs.PathOf("run"), "checkpoint-000000000.safetensors"));
        var disk = new FailingDisk(atDelete: new IOException("Not now."));
        using var folder = new RunFolder(runs.PathOf("run"), disk);
        Assert.Contains("checkpoint-000000000.safetensors: cannot be written: it is a folder",
            Assert.Throws<IOException>(() => SmallRun.Begin(Plain, folder, Train, Test)).Message);
    }
}
