using System.Diagnostics;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>What an epoch came to. The rate is that of its last step; images per second counts training alone, seconds
/// everything.</summary>
internal sealed record Epoch(int Number, double TrainLoss, double TrainAccuracy, double TestLoss, double TestAccuracy, double LearningRate,
    double ImagesPerSecond, double Seconds);

/// <summary>Who wants to know how it goes: after every step, and after every epoch.</summary>
internal interface IObserver
{
    void AfterStep(int epoch, int step, int steps, double loss, double accuracy, double imagesPerSecond);

    void AfterEpoch(Epoch epoch);
}

/// <summary>
/// Training, from the first batch to the last: for each batch a tape, a loss, its gradients, a step; after each epoch a look at
/// the test images.
/// </summary>
internal sealed class TrainingLoop(Module model, Optimizer optimizer, LearningRate rate, ImageDataset train, ImageDataset test, IObserver observer)
{
    private readonly Snapshot lastGood = new(model);

    /// <summary>Trains for some epochs. A cancelled run ends after the step that is being taken.</summary>
    /// <returns>Whether it came to its end.</returns>
    /// <exception cref="UserError">A loss was not finite. The model holds the last weights whose loss was.</exception>
    public bool Run(int epochs, int batchSize, long seed, Augment augment, CancellationToken cancellation)
    {
        var steps = train.BatchesPerEpoch(batchSize);
        lastGood.Take();
        for (var number = 1; number <= epochs; number++)
        {
            var (clock, lossSum, correct, seen) = (Stopwatch.StartNew(), 0.0, 0, 0);
            foreach (var batch in train.Batches(batchSize, epochs: 1, seed, augment, firstEpoch: number))
            {
                var (loss, hits) = Step(batch);
                lossSum += loss * batch.Labels.Length;
                correct += hits;
                seen += batch.Labels.Length;
                observer.AfterStep(number, batch.Step % steps + 1, steps, lossSum / seen, (double)correct / seen, seen / clock.Elapsed.TotalSeconds);
                if (cancellation.IsCancellationRequested) return false;
            }
            var trained = clock.Elapsed.TotalSeconds;
            var result = test.Evaluate(model.Apply);
            observer.AfterEpoch(new Epoch(number, lossSum / seen, (double)correct / seen, result.Loss, result.Accuracy, rate[number * steps - 1],
                seen / trained, clock.Elapsed.TotalSeconds));
        }
        return true;
    }

    // One step of gradient descent; the loss before it, and how many samples were classified right.
    private (double Loss, int Correct) Step(Batch batch)
    {
        using var tape = Tape.Training(batch.Random);
        var logits = model.Apply(batch.Images);
        var loss = logits.CrossEntropy(batch.Labels);
        var value = loss.ToDouble();
        if (!double.IsFinite(value)) throw Diverged(batch, tape, value);
        var correct = Evaluation.CountCorrect(logits, batch.Labels);
        lastGood.Take();
        optimizer.Step(tape.Gradients(loss, release: true), rate[batch.Step]);
        return (value, correct);
    }

    // Finds the layer by running the same batch again with every value checked, then goes back to the weights before the step
    // that spoiled them.
    private UserError Diverged(Batch batch, Tape tape, double loss)
    {
        tape.Dispose();
        var where = "";
        try
        {
            using var checking = Tape.Training(batch.Random, stopAtNonFinite: true);
            model.Apply(batch.Images).CrossEntropy(batch.Labels);
        }
        catch (NonFiniteException e)
        {
            where = $": {e.Message.TrimEnd('.')}";
        }
        lastGood.Restore();
        return new UserError($"the loss of step {batch.Step} (epoch {batch.Epoch}) is {loss}{where}. The weights of the step before"
            + $" are kept. Try a lower --lr or a longer --warmup.");
    }
}
