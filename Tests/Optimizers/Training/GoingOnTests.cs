using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A run that was interrupted anywhere and goes on from a file ends as the one that was not: the same weights, the same
/// figures.
/// </summary>
public sealed class GoingOnTests : IDisposable
{
    private const int Epochs = 3, Size = 8, PerEpoch = 4;
    private static readonly (ImageDataset Train, ImageDataset Test) Data = Shapes10.Load(34, 10);
    private static readonly LearningRate Rate = LearningRate.Cosine(0.05, steps: Epochs * PerEpoch, warmup: 0.2);
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-test-").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    // A model, its training, and what was seen of it.
    private sealed class Training
    {
        public readonly Module Model = new Sequential(
            new Conv2d(3, 4, 5, new RandomSource(1), stride: 4, bias: false), new BatchNorm(4), new Relu(),
            new GlobalAveragePool(), new Dropout(0.2),
            new Linear(4, 10, new RandomSource(2)));
        public readonly Fit Fit;
        public readonly List<(double, double, double, double)> Epochs = [];
        public Action<TrainingProgress> AfterStep = _ => { };

        public Training(string optimizer, int accumulate, double average, bool lookahead = false)
        {
            Optimizer steps = optimizer switch
            {
                "sgd" => new Sgd(Model.Parameters, momentum: 0.9, weightDecay: 1e-3),
                "plain" => new Sgd(Model.Parameters),
                "adam" => new Adam(Model.Parameters),
                _ => new AdamW(Model.Parameters),
            };
            Fit = new Fit(Model.Apply, steps, Rate)
            {
                Accumulate = accumulate,
                Lookahead = lookahead ? new Lookahead(Model.State, GoingOnTests.Epochs * PerEpoch / accumulate) : null,
                Average = average > 0 ? new AveragedWeights(Model.State, average) : null,
                Mixup = 0.2,
                AfterStep = now => AfterStep(now),
                AfterEpoch = epoch =>
                {
                    Epochs.Add((epoch.Training.Loss, epoch.Training.Accuracy, epoch.Validation!.Loss,
                        epoch.LearningRate));
                    return true;
                },
            };
        }

        public Parameter[] Values => [.. Model.State, .. Fit.State];

        public bool Run(Position? from = null, CancellationToken cancellation = default) =>
            Fit.Run(Data.Train, Data.Test, GoingOnTests.Epochs, Size, seed: 5, Augment.CropAndFlip, cancellation, from);

        public float[] Numbers() => [.. Values.SelectMany(value => value.Value.ToFloats())];
    }

    [Theory]
    [InlineData("sgd", 1, 0, false)]
    [InlineData("sgd", 3, 0.9, false)]   // 4 batches an epoch: sums pass from one epoch to the next
    [InlineData("sgd", 1, 0, true)]
    [InlineData("plain", 2, 0, true)]
    [InlineData("adam", 1, 0.9, true)]
    [InlineData("adamw", 3, 0, false)]
    public void A_run_that_was_interrupted_anywhere_ends_as_the_one_that_was_not(string optimizer, int accumulate,
        double average, bool lookahead)
    {
        var whole = new Training(optimizer, accumulate, average, lookahead);
        Assert.True(whole.Run());
        for (var last = 1; last <= Epochs * PerEpoch; last++)
        {
            var (interrupted, stop, done) = (new Training(optimizer, accumulate, average, lookahead),
                new CancellationTokenSource(), 0);
            interrupted.AfterStep = now =>
            {
                if (++done == last) stop.Cancel();
            };
            Assert.False(interrupted.Run(cancellation: stop.Token));
            var at = interrupted.Fit.Position;
            Assert.Equal(last / accumulate * accumulate, (at.Epoch - 1) * PerEpoch + at.Batch);
            Assert.Equal(last / accumulate, at.OptimizerCounters[0]);
            var checkpoints = new Checkpoints(folder);
            checkpoints.Clear();
            checkpoints.Save(last, interrupted.Values, new Dictionary<string, string>());

            var resumed = new Training(optimizer, accumulate, average, lookahead);
            checkpoints.Load(checkpoints.Newest()!, resumed.Values);
            Assert.True(resumed.Run(at));
            Assert.Equal(whole.Numbers(), resumed.Numbers());
            Assert.Equal(whole.Fit.Position.OptimizerCounters, resumed.Fit.Position.OptimizerCounters);
            Assert.Equal(whole.Epochs[(at.Epoch - 1)..], resumed.Epochs);
        }
    }

    [Fact]
    public void At_the_end_of_an_epoch_the_next_begins_unless_gradients_wait()
    {
        var (training, places) = (new Training("sgd", 3, 0), new List<(int, int)>());
        var fit = new Fit(training.Model.Apply, new Sgd(training.Model.Parameters), Rate) { Accumulate = 2 };
        Assert.Equal((1, 0), Place(fit));
        fit.Run(Data.Train.Take(24), null, epochs: 2, Size, seed: 1);   // 3 batches an epoch
        Assert.Equal((3, 0), Place(fit));
        training.AfterStep = _ => places.Add(Place(training.Fit));
        training.Run();
        Assert.Equal([(1, 0), (1, 0), (1, 3), (1, 3), (1, 3), (2, 2), (2, 2), (2, 2), (3, 1), (3, 1), (3, 1), (3, 4)],
            places);
        // the last batch makes no step, and never will
        training.Fit.Run(Data.Train, Data.Test, epochs: 1, Size, seed: 1);
        Assert.Equal((2, 0), Place(training.Fit));

        static (int, int) Place(Fit fit) => (fit.Position.Epoch, fit.Position.Batch);
    }

    [Fact]
    public void A_place_that_is_none_and_counters_of_another_model_are_refused()
    {
        var training = new Training("sgd", 1, 0);
        var start = training.Fit.Position;
        foreach (var wrong in (Position[])[start with { Epoch = 0 }, start with { Epoch = 5 },
            start with { Batch = -1 }, start with { Batch = 5 }, start with { Epoch = 4, Batch = 1 },
            start with { AverageSteps = -1 }, start with { AverageSteps = long.MaxValue },
            start with { OptimizerCounters = [.. start.OptimizerCounters.Select(_ => long.MaxValue)] },
            start with { OptimizerCounters = [1, 2] },
            start with { OptimizerCounters = [.. start.OptimizerCounters.Select(_ => -1L)] }])
            Assert.Throws<ArgumentException>(() => training.Run(wrong));
        var before = training.Numbers();
        Assert.True(training.Run(start with { Epoch = 4 }));   // a run that is over
        Assert.Equal(before, training.Numbers());
    }
}
