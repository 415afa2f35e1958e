using System.Text.Json.Nodes;
using Tapegrad.Datasets.Images;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>What 'train' says and does without being asked, where silence would surprise.</summary>
public sealed class TrainWordsTests : IDisposable
{
    private const string Tiny = "train --model resnet8 --norm batch --epochs 1 --train-limit 64 --test-limit 8";

    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private JsonNode RunOf(string folder) => JsonNode.Parse(File.ReadAllText(program.PathOf(folder, "run.json")))!;

    private static float[][] Numbers(string path) =>
        [.. ModelSpec.Rebuild(path).State.Select(parameter => parameter.Value.ToFloats())];

    [Fact]
    public void The_last_lines_say_of_which_images_the_accuracy_is()
    {
        var lines = program.Succeed($"{Tiny} --out run").Lines;
        Assert.Matches(@"^test accuracy: [01]\.[0-9]{4}$", lines[^1]);
        Assert.StartsWith("measured on 8 test images of Shapes10, shapes made by a formula", lines[^2]);
        Assert.Contains("not CIFAR-10", lines[^2]);
        Assert.Equal(lines[^2..], program.Succeed("train --resume run").Lines[^2..]);

        program.BlackCifar10();
        lines = program.Succeed($"{Tiny} --data black --out black-run --validation 32").Lines;
        Assert.Equal("measured on 8 test images of CIFAR-10", lines[^3]);
        Assert.StartsWith("validation accuracy: ", lines[^2]);
    }

    [Fact]
    public void The_options_of_a_run_stand_in_its_folder()
    {
        program.Succeed("train --model vgg --norm group:8 --epochs 1 --train-limit 64 --test-limit 8 --validation 32 "
            + "--seed 5 --batch 8 --out run");
        var run = RunOf("run");
        var expected = JsonNode.Parse("""
            {
              "model": "vgg", "normalization": "group:8", "zero_gamma": false, "epochs": 1, "batch_size": 8, "optimizer": "sgd", "learning_rate": 0.01,
              "schedule": "cosine", "warmup": 0.05, "momentum": 0.9, "nesterov": false, "weight_decay": 0.0005, "decayed": "all", "beta_rate": 1,
              "accumulate": 1, "average": 0, "lookahead": false, "label_smoothing": 0, "size": null, "strict": false, "no_flip": false, "flip": "random",
              "translate": null, "cutout": 0, "mixup": 0, "validation": 32, "test_views": "none", "seed": 5, "train_limit": 64, "test_limit": 8
            }
            """);
        Assert.True(JsonNode.DeepEquals(expected, run["recipe"]), run.ToJsonString());
        Assert.Equal(("Shapes10", 32, 32, 8),
            ((string)run["dataset"]!, (int)run["train_images"]!, (int)run["validation_images"]!,
            (int)run["test_images"]!));
        Assert.True(run["data"] is null && run["from"] is null);
        program.AssertRefused($"{Tiny} --out run", "exists already");
    }

    [Fact]
    public void The_help_says_that_the_rate_belongs_to_the_network() =>
        Assert.Contains("0.05; 0.01 for vgg; 0.002 with adam and adamw", program.Succeed("train --help").Output);

    [Theory]
    [InlineData("train", "layer1=batch,*=group:8")]
    [InlineData("train", "or less where that would make fewer than 4 an epoch")]
    [InlineData("train", "in batches of 1024, 0.5 with normalizations of one sample at a time, in proportion for other batches]")]
    [InlineData("train", "what the environment variable TAPEGRAD_DATA names")]
    [InlineData("evaluate", "what the environment variable TAPEGRAD_DATA names")]
    [InlineData("predict", "JPEG, PNG, WebP, BMP, GIF or TIFF")]
    [InlineData("profile", "--batch <number> images a step [default: 32]")]
    public void The_help_says_what_is_true_of_its_command(string command, string words) =>
        Assert.Contains(words,
            string.Join(' ', program.Succeed($"{command} --help").Output.Split((char[]?)null,
                StringSplitOptions.RemoveEmptyEntries)));

    [Theory]
    [InlineData("resnet50", "ImageNet's ResNet-50")]
    [InlineData("resnet152", "ImageNet's ResNet-152")]
    public void A_network_that_people_take_for_another_one_says_so_once(string model, string words)
    {
        var outcome =
            program.Run($"train --model {model} --norm layer --lr 0 --epochs 1 --batch 2 --train-limit 2 --test-limit 1");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains(words, Assert.Single(outcome.Error.Trim().Split('\n')));
    }

    [Theory]
    [InlineData("resnet34")]
    [InlineData("resnet101")]
    public void A_network_that_is_not_here_is_refused_with_those_that_are(string model) =>
        program.AssertRefused($"train --model {model}", $"--model '{model}'", "resnet20",
            "ImageNet's resnet34, 50, 101 and 152 are not here");

    // Forty-two photos, as somebody has them.
    [Fact]
    public void Few_images_get_smaller_batches_and_a_given_size_is_said_to_be_too_large()
    {
        for (var i = 0; i < 70; i++)
            program.WritePicture($"photos/{(i % 2 == 0 ? "cats" : "dogs")}/{i}.png",
                new Picture(9, 9, 3, [.. Enumerable.Repeat((byte)(i % 2 * 200), 243)]));
        const string photos = "train --data photos --size 8 --model resnet8 --norm batch --epochs 1 --train-limit 42";
        var lines = program.Succeed($"{photos} --out run").Lines;
        Assert.Contains("of 42 images, batches of 8 and not of 32, so that an epoch has 5 steps", lines);
        Assert.Equal(8, (int)RunOf("run")["recipe"]!["batch_size"]!);
        Assert.Matches("^measured on [0-9]+ test images of .*photos$", lines[^2]);
        Assert.Contains("on 42 images of " + program.PathOf("photos"), lines[1]);
        Assert.Contains("--batch 32: of 42 images an epoch has 1 step, and leaves 10 out, others in each. A smaller "
            + "--batch makes more.",
            program.Succeed($"{photos} --batch 32 --out given").Lines);
        Assert.DoesNotContain(program.Succeed($"{photos} --batch 8 --out small").Lines, line =>
            line.Contains("an epoch has"));
    }

    // A question would hold a run that somebody has started and left.
    [Fact]
    public void Nobody_is_asked_for_anything()
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/script")) return;
        var outcome = Cifar10Program.Finish(program.StartInTerminal($"{Tiny} --out run", "dumb"));
        Assert.DoesNotContain("y/n", outcome.Output);
        Assert.Contains("Shapes10 takes its place", outcome.Output);
        Assert.True(File.Exists(program.PathOf("run", "model.safetensors")));
    }

    // ---- --from -----------------------------------------------------------------------------------------------------

    [Fact]
    public void Weights_go_on_in_another_run()
    {
        program.Succeed($"{Tiny} --out first");
        var lines = program.Succeed("train --from first/model.safetensors --lr 0 --epochs 1 --train-limit 64 "
            + "--test-limit 8 --weight-decay 0 --out run").Lines;
        Assert.Contains("begins with the weights of first/model.safetensors", lines);
        Assert.StartsWith("resnet8 with batch normalization", lines[1]);   // neither was given
        // At a rate of 0 they stay; only the running statistics go on.
        var (first, gone) = (Numbers(program.PathOf("first", "model.safetensors")),
            Numbers(program.PathOf("run", "model.safetensors")));
        var trainable = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")).State.Index()
            .Where(pair => pair.Item.IsTrainable);
        Assert.All(trainable, pair => Assert.Equal(first[pair.Index], gone[pair.Index]));
        Assert.Equal(program.PathOf("first", "model.safetensors"), (string)RunOf("run")["from"]!);
        program.Succeed("train --resume run");   // and it goes on without them
    }

    [Fact]
    public void Another_number_of_classes_gets_a_new_last_layer()
    {
        program.Succeed($"{Tiny} --out first");
        for (var i = 0; i < 40; i++)
            program.WritePicture($"photos/{(i % 2 == 0 ? "cats" : "dogs")}/{i}.png",
                new Picture(9, 9, 3, [.. Enumerable.Repeat((byte)(i % 2 * 200), 243)]));
        var lines = program.Succeed("train --from first/model.safetensors --data photos --lr 0 --weight-decay 0 "
            + "--epochs 1 --out run").Lines;
        Assert.Contains(
            "begins with the weights of first/model.safetensors, and a new last layer: 2 classes and not 10", lines);
        var (first, gone) = (ModelSpec.Rebuild(program.PathOf("first", "model.safetensors")),
            ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")));
        foreach (var (before, after) in first.State.Zip(gone.State))
            if (before.Name.StartsWith("fc.", StringComparison.Ordinal)) Assert.Equal(2, after.Shape[-1]);
            else if (before.IsTrainable) Assert.Equal(before.Value.ToFloats(), after.Value.ToFloats());
    }

    [Fact]
    public void Other_networks_are_refused_in_a_line_and_nothing_begins()
    {
        program.Succeed($"{Tiny} --out first");
        const string from = "train --from first/model.safetensors --train-limit 64 --test-limit 8 --epochs 1 --out run";
        program.AssertRefused($"{from} --model resnet14", "its architecture is resnet8, and here resnet14");
        program.AssertRefused($"{from} --norm layer", "its normalization is batch, and here layer");
        program.AssertRefused($"{from} --zero-gamma", "--zero-gamma: the weights of --from");
        program.AssertRefused("train --from nowhere.safetensors --out run",
            "--from: there is no file 'nowhere.safetensors'");
        program.AssertRefused("train --resume first --from first/model.safetensors", "--from: a run goes on");
        File.WriteAllBytes(program.PathOf("cut.safetensors"),
            File.ReadAllBytes(program.PathOf("first", "model.safetensors"))[..1000]);
        program.AssertRefused("train --from cut.safetensors --out run", "cut.safetensors");
        Assert.False(Directory.Exists(program.PathOf("run")));
    }
}
