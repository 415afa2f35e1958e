using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>The training loop against the same steps written out, and what each of its options changes.</summary>
public sealed class FitTests
{
    private static readonly (ImageDataset Train, ImageDataset Test) Data = Shapes10.Load(50, 30);
    private static readonly LearningRate Rate = LearningRate.Cosine(0.1, steps: 24, warmup: 0.2);

    private static Sequential Model(bool batchNorm = true) => new(
        new Conv2d(3, 4, 5, new RandomSource(1), stride: 4, bias: false),
        batchNorm ? new BatchNorm(4) : new GroupNorm(4, GroupSpec.Count(2)),
        new Relu(), new GlobalAveragePool(), new Linear(4, 10, new RandomSource(2)));

    private static Sgd Sgd(Module model) => new(model.Parameters, momentum: 0.9, weightDecay: 1e-3);

    private static float[] Values(Module model) => [.. model.State.SelectMany(parameter => parameter.Value.ToFloats())];

    [Fact]
    public void It_is_the_loop_that_one_would_write()
    {
        var (written, fitted) = (Model(), Model());
        var (optimizer, epochs, steps) = (Sgd(written), new List<Epoch>(), new List<TrainingProgress>());
        double[] weights = [1, 2, 0.5, 1, 3, 1, 0.1, 1, 1, 2];
        var fit = new Fit(fitted.Apply, Sgd(fitted), Rate)
        {
            LabelSmoothing = 0.1,
            ClassWeights = weights,
            AfterStep = steps.Add,
            AfterEpoch = epoch =>
            {
                epochs.Add(epoch);
                return true;
            },
        };
        Assert.True(fit.Run(Data.Train, Data.Test, epochs: 2, batchSize: 16, seed: 5, Augment.CropAndFlip));
        for (var epoch = 1; epoch <= 2; epoch++)
        {
            var (loss, right) = (0.0, 0);
            foreach (var batch in Data.Train.Batches(16, epochs: 1, seed: 5, Augment.CropAndFlip, firstEpoch: epoch))
            {
                using var tape = Tape.Training(batch.Random);
                var logits = written.Apply(batch.Images);
                var mean = logits.CrossEntropy(batch.Labels, 0.1, weights);
                loss += mean.ToDouble() * 16;
                right += Evaluation.CountCorrect(logits, batch.Labels);
                optimizer.Step(tape.Gradients(mean), Rate[batch.Step]);
                var now = steps[batch.Step];
                Assert.Equal((epoch, batch.Step % 3 + 1, 3), (now.Epoch, now.Step, now.Steps));
                Assert.Equal(loss / 16 / now.Step, now.Loss, 1e-12);
                Assert.Equal(right / 16.0 / now.Step, now.Accuracy);
                Assert.True(now.ImagesPerSecond > 0);
            }
            var result = epochs[epoch - 1];
            Assert.Equal(steps[3 * epoch - 1], result.Training);
            Assert.Equal(Rate[3 * epoch - 1], result.LearningRate);
            if (epoch == 2) Assert.Equal(Data.Test.Evaluate(written.Apply).Loss, result.Validation!.Loss);
        }
        Assert.Equal((6, 2), (steps.Count, epochs.Count));
        Assert.Equal(Values(written), Values(fitted));
    }

    // Two batches of 8 are the images of one batch of 16, in the same order. GroupNorm looks at each image alone.
    [Fact]
    public void Accumulated_batches_make_the_step_of_one_large_batch()
    {
        float[] Train(int size, int together)
        {
            var model = Model(batchNorm: false);
            new Fit(model.Apply, Sgd(model), Rate) { Accumulate = together }
                .Run(Data.Train.Take(48), null, epochs: 2, size, seed: 3, Augment.CropAndFlip);
            return Values(model);
        }
        var large = Train(16, 1);
        Assert.All(large.Zip(Train(8, 2)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        Assert.Contains(large.Zip(Train(8, 1)), pair => Math.Abs(pair.First - pair.Second) > 1e-3);
        Assert.All(large.Zip(Train(4, 4)), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
    }

    [Fact]
    public void An_epochs_learning_rate_is_that_of_its_last_step()
    {
        for (var together = 1; together <= 5; together++)
        {
            var (model, epochs) = (Model(), 0);
            var sgd = Sgd(model);
            new Fit(model.Apply, sgd, Rate)
            {
                Accumulate = together,
                AfterEpoch = epoch =>
                {
                    // of the first one, where none was taken yet
                    Assert.Equal(Rate[Math.Max(0, (int)sgd.Counters[0] - 1)], epoch.LearningRate);
                    return ++epochs < 4;
                },
            }.Run(Data.Train, null, epochs: 4, batchSize: 16, seed: 3);   // 3 batches an epoch
            Assert.Equal(4, epochs);
        }
    }

    [Fact]
    public void Batches_that_do_not_make_a_step_change_nothing()
    {
        var model = Model();
        var before = Values(model);
        new Fit(model.Apply, Sgd(model), Rate) { Accumulate = 4 }.Run(Data.Train, null, epochs: 1, batchSize: 16,
            seed: 3);
        Assert.Equal(before, Values(model));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            new Fit(model.Apply, Sgd(model), Rate) { Accumulate = 0 }.Run(Data.Train, null, 1, 16, 3));
    }

    [Fact]
    public void Images_held_apart_that_are_none_are_refused_before_the_first_step()
    {
        var (model, steps) = (Model(), 0);
        var before = Values(model);
        Assert.Equal("validation", Assert.Throws<ArgumentException>(() =>
            new Fit(model.Apply, Sgd(model), Rate) { AfterStep = _ => steps++ }
                .Run(Data.Train, Data.Test.Take(0), epochs: 1, batchSize: 16, seed: 3)).ParamName);
        Assert.Equal(0, steps);
        Assert.Equal(before, Values(model));
    }

    [Fact]
    public void Averages_are_taken_after_every_step_and_used_in_validation()
    {
        var model = Model();
        var average = new AveragedWeights(model.State, 0.9);
        Evaluation? seen = null;
        var fit = new Fit(model.Apply, Sgd(model), Rate)
        {
            Average = average,
            AfterEpoch = epoch =>
            {
                seen = epoch.Validation;
                return true;
            },
        };
        fit.Run(Data.Train, Data.Test, epochs: 2, batchSize: 16, seed: 3);
        Assert.Equal(6, average.Steps);
        Assert.NotEqual(Data.Test.Evaluate(model.Apply).Loss, seen!.Loss);
        using (average.Use()) Assert.Equal(Data.Test.Evaluate(model.Apply).Loss, seen.Loss);
    }

    // The root's slope at 0 is not finite, the loss is.
    [Fact]
    public void A_step_that_is_skipped_is_not_averaged()
    {
        var p = new Parameter("p", Tensor.Zeros(new Shape(10)));
        var average = new AveragedWeights([p], 0.5);
        var sgd = new Sgd([p]) { OnNonFinite = NonFinite.Skip };
        new Fit(images => Tensor.Zeros(new Shape(images.Shape[0], 10)) + p.Value.Sqrt(), sgd,
            Rate)
        { Average = average }
            .Run(Data.Train, null, epochs: 1, batchSize: 16, seed: 3);
        Assert.Equal((0L, 0L), (sgd.Steps, average.Steps));
    }

    [Fact]
    public void A_callback_or_a_cancellation_ends_it()
    {
        var (model, epochs, steps) = (Model(), 0, 0);
        using var cancel = new CancellationTokenSource();
        Fit Counting(int last) => new(model.Apply, Sgd(model), Rate)
        {
            AfterStep = _ =>
            {
                if (++steps == last) cancel.Cancel();
            },
            AfterEpoch = _ => ++epochs < 2,
        };
        Assert.True(Counting(int.MaxValue)
            .Run(Data.Train, null, epochs: 9, batchSize: 16, seed: 3, cancellation: cancel.Token));
        Assert.Equal((2, 6), (epochs, steps));
        (epochs, steps) = (0, 0);
        Assert.False(Counting(4).Run(Data.Train, null, epochs: 9, batchSize: 16, seed: 3, cancellation: cancel.Token));
        Assert.Equal((1, 4), (epochs, steps));
    }

    [Fact]
    public void A_loss_that_is_not_finite_is_named_with_its_layer_and_no_step_is_taken()
    {
        var model = Model();
        model.Children.OfType<Linear>().Single().Weight.Value = Tensor.Full(new Shape(4, 10), double.PositiveInfinity);
        var before = Values(model);
        var error = Assert.Throws<NonFiniteException>(() =>
            new Fit(model.Apply, Sgd(model), Rate).Run(Data.Train, null, 1, 16, 3));
        Assert.Contains("the loss of step 0 (epoch 1) is NaN", error.Message);
        Assert.Contains("weight", error.Message);
        Assert.Equal(before, Values(model));
        Assert.Null(Tape.Current);
    }
}
