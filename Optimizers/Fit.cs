using System.Diagnostics;
using Tapegrad.Datasets;

namespace Tapegrad.Optimizers;

/// <summary>How far training has come, after a step. Loss and accuracy are means over the epoch until now.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Step">Batches of the epoch until now, from 1.</param>
/// <param name="Steps">Batches in an epoch.</param>
/// <param name="Loss">What the optimizer makes small.</param>
/// <param name="Accuracy">The share of the images that were classified right before the step that they led to.</param>
/// <param name="ImagesPerSecond">Since the epoch began.</param>
public sealed record TrainingProgress(int Epoch, int Step, int Steps, double Loss, double Accuracy, double ImagesPerSecond);

/// <summary>What an epoch came to.</summary>
/// <param name="Training">As after its last step.</param>
/// <param name="Validation">On the images held apart; null without them.</param>
/// <param name="LearningRate">Of its last step.</param>
/// <param name="Seconds">Validation included.</param>
public sealed record Epoch(TrainingProgress Training, Evaluation? Validation, double LearningRate, double Seconds);

/// <summary>
/// Training from the first batch to the last: for each batch a tape, a loss, its gradients, a step; after each epoch a look at images that were
/// held apart.
/// <code>
/// var fit = new Fit(model.Apply, sgd, rate) { AfterEpoch = epoch => { Console.WriteLine(epoch); return true; } };
/// fit.Run(train, validation, epochs: 30, batchSize: 128, seed: 1, Augment.CropAndFlip);
/// </code>
/// What it does is made of public parts: copy it where you need another loop.
/// </summary>
/// <param name="model">From images [N, H, W, C] to logits [N, classes].</param>
/// <param name="optimizer">Takes the steps.</param>
/// <param name="rate">The learning rate of each step of the optimizer.</param>
public sealed class Fit(Func<Tensor, Tensor> model, Optimizer optimizer, LearningRate rate)
{
    /// <summary>The share of a label that is spread over all classes.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>How strongly images are mixed with each other; 0 for not at all (see <see cref="Mixup"/>).</summary>
    public double Mixup { get; init; }

    /// <summary>Batches whose gradients are averaged for one step: the memory of one, the gradient of all.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Takes the values in after every step, and stands for them in validation.</summary>
    public AveragedWeights? Average { get; init; }

    /// <summary>Called after every batch.</summary>
    public Action<TrainingProgress>? AfterStep { get; init; }

    /// <summary>Called after every epoch; training ends early where it returns false.</summary>
    public Func<Epoch, bool>? AfterEpoch { get; init; }

    /// <summary>Trains. A cancelled run ends after the batch that is being worked on.</summary>
    /// <returns>Whether it came to its end, or <see cref="AfterEpoch"/> ended it.</returns>
    /// <exception cref="NonFiniteException">A loss, or a gradient, is not finite: the message says where. The step was not taken.</exception>
    public bool Run(ImageDataset train, ImageDataset? validation, int epochs, int batchSize, long seed, Augment? augment = null,
        CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Accumulate, 1);
        var steps = train.BatchesPerEpoch(batchSize);
        Gradients? sum = null;
        for (var number = 1; number <= epochs; number++)
        {
            var (clock, lossSum, correct, seen) = (Stopwatch.StartNew(), 0.0, 0, 0);
            var progress = new TrainingProgress(number, 0, steps, double.NaN, double.NaN, 0);
            foreach (var batch in train.Batches(batchSize, epochs: 1, seed, augment, firstEpoch: number))
            {
                var (loss, hits) = Step(batch, ref sum);
                (lossSum, correct, seen) = (lossSum + loss * batch.Count, correct + hits, seen + batch.Count);
                progress = new(number, batch.Step % steps + 1, steps, lossSum / seen, (double)correct / seen, seen / clock.Elapsed.TotalSeconds);
                AfterStep?.Invoke(progress);
                if (cancellation.IsCancellationRequested) return false;
            }
            Evaluation? result;
            using (Average?.Use()) result = validation?.Evaluate(model);
            var epoch = new Epoch(progress, result, rate[Math.Max(0, number * steps / Accumulate - 1)], clock.Elapsed.TotalSeconds);
            if (AfterEpoch?.Invoke(epoch) == false) break;
        }
        return true;
    }

    // The loss before the step, and how many images were classified right.
    private (double Loss, int Correct) Step(Batch batch, ref Gradients? sum)
    {
        using var tape = Tape.Training(batch.Random);
        var (logits, loss) = Look(batch);
        var value = loss.ToDouble();
        if (!double.IsFinite(value)) throw Diverged(batch, tape, value);
        var correct = Evaluation.CountCorrect(logits, batch.Labels);
        var gradients = tape.Gradients(loss, release: true);
        sum = sum is null ? gradients : sum + gradients;
        if ((batch.Step + 1) % Accumulate != 0) sum = sum.Keep();   // beyond this tape, to the next batch
        else
        {
            optimizer.Step(Accumulate == 1 ? sum : sum * (1.0 / Accumulate), rate[batch.Step / Accumulate]);
            Average?.Update();
            sum = null;
        }
        return (value, correct);
    }

    private (Tensor Logits, Tensor Loss) Look(Batch batch)
    {
        var mixed = Optimizers.Mixup.Draw(batch, Mixup);
        var logits = model(mixed.Images);
        return (logits, mixed.Loss(labels => logits.CrossEntropy(labels, LabelSmoothing)));
    }

    // Finds where it began by looking at the same batch again with every value checked.
    private NonFiniteException Diverged(Batch batch, Tape tape, double loss)
    {
        tape.Dispose();
        var where = "";
        try
        {
            using var checking = Tape.Training(batch.Random, stopAtNonFinite: true);
            Look(batch);
        }
        catch (NonFiniteException e)
        {
            where = $": {e.Message.TrimEnd('.')}";
        }
        return new NonFiniteException($"the loss of step {batch.Step} (epoch {batch.Epoch}) is {loss}{where}.");
    }
}
