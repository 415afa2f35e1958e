using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A run that ends in numbers that are not finite, before or after its first epoch: interrupted anywhere before, it
/// ends as the one that was not, with the same weights.
/// </summary>
public sealed class DivergedRunTests(Xunit.Abstractions.ITestOutputHelper output) : IDisposable
{
    private static readonly (ImageDataset Train, ImageDataset Test) Data =
        (SmallRun.Images(48, seed: 1), SmallRun.Images(20, seed: 2));

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    // The rate rises until no network follows: the higher, the sooner.
    private static Recipe Recipe(string normalization, double rate, int accumulate = 1, int validation = 0,
        double decay = 0, int batch = 4, int epochs = 3) => new()
        {
            Model = "resnet8",
            Normalization = normalization,
            Epochs = epochs,
            BatchSize = batch,
            LearningRate = rate,
            Warmup = 1,
            WeightDecay = decay,
            Accumulate = accumulate,
            Validation = validation,
        };

    [Theory]
    [InlineData("none", 1e6, 1, 0)]
    [InlineData("none", 1e6, 2, 0)]
    [InlineData("none", 1e3, 1, 8)]
    [InlineData("none", 1e2, 3, 0)]
    [InlineData("none", 20, 1, 0)]
    [InlineData("batch", 1e6, 1, 0, 1e6)]
    [InlineData("none", 1e6, 1, 0, 0, 24)]      // an epoch whose loss is none, then a loss
    [InlineData("none", 1e6, 1, 0, 0, 48, 1)]   // an epoch whose loss is none, and no further step
    [InlineData("none", 4, 1, 0, 0, 12, 6)]     // in a later epoch
    [InlineData("none", 4, 1, 8, 0, 10, 6)]
    public void It_leaves_the_same_files_wherever_it_was_interrupted(string normalization, double rate, int accumulate,
        int validation, double decay = 0, int batch = 4, int epochs = 3)
    {
        var recipe = Recipe(normalization, rate, accumulate, validation, decay, batch, epochs);
        foreach (var seconds in (double[])[0, 1e6])
        {
            var batches = 0;
            using (var folder = RunFolder.Create(runs.PathOf("whole"), overwrite: true))
            {
                var run = SmallRun.Begin(recipe, folder, Data.Train, Data.Test);
                run.SecondsBetweenCheckpoints = seconds;
                run.AfterStep = _ => batches++;
                output.WriteLine($"{batches} batches: " + Assert.Throws<NonFiniteException>(() => run.Train()).Message);
            }
            var whole = runs.Files("whole");
            for (var last = 1; last <= batches; last++)
            {
                Assert.True(Interrupted(recipe, seconds, last));
                using (var folder = RunFolder.Reopen(runs.PathOf("run")))
                {
                    var run = SmallRun.GoOn(folder, Data.Train, Data.Test);
                    run.SecondsBetweenCheckpoints = seconds;
                    Assert.Throws<NonFiniteException>(() => run.Train());
                }
                foreach (var (file, content) in whole)
                    // A run without checkpoints between keeps other ones.
                    if (seconds == 0 || !file.StartsWith("checkpoint-", StringComparison.Ordinal))
                        Assert.True(runs.Files("run").TryGetValue(file, out var other) && other == content,
                            $"interrupted after batch {last} of {batches}: {file} is another one");
            }
        }
    }

    private bool Interrupted(Recipe recipe, double seconds, int last)
    {
        using var folder = RunFolder.Create(runs.PathOf("run"), overwrite: true);
        using var stop = new CancellationTokenSource();
        var run = SmallRun.Begin(recipe, folder, Data.Train, Data.Test);
        run.SecondsBetweenCheckpoints = seconds;
        run.AfterStep = _ =>
        {
            if (--last == 0) stop.Cancel();
        };
        return !run.Train(stop.Token).IsComplete;
    }

    // The weights before the first step have no statistics yet, and their file says so.
    [Fact]
    public void Weights_from_before_the_first_step_are_said_to_be_so()
    {
        var recipe = Recipe("batch", 1e6, decay: 1e6) with { Warmup = 0, Schedule = "constant" };
        foreach (var isInterrupted in (bool[])[false, true])
        {
            if (isInterrupted) Assert.True(Interrupted(recipe, 0, last: 1));
            using (var folder = isInterrupted ? RunFolder.Reopen(runs.PathOf("run"))
                : RunFolder.Create(runs.PathOf("run"), overwrite: true))
            {
                var run = isInterrupted ? SmallRun.GoOn(folder, Data.Train, Data.Test)
                    : SmallRun.Begin(recipe, folder, Data.Train, Data.Test);
                Assert.Throws<NonFiniteException>(() => run.Train());
            }
            Assert.All(ModelSpec.Rebuild(Path.Combine(runs.PathOf("run"), "model.safetensors")).Modules
                .OfType<BatchNorm>(), layer => Assert.Equal(0, layer.Running!.Count));
        }
    }
}
