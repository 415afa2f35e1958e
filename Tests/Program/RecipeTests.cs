using System.Text.Json.Nodes;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// What 'train' computes, against the same run written out from the parts of the library: the same weights, bit for
/// bit.
/// </summary>
public sealed class RecipeTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    // Every option, so that what a recipe below leaves out is no default. On 80 images an epoch has 5 batches.
    private static readonly Dictionary<string, string> Plain = new()
    {
        ["--model"] = "resnet8",
        ["--norm"] = "batch",
        ["--epochs"] = "2",
        ["--batch"] = "16",
        ["--train-limit"] = "80",
        ["--test-limit"] = "30",
        ["--seed"] = "1",
        ["--optimizer"] = "sgd",
        ["--lr"] = "0.05",
        ["--schedule"] = "constant",
        ["--warmup"] = "0",
        ["--momentum"] = "0",
        ["--nesterov"] = "false",
        ["--weight-decay"] = "0",
        ["--beta-rate"] = "1",
        ["--zero-gamma"] = "false",
        ["--accumulate"] = "1",
        ["--average"] = "0",
        ["--lookahead"] = "false",
        ["--label-smoothing"] = "0",
        ["--no-flip"] = "false",
        ["--strict"] = "false",
        ["--cutout"] = "0",
        ["--mixup"] = "0",
        ["--validation"] = "0",
        ["--tta"] = "none",
    };

    // What differs from it; null where an option has no meaning.
    private static readonly Dictionary<string, string?> Steps = new()
    {
        ["--epochs"] = "4",
        ["--schedule"] = "multistep:1,3",
        ["--warmup"] = "0.3",
        ["--momentum"] = "0.8",
        ["--weight-decay"] = "0.01",
        ["--decay"] = "all",
        ["--accumulate"] = "2",
        ["--label-smoothing"] = "0.1",
        ["--no-flip"] = "true",
        ["--seed"] = "3",
    };

    private static readonly Dictionary<string, string?> Cycle = new()
    {
        ["--model"] = "resnet14",
        ["--norm"] = "group:4",
        ["--optimizer"] = "adamw",
        ["--lr"] = "0.002",
        ["--schedule"] = "one-cycle",
        ["--warmup"] = null,
        ["--momentum"] = null,
        ["--nesterov"] = null,
        ["--weight-decay"] = "0.1",
        ["--decay"] = "weights",
        ["--average"] = "0.9",
        ["--mixup"] = "0.2",
        ["--zero-gamma"] = "true",
        ["--cutout"] = "8",
        ["--test-limit"] = "50",
    };

    private static readonly Dictionary<string, string?> Held = new()
    {
        ["--norm"] = "layer",
        ["--epochs"] = "4",
        ["--optimizer"] = "adam",
        ["--lr"] = "0.003",
        ["--schedule"] = "cosine",
        ["--warmup"] = "0.5",
        ["--momentum"] = null,
        ["--nesterov"] = null,
        ["--weight-decay"] = "0.01",
        ["--decay"] = "all",
        ["--validation"] = "30",
        ["--train-limit"] = "96",
        ["--batch"] = "22",
    };

    private static readonly Dictionary<string, string?> Own = new()
    {
        ["--data"] = "pictures",
        ["--size"] = "12",
        ["--strict"] = "true",
        ["--warmup"] = "0.5",
        ["--batch"] = "8",
        ["--train-limit"] = null,
        ["--test-limit"] = null,
    };

    private static readonly Dictionary<string, string?> Minutes = new()
    {
        ["--epochs"] = "3",
        ["--schedule"] = "triangular",
        ["--warmup"] = "0.4",
        ["--momentum"] = "0.85",
        ["--nesterov"] = "true",
        ["--weight-decay"] = "0.01",
        ["--beta-rate"] = "8",
        ["--lookahead"] = "true",
        ["--flip"] = "alternate",
        ["--translate"] = "2",
        ["--tta"] = "flip+shift",
    };

    [Fact]
    public void Every_option_is_in_one_of_the_recipes()
    {
        var tried = ((Dictionary<string, string?>[])[Steps, Cycle, Held, Own, Minutes]).SelectMany(recipe => recipe)
            .Where(option => option.Value is not null)
            .Select(option => option.Key).Distinct();
        Assert.Equal(TrainOptions.Settings.Values.Select(option => option.Name).Order(),
            tried.Except(["--data"]).Order());
    }

    [Fact]
    public void Sgd_by_milestones_with_gradients_of_two_batches()
    {
        var (train, test) = Shapes10.Load(80, 30);
        var model = ResNet.Cifar(8, channels => new BatchNorm(channels), classes: 10, seed: 3);
        Compare(Steps, new WrittenRun(train, test, model, new Sgd(model.Parameters, momentum: 0.8, weightDecay: 0.01),
            LearningRate.MultiStep(0.05, [2, 7], steps: 10, warmup: 0.3), train.Augment with { Flips = false })
        {
            Epochs = 4,
            Together = 2,
            Seed = 3,
            Smoothing = 0.1,
        });
    }

    [Fact]
    public void AdamW_in_one_cycle_on_mixed_images_with_averages()
    {
        var (train, test) = Shapes10.Load(80, 50);
        var model = ResNet.Cifar(14, channels => new GroupNorm(channels, GroupSpec.Count(4)), classes: 10, seed: 1,
            zeroGamma: true);
        ParameterGroup[] groups =
        [
            new([.. model.Parameters.Where(parameter => parameter.Shape.Rank > 1)], WeightDecay: 0.1),
            new([.. model.Parameters.Where(parameter => parameter.Shape.Rank == 1)]),
        ];
        Compare(Cycle, new WrittenRun(train, test, model, new AdamW(groups), LearningRate.OneCycle(0.002, 10),
            train.Augment with { Cutout = 8 })
        {
            Average = 0.9,
            Mixup = 0.2,
        });
    }

    [Fact]
    public void Adam_along_a_cosine_with_images_held_apart()
    {
        var (all, test) = Shapes10.Load(96, 30);
        var (train, held) = all.Split(30);
        var model = ResNet.Cifar(8, channels => new LayerNorm(channels), classes: 10, seed: 1);
        Compare(Held, new WrittenRun(train, test, model, new Adam(model.Parameters, weightDecay: 0.01),
            LearningRate.Cosine(0.003, 12, warmup: 0.5), train.Augment)
        { Epochs = 4, Batch = 22, Validation = held });
    }

    [Fact]
    public void Nesterov_in_a_triangle_with_slow_weights_and_six_views()
    {
        var (train, test) = Shapes10.Load(80, 30);
        var model = ResNet.Cifar(8, channels => new BatchNorm(channels), classes: 10, seed: 1);
        bool IsBeta(Parameter parameter) => parameter.Name.Contains("bn") && parameter.Name.EndsWith("bias");
        ParameterGroup[] groups = [new([.. model.Parameters.Where(parameter => !IsBeta(parameter))], 0.01),
            new([.. model.Parameters.Where(IsBeta)], 0.01 / 8, 8)];
        Compare(Minutes, new WrittenRun(train, test, model, new Sgd(groups, momentum: 0.85, nesterov: true),
            LearningRate.Triangular(0.05, 15, rise: 0.4),
            Augment.Crop(2) with { Reflects = true, Flips = true, Alternates = true })
        {
            Epochs = 3,
            Lookahead = true,
        }, TestViews.All);
    }

    [Fact]
    public void A_folder_of_images_of_a_size()
    {
        var random = new Random(1);
        for (var i = 0; i < 40; i++)
        {
            var folder = Directory.CreateDirectory(program.PathOf("pictures", i % 2 == 0 ? "dark" : "light")).FullName;
            var pixels = new byte[20 * 15 * 3];
            foreach (ref var pixel in pixels.AsSpan()) pixel = (byte)(i % 2 * 60 + random.Next(150));
            File.WriteAllBytes(Path.Combine(folder, $"{i}.png"), ImageFile.Encode(new Picture(20, 15, 3, pixels)));
        }
        var (train, test) = ImageFolder.Load(program.PathOf("pictures"), side: 12);
        Assert.InRange(train.Count, 16, 39);
        var model = ResNet.Cifar(8, channels => new BatchNorm(channels), classes: 2, seed: 1);
        Compare(Own, new WrittenRun(train, test, model, new Sgd(model.Parameters),
            LearningRate.Constant(0.05, steps: train.Count / 8 * 2, warmup: 0.5), train.Augment)
        { Batch = 8 });
    }

    private void Compare(Dictionary<string, string?> recipe, WrittenRun written, TestViews? views = null)
    {
        var options =
            new Dictionary<string, string?>(Plain.Select(option =>
                KeyValuePair.Create(option.Key, (string?)option.Value)));
        foreach (var (name, value) in recipe) options[name] = value;
        var given = options.Where(option => option.Value is not null).Select(option => $"{option.Key} {option.Value}");
        var outcome = program.Run($"train --out run {string.Join(' ', given)}");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var (weights, accuracy, _) = written.Run();
        Assert.Equal(weights, ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")).State.Select(parameter =>
            parameter.Value.ToFloats()));
        Assert.Equal(FormattableString.Invariant($"test accuracy: {accuracy:F4}"),
            outcome.Lines[views is null ? ^1 : ^2]);
        if (views is not null)
            Assert.Equal(FormattableString.Invariant(
                $"test accuracy with --tta {views}: {written.Test.Accuracy(views.Over(written.Model.Apply)):F4}"),
                outcome.Lines[^1]);
        var last = JsonNode.Parse(File.ReadLines(program.PathOf("run", "metrics.jsonl")).Last())!;
        Assert.Equal(written.LastEpoch,
            (last["train_loss"]!.GetValue<double>(), last["train_accuracy"]!.GetValue<double>(),
                last["learning_rate"]!.GetValue<double>()));
    }
}
