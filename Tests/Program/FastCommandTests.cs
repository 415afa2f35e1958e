using System.Text.Json.Nodes;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// 'train --model fast' and what follows it, end to end; and a budget in the place of a number of epochs.
/// </summary>
public sealed class FastCommandTests : IDisposable
{
    private const string Training = "train --model fast --train-limit 80 --test-limit 20 --epochs 2 --seed 3";

    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private byte[] Weights(string run) => File.ReadAllBytes(program.PathOf(run, "model.safetensors"));

    private JsonNode RecipeOf(string run) =>
        JsonNode.Parse(File.ReadAllText(program.PathOf(run, "run.json")))!["recipe"]!;

    [Theory]
    [InlineData("", "batch:fast")]
    [InlineData("--norm group:8", "group:8")]
    public void Trains_evaluates_predicts_exports_and_goes_on_to_the_same_bytes(string options, string normalization)
    {
        var lines = program.Succeed($"{Training} {options} --checkpoint-every 0 --out run").Lines;
        Assert.StartsWith($"fast with {normalization} normalization, 1,971,352 parameters", lines[1]);
        Assert.Contains("of 80 images, batches of 16 and not of 1024, so that an epoch has 5 steps", lines);
        Assert.Matches(@"^test accuracy: [01]\.[0-9]{4}$", lines[^2]);
        Assert.StartsWith("test accuracy with --tta flip+shift: ", lines[^1]);

        const string weights = "--weights run/model.safetensors";
        Assert.Equal(lines[^2], program.Succeed($"evaluate {weights} --test-limit 20").Lines[^1]);
        Assert.Equal(lines[^1].Replace(" with --tta flip+shift", ""),
            program.Succeed($"evaluate {weights} --test-limit 20 --tta flip+shift").Lines[^1]);
        program.WritePicture("grey.png", new Picture(40, 30, 3, [.. Enumerable.Repeat((byte)99, 3600)]));
        Assert.StartsWith("grey.png\t", program.Succeed($"predict {weights} grey.png").Lines[0]);
        program.Succeed($"export {weights} --out model.onnx --pixels");

        var whole = Weights("run");
        File.Delete(Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*").Order().Last());
        File.Delete(program.PathOf("run", "model.safetensors"));
        var resumed = program.Succeed("train --resume run --threads 1").Lines;
        Assert.StartsWith("run goes on in epoch 2 of 2, after 4 of 5 steps", resumed[0]);
        Assert.Equal(lines[^2..], resumed[^2..]);
        Assert.Equal(whole, Weights("run"));
    }

    // Five steps: the last one moves the slow weights, with which the run ends.
    [Fact]
    public void Equal_seeds_give_equal_bytes_on_any_number_of_threads_and_with_narrower_vectors()
    {
        byte[] Trained(string name, string options, params (string, string)[] environment)
        {
            var outcome = program.Run("train --model fast --train-limit 80 --test-limit 4 --epochs 1 --tta none "
                + $"--out {name} {options}", environment);
            Assert.True(outcome.ExitCode == 0, outcome.Error);
            return Weights(name);
        }
        var first = Trained("a", "--threads 1");
        Assert.Equal(first, Trained("b", "--threads 3"));
        Assert.Equal(first, Trained("c", "", ("DOTNET_EnableAVX512", "0"), ("DOTNET_EnableAVX512F", "0")));
        Assert.NotEqual(first, Trained("d", "--seed 2"));
    }

    [Theory]
    [InlineData(64, 4)]
    [InlineData(80, 5)]
    [InlineData(96, 6)]
    public void However_few_the_steps_are_they_change_the_weights(int images, int steps)
    {
        byte[] Trained(string name, string options)
        {
            var lines = program.Succeed($"train --model fast --train-limit {images} --test-limit 4 --epochs 1 --tta none "
                + $"--out {name} {options}").Lines;
            Assert.Contains(lines, line => line.EndsWith($"so that an epoch has {steps} steps"));
            return Weights(name);
        }
        Assert.NotEqual(Trained("still", "--lr 0"), Trained("moved", ""));
    }

    // A rate of 0 changes nothing: what is saved began with the patches of these images.
    [Fact]
    public void Begins_with_the_patches_of_its_images()
    {
        program.Succeed($"{Training} --epochs 1 --lr 0 --tta none --out run".Replace("--epochs 2 ", ""));
        var whitening = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")).Modules.OfType<Whitening>()
            .Single();
        var images = Shapes10.Load(80, 1).Train;
        var expected = new Whitening(3, 2);
        expected.AdaptTo(images.InOrder(80).Select(batch => batch.Images));
        Assert.Equal(expected.Weight.Value.ToFloats(), whitening.Weight.Value.ToFloats());
    }

    [Fact]
    public void Folders_of_grey_images_of_another_size_and_weights_of_it_go_on()
    {
        for (var i = 0; i < 40; i++)
            program.WritePicture($"photos/{(i % 2 == 0 ? "dark" : "light")}/{i}.png", new Picture(30, 30, 1,
                [.. Enumerable.Range(0, 900).Select(p => (byte)(i % 2 * 120 + (p * (i + 3)) % 90))]));
        program.Succeed("train --model fast --data photos --size 28 --epochs 2 --out run");
        Assert.Equal("28x28", ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")).Metadata["input_size"]);
        Assert.Contains("begins with the weights of run/model.safetensors", program.Succeed(
            "train --from run/model.safetensors --data photos --epochs 1 --out again").Lines);
        Assert.Equal(("fast", "batch:fast", 28), ((string)RecipeOf("again")["model"]!,
            (string)RecipeOf("again")["normalization"]!, (int)RecipeOf("again")["size"]!));
        program.AssertRefused("train --model fast --data photos --size 24 --out small", "--model fast",
            "images of 24x24", "pool");
        Assert.False(Directory.Exists(program.PathOf("small")));
    }

    // ---- --minutes --------------------------------------------------------------------------------------------------

    [Fact]
    public void A_budget_becomes_a_number_of_epochs_with_which_the_run_goes_on()
    {
        const string training = "train --model resnet8 --norm batch --batch 32 --train-limit 128 --test-limit 20";
        var lines = program.Succeed($"{training} --minutes 0.0001 --checkpoint-every 0 --out run").Lines;
        Assert.Matches(@"an epoch takes about [0-9]+\.[0-9] seconds here, 0\.0001 minutes are not enough for one",
            lines[2]);
        Assert.Equal(1, (int)RecipeOf("run")["epochs"]!);
        // The look at the first steps leaves no trace.
        program.Succeed($"{training} --epochs 1 --out plain");
        Assert.Equal(Weights("plain"), Weights("run"));
        program.Succeed("train --resume run");
        program.AssertRefused($"{training} --minutes 1 --epochs 2 --out no", "--epochs: --minutes says");
        program.AssertRefused($"{training} --minutes 1 --schedule multistep:1 --out no", "--minutes: the milestones");
        program.AssertRefused("train --resume run --minutes 1", "--minutes: a run goes on");
        Assert.False(Directory.Exists(program.PathOf("no")));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void What_is_no_time_is_refused(double minutes)
    {
        var (train, test) = Shapes10.Load(40, 10);
        var recipe = new Recipe { Model = "resnet8" }.Resolve(train);
        Assert.Equal("minutes", Assert.Throws<ArgumentOutOfRangeException>(() =>
            Budget.Measure(minutes, recipe, RunImages.Of(recipe, train, test, folder: null))).ParamName);
    }

    // An epoch takes 3 steps of 2 s and a look at 10 images of 0.1 s each, 7 s; 4 s have passed, and the look at 20 images
    // in the end takes 2.
    [Theory]
    [InlineData(62.1, 8, true)]
    [InlineData(61.9, 7, true)]
    [InlineData(13.1, 1, true)]
    [InlineData(12.9, 1, false)]
    [InlineData(0.006, 1, false)]
    public void As_many_epochs_as_fit(double seconds, int epochs, bool isEnough) => Assert.Equal(
        new Budget(epochs, 7, isEnough), Budget.Of(seconds / 60, 4, new(3, 2), new(10, 0.1), new(20, 0.1)));

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public void No_more_epochs_than_have_steps_that_can_be_counted(int steps) => Assert.Equal(int.MaxValue / steps,
        Budget.Of(1e6, 0, new(steps, 1e-300), new(10, 1e-300), new(20, 0)).Epochs);
}
