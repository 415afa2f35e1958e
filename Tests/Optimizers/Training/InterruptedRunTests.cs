using Tapegrad.Datasets;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A run that ends after any of its steps, by request or by a crash, and goes on from its folder: all its files are
/// those of the run that was not interrupted.
/// </summary>
public sealed class InterruptedRunTests : IDisposable
{
    private const int Epochs = 4, PerEpoch = 5;

    private static readonly (ImageDataset Train, ImageDataset Test) Data =
        (SmallRun.Images(52, seed: 1), SmallRun.Images(20, seed: 2));

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    // Three batches a step and five an epoch: gradients wait past the ends of epochs.
    private static Recipe Recipe(int accumulate, int validation) => new()
    {
        Model = "resnet8",
        Normalization = "batch",
        Epochs = Epochs,
        BatchSize = (52 - validation) / PerEpoch,
        Accumulate = accumulate,
        Average = 0.9,
        Schedule = "triangular",
        Nesterov = true,
        BetaRate = 8,
        Lookahead = true,
        Flip = "alternate",
        Translate = 2,
        TestViews = "flip+shift",
        Mixup = 0.2,
        Cutout = 2,
        Validation = validation,
    };

    private sealed class Crash : Exception;

    [Theory]
    [InlineData(3, 12)]
    [InlineData(2, 0)]
    [InlineData(1, 12)]
    public void It_goes_on_to_the_same_files(int accumulate, int validation)
    {
        var recipe = Recipe(accumulate, validation);
        foreach (var (name, seconds) in ((string, double)[])[("every", 0), ("rarely", 1e6)])
        {
            var whole = Train(name, recipe, seconds, run => { });
            for (var last = 1; last <= Epochs * PerEpoch; last++)
            {
                using var stop = new CancellationTokenSource();
                AssertGoesOn($"asked to end after step {last}", run => run.AfterStep = At(last, stop.Cancel),
                    stop.Token);
                // What was written before the step is all there is.
                if (seconds == 0)
                    AssertGoesOn($"crashed after step {last}", run =>
                        run.AfterStep = At(last, () => throw new Crash()));
            }
            for (var last = 1; seconds == 0 && last <= Epochs; last++)
                AssertGoesOn($"crashed after epoch {last}", run => run.AfterEpoch = epoch =>
                {
                    if (epoch.Training.Epoch == last) throw new Crash();
                });

            void AssertGoesOn(string what, Action<Run> interrupt, CancellationToken cancellation = default)
            {
                Train("run", recipe, seconds, interrupt, cancellation);
                using (var folder = RunFolder.Reopen(runs.PathOf("run")))
                {
                    var run = SmallRun.GoOn(folder, Data.Train, Data.Test);
                    run.SecondsBetweenCheckpoints = seconds;
                    Assert.True(run.Train().IsComplete);
                }
                var (expected, found) = (whole, runs.Files("run"));
                // A run without checkpoints between keeps the first one, or the one that it went on from.
                if (seconds > 0) (expected, found) = (Newest(expected), Newest(found));
                foreach (var (file, content) in expected)
                    Assert.True(found.TryGetValue(file, out var other) && other == content,
                        $"{name}, {what}: {file} is another one");
                Assert.True(expected.Count == found.Count, $"{name}, {what}: {string.Join(' ', found.Keys)}");
            }
        }
    }

    private static Dictionary<string, string> Newest(Dictionary<string, string> files)
    {
        var old = files.Keys.Where(name => name.StartsWith("checkpoint-", StringComparison.Ordinal)).Order().SkipLast(1)
            .ToArray();
        return files.Where(file => !old.Contains(file.Key)).ToDictionary();
    }

    private static Action<TrainingProgress> At(int last, Action action)
    {
        var done = 0;
        return _ =>
        {
            if (++done == last) action();
        };
    }

    private Dictionary<string, string> Train(string name, Recipe recipe, double seconds, Action<Run> interrupt,
        CancellationToken cancellation = default)
    {
        using (var folder = RunFolder.Create(runs.PathOf(name), overwrite: true))
        {
            var run = SmallRun.Begin(recipe, folder, Data.Train, Data.Test);
            run.SecondsBetweenCheckpoints = seconds;
            interrupt(run);
            try
            {
                run.Train(cancellation);
            }
            catch (Crash)
            {
            }
        }
        return runs.Files(name);
    }
}
