using System.Text.Json.Nodes;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// Which weights a run keeps. The last layer is set by hand, so that an epoch says what the test wants.
/// </summary>
public sealed class KeptWeightsTests : IDisposable
{
    private static readonly ImageDataset Train = SmallRun.Images(48, seed: 1), Test = SmallRun.Images(20, seed: 2);

    private static readonly Recipe Plain = new()
    {
        Model = "resnet8",
        Normalization = "batch",
        Epochs = 3,
        BatchSize = 7,
        LearningRate = 0.1
    };

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    // Of ten images in a row, seven of class a and two of class c. With a rate of 0 nothing but the test changes the
    // network.
    private static readonly int[] Mostly =
        [.. Enumerable.Range(0, 100).Select(i => i % 10 < 7 ? 0 : i % 10 < 8 ? 1 : 2)];
    private static readonly ImageDataset MostlyTrain = SmallRun.Images(100, 3, Mostly),
        MostlyTest = SmallRun.Images(30, 4, Mostly);

    private static void Say(Run run, int label) => run.Model.Modules.OfType<Linear>().Single().Bias!.Value =
        Tensor.From([.. Enumerable.Range(0, 3).Select(k => k == label ? 1e4f : 0)], new Shape(3));

    private static void Spoil(Run run)
    {
        var head = run.Model.Modules.OfType<Linear>().Single();
        head.Weight.Value = Tensor.Full(head.Weight.Shape, double.PositiveInfinity);
    }

    private static float[] Numbers(Module model) =>
        [.. model.State.SelectMany(parameter => parameter.Value.ToFloats())];

    private static Action<TrainingProgress> AtTheEndOf(params (int Epoch, Action Do)[] actions) => now =>
    {
        foreach (var (epoch, action) in actions)
            if (now.Epoch == epoch && now.Step == now.Steps) action();
    };

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void The_accuracies_are_those_of_the_best_epoch_whichever_it_is(int best)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        var run = SmallRun.Begin(Plain with { Validation = 30, Epochs = 4, LearningRate = 0 }, folder, MostlyTrain,
            MostlyTest);
        run.AfterStep =
            AtTheEndOf([.. Enumerable.Range(1, 4)
                .Select(epoch => (epoch, (Action)(() => Say(run, epoch == best ? 0 : 2))))]);
        var result = run.Train();
        var held = run.Images.Validation!;
        Assert.Equal((double)held.Labels.Count(label => label == 0) / held.Count, result.ValidationAccuracy);
        Assert.Equal(0.7, result.TestAccuracy!.Value, 1e-12);
        Assert.Equal(0.7, MostlyTest.Accuracy(ModelSpec.Rebuild(folder.WeightsPath).Apply), 1e-12);
    }

    // Scores that are no numbers are taken for the first class, which is right more often here than what the network
    // says.
    [Theory]
    [InlineData(30, "of the best epoch")]
    [InlineData(0, "saved before")]
    public void Weights_whose_loss_is_no_number_are_not_kept_however_many_images_they_have_right(int validation,
        string kept)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        var (accuracies, good) = (new List<double>(), Array.Empty<float>());
        var run = SmallRun.Begin(Plain with { Validation = validation, Epochs = 4, LearningRate = 0 }, folder,
            MostlyTrain, MostlyTest);
        run.AfterStep = AtTheEndOf((1, () => Say(run, 2)), (2, () => Spoil(run)));
        run.AfterEpoch = epoch =>
        {
            accuracies.Add(epoch.Validation!.Accuracy);
            if (epoch.Training.Epoch == 1) good = Numbers(run.Model);
        };
        var error = Assert.Throws<NonFiniteException>(() => run.Train());
        Assert.Contains("epoch 3", error.Message);
        Assert.Contains(kept, error.Message);
        Assert.True(accuracies[1] > accuracies[0]);
        Assert.Equal(good, Numbers(ModelSpec.Rebuild(folder.WeightsPath)));
        var lines = File.ReadAllLines(Path.Combine(folder.FolderPath, "metrics.jsonl"));
        Assert.Null(JsonNode.Parse(lines[^1])![$"{run.HeldApart}_loss"]);
    }

    [Theory]
    [InlineData(30)]
    [InlineData(0)]
    public void After_a_last_step_that_spoils_the_network_the_weights_before_it_are_kept(int validation)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        var before = Array.Empty<float>();
        var run = SmallRun.Begin(Plain with { Validation = validation, Epochs = 1 }, folder, MostlyTrain, MostlyTest);
        run.AfterStep = now =>
        {
            if (now.Step == now.Steps - 1) before = Numbers(run.Model);
            if (now.Step == now.Steps) Spoil(run);
        };
        var error = Assert.Throws<NonFiniteException>(() => run.Train());
        Assert.Contains($"after the last step the {run.HeldApart} loss is not finite. The weights of the step before "
            + "are kept.", error.Message);
        Assert.Equal(before, Numbers(ModelSpec.Rebuild(folder.WeightsPath)));
    }

    // Those of an epoch are measured; and what is kept does not depend on where a run was stopped.
    [Theory]
    [InlineData(0, 5, "of the last step", 5)]
    [InlineData(0, 6, "of the last step", 6)]
    [InlineData(0, 7, "of the last epoch", 6)]
    [InlineData(0, 17, "of the last epoch", 12)]
    [InlineData(13, 4, "of the last step", 4)]
    [InlineData(13, 7, "of the best epoch", 5)]
    public void A_run_that_is_stopped_says_which_weights_are_kept(int validation, int last, string words, int step)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"));
        using var stop = new CancellationTokenSource();
        var run = SmallRun.Begin(Plain with { Validation = validation }, folder, Train, Test);
        var (done, expected) = (0, Array.Empty<float>());
        run.AfterStep = _ =>
        {
            if (++done == step) expected = Numbers(run.Model);
            if (done == last) stop.Cancel();
        };
        Assert.Equal(words, run.Train(stop.Token).Kept);
        Assert.Equal(expected, Numbers(ModelSpec.Rebuild(folder.WeightsPath)));

        // Where they are lost, those that are there; the best are missed, and behind an epoch its own come first.
        if (validation > 0 || last % 6 == 0) return;
        File.Delete(folder.WeightsPath);
        run = SmallRun.GoOn(folder, Train, Test);
        Assert.Equal("of the last step", run.Train(stop.Token).Kept);
        Assert.Equal(Numbers(run.Model), Numbers(ModelSpec.Rebuild(folder.WeightsPath)));
    }
}
