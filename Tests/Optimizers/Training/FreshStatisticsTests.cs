using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// Running statistics that have seen no batch say so, in every file of a run and however often it is interrupted: a
/// network is not evaluated by them.
/// </summary>
public sealed class FreshStatisticsTests : IDisposable
{
    private static readonly (ImageDataset Train, ImageDataset Test) Data =
        (SmallRun.Images(40, seed: 1), SmallRun.Images(20, seed: 2));

    private readonly SmallRun runs = new();

    public void Dispose() => runs.Dispose();

    // The first step is taken after the third batch.
    private static Recipe Recipe(double average) => new()
    {
        Model = "resnet8",
        Normalization = "batch",
        Epochs = 2,
        BatchSize = 8,
        Accumulate = 3,
        Average = average,
        Lookahead = true,
    };

    private static IEnumerable<bool> AreFresh(Module model) =>
        model.Modules.OfType<BatchNorm>().Select(layer => layer.Running!.Count == 0);

    // Up to the end of a batch, which saves what there is.
    private static void Interrupt(Run run, int batches)
    {
        using var stop = new CancellationTokenSource();
        run.AfterStep = _ =>
        {
            if (--batches == 0) stop.Cancel();
        };
        Assert.False(run.Train(stop.Token).IsComplete);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.9)]
    public void They_say_so_until_the_first_step_through_any_number_of_interruptions(double average)
    {
        using (var folder = RunFolder.Create(runs.PathOf("run")))
        {
            var run = SmallRun.Begin(Recipe(average), folder, Data.Train, Data.Test);
            Interrupt(run, batches: 1);
            AssertAre(true, run);
        }
        for (var batches = 1; batches <= 3; batches++)
            using (var folder = RunFolder.Reopen(runs.PathOf("run")))
            {
                var run = SmallRun.GoOn(folder, Data.Train, Data.Test);
                AssertAre(true, run);
                Interrupt(run, batches);
                AssertAre(batches < 3, run);
            }
        using (var folder = RunFolder.Reopen(runs.PathOf("run")))
            AssertAre(false, SmallRun.GoOn(folder, Data.Train, Data.Test));

        void AssertAre(bool fresh, Run run)
        {
            Assert.All(AreFresh(run.Model), isFresh => Assert.Equal(fresh, isFresh));
            var kept = ModelSpec.Rebuild(Path.Combine(runs.PathOf("run"), "model.safetensors"));
            Assert.All(AreFresh(kept), isFresh => Assert.Equal(fresh, isFresh));
            if (fresh) Assert.Throws<InvalidOperationException>(() => Data.Test.Evaluate(kept.Apply));
            else Data.Test.Evaluate(kept.Apply);
        }
    }

    // As 'train --from' has them.
    [Fact]
    public void Those_that_a_run_began_with_are_not_taken_for_fresh_ones()
    {
        var recipe = Recipe(average: 0);
        using (var folder = RunFolder.Create(runs.PathOf("run")))
        {
            var images = RunImages.Of(recipe, Data.Train, Data.Test, folder: null);
            recipe = recipe.Resolve(images.Train);
            var model = recipe.CreateModel(images.Train);
            foreach (var layer in model.Modules.OfType<BatchNorm>())
                layer.RunningMean.Value = Tensor.Full(layer.RunningMean.Shape, 0.5);
            Interrupt(Run.Begin(recipe, images, model, folder), batches: 1);
        }
        for (var i = 0; i < 2; i++)
            using (var folder = RunFolder.Reopen(runs.PathOf("run")))
            {
                var run = SmallRun.GoOn(folder, Data.Train, Data.Test);
                Interrupt(run, batches: 1);
                Assert.DoesNotContain(true, AreFresh(run.Model));
                Assert.DoesNotContain(true, AreFresh(ModelSpec.Rebuild(folder.WeightsPath)));
            }
    }

    // Before a network is measured on the images held apart, it has statistics.
    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void A_budget_is_measured_by_whole_steps(int accumulate)
    {
        var recipe = (Recipe(average: 0.9) with { BatchSize = 4, Accumulate = accumulate }).Resolve(Data.Train);
        Assert.InRange(Budget.Measure(Budget.Range.Least, recipe,
            RunImages.Of(recipe, Data.Train, Data.Test, folder: null)).Epochs, 1, int.MaxValue);
    }
}
