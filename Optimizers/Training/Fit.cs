using System.Diagnostics;
using Tapegrad.Datasets;
using Tapegrad.Optimizers;

namespace Tapegrad.Training;

/// <summary>
/// Training from the first batch to the last: for each batch a tape, a loss, its gradients, a step; after each epoch a
/// look at images that were held apart.
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
    // Of the last step of the optimizer; batches whose gradients wait for the next one are done again after an
    // interruption.
    private Position place = Start;

    private static readonly Position Start = new(Epoch: 1, Batch: 0, LossSum: 0, Correct: 0, OptimizerCounters: [],
        AverageSteps: 0);

    /// <summary>The share of a label that is spread over all classes.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>
    /// How much each class counts in the loss, from 0 (see <see cref="CrossEntropyOperation"/>); null when all count
    /// alike.
    /// </summary>
    public double[]? ClassWeights { get; init; }

    /// <summary>How strongly images are mixed with each other; 0 for not at all (see <see cref="Mixup"/>).</summary>
    public double Mixup { get; init; }

    /// <summary>Batches whose gradients are averaged for one step: the memory of one, the gradient of all.</summary>
    public int Accumulate { get; init; } = 1;

    /// <summary>Slow weights that follow those that the steps move; made for as many steps as the run has.</summary>
    public Lookahead? Lookahead { get; init; }

    /// <summary>Takes the values in after every step, and stands for them in validation.</summary>
    public AveragedWeights? Average { get; init; }

    /// <summary>Called after every batch.</summary>
    public Action<TrainingProgress>? AfterStep { get; set; }

    /// <summary>Called after every epoch; training ends early where it returns false.</summary>
    public Func<Epoch, bool>? AfterEpoch { get; set; }

    /// <summary>
    /// What the steps to come depend on beside the model: the numbers that the optimizer remembers, the slow weights,
    /// and the averages.
    /// </summary>
    public IReadOnlyList<Parameter> State =>
        [.. optimizer.State, .. Lookahead?.State ?? [], .. Average?.State ?? []];

    /// <summary>
    /// Where the run is: after the last step of the optimizer, which is what the model and <see cref="State"/> show. To
    /// be saved with them, in <see cref="AfterStep"/> for instance.
    /// </summary>
    public Position Position =>
        place with { OptimizerCounters = optimizer.Counters, AverageSteps = Average?.Steps ?? 0 };

    /// <summary>Trains. A cancelled run ends after the batch that is being worked on.</summary>
    /// <param name="train">The images to learn from.</param>
    /// <param name="validation">Images held apart, one at least; null where there are none.</param>
    /// <param name="epochs">In all, those before <paramref name="from"/> included.</param>
    /// <param name="batchSize">Images in a batch.</param>
    /// <param name="seed">Of the order of the images, their augmentation, and whatever is random in the model.</param>
    /// <param name="augment">What is done to the images.</param>
    /// <param name="cancellation">Ends the run.</param>
    /// <param name="from">
    /// Where another run was interrupted whose model and <see cref="State"/> have been put back: the rest of it happens
    /// here as it would have there, bit for bit.
    /// </param>
    /// <returns>Whether it came to its end, or <see cref="AfterEpoch"/> ended it.</returns>
    /// <exception cref="NonFiniteException">A loss, or a gradient, is not finite: the message says where. The step was
    /// not taken.</exception>
    /// <exception cref="ArgumentException">The place to go on from is none in this run, or no image is held
    /// apart.</exception>
    public bool Run(ImageDataset train, ImageDataset? validation, int epochs, int batchSize, long seed,
        Augment? augment = null, CancellationToken cancellation = default, Position? from = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(Accumulate, 1);
        if (validation is { Count: 0 })
            throw new ArgumentException("there is no image among those held apart; null is for none.",
                nameof(validation));
        var steps = train.BatchesPerEpoch(batchSize);
        place = Start;
        if (from is not null) GoTo(from, epochs, steps);
        Gradients? sum = null;
        for (var now = place; now.Epoch <= epochs; now = Start with { Epoch = now.Epoch + 1 })
        {
            var (clock, before) = (Stopwatch.StartNew(), now.Batch);
            var progress = Progress(0);
            foreach (var batch in train.Batches(batchSize, epochs: 1, seed, augment, firstEpoch: now.Epoch,
                firstBatch: now.Batch))
            {
                var (loss, hits) = Step(batch, ref sum);
                now = now with
                {
                    Batch = now.Batch + 1,
                    LossSum = now.LossSum + loss * batch.Count,
                    Correct = now.Correct + hits
                };
                if (sum is null) place = now;
                progress = Progress(batchSize * (now.Batch - before) / clock.Elapsed.TotalSeconds);
                AfterStep?.Invoke(progress);
                if (cancellation.IsCancellationRequested) return false;
            }
            Evaluation? result;
            using (UseAverages()) result = validation?.Evaluate(model);
            if (sum is null || now.Epoch == epochs) place = Start with { Epoch = now.Epoch + 1 };
            var epoch = new Epoch(progress, result, rate[Math.Max(0, now.Epoch * steps / Accumulate - 1)],
                clock.Elapsed.TotalSeconds);
            if (AfterEpoch?.Invoke(epoch) == false) break;

            TrainingProgress Progress(double speed) =>
                new(now.Epoch, now.Batch, steps, now.LossSum / (now.Batch * batchSize),
                    (double)now.Correct / (now.Batch * batchSize), speed);
        }
        return true;
    }

    /// <summary>
    /// Puts the averages in the place of the values, until the result is disposed; null where there are none, or none
    /// yet: before the first step they are the values, and running statistics that have seen nothing must not pass for
    /// others.
    /// </summary>
    internal IDisposable? UseAverages() => Average is { Steps: > 0 } ? Average.Use() : null;

    /// <summary>Goes to a place of a run; <see cref="Run"/> goes on from there if it is given it too.</summary>
    /// <param name="from">The place.</param>
    /// <param name="epochs">Of the run.</param>
    /// <param name="steps">Batches in an epoch.</param>
    /// <exception cref="ArgumentException">It is none in this run.</exception>
    internal void GoTo(Position from, int epochs, int steps)
    {
        if (from.Epoch < 1 || from.Epoch > epochs + 1L || from.Batch < 0
            || from.Batch > (from.Epoch > epochs ? 0 : steps) || from.AverageSteps is < 0 or > Optimizer.MostSteps)
            throw new ArgumentException($"batch {from.Batch} of epoch {from.Epoch} is no place in {epochs} epochs of "
                + $"{steps} batches.", nameof(from));
        optimizer.Counters = from.OptimizerCounters;
        if (Average is not null) Average.Steps = from.AverageSteps;
        place = from;
    }

    // The loss before the step, and how many images were classified right.
    private (double Loss, int Correct) Step(Batch batch, ref Gradients? sum)
    {
        using var step = new Scope();
        using var tape = Tape.Training(batch.Random);
        var (logits, labels, loss) = Forward(batch);
        step.Adopt(logits);   // the sweep releases what is the tape's
        var gradients = tape.Gradients(loss, release: true);
        // Read when the sweep is on its way: a device that works while the program goes on is not waited for before.
        var value = loss.ToDouble();
        if (!double.IsFinite(value)) throw Diverged(batch, tape, value);
        var correct = Evaluation.CountCorrect(logits, labels);
        sum = sum is null ? gradients : sum + gradients;
        if ((batch.Step + 1) % Accumulate != 0) sum = sum.Keep();   // beyond this tape, to the next batch
        else
        {
            var number = batch.Step / Accumulate;
            var isTaken = optimizer.Step(Accumulate == 1 ? sum : sum * (1.0 / Accumulate), rate[number]);
            Lookahead?.Update(number);
            if (isTaken) Average?.Update();
            sum = null;
        }
        return (value, correct);
    }

    private (Tensor Logits, int[] Labels, Tensor Loss) Forward(Batch batch)
    {
        var mixed = Training.Mixup.Draw(batch, Mixup);
        var logits = model(mixed.Images);
        return (logits, mixed.Labels, mixed.Loss(labels => logits.CrossEntropy(labels, LabelSmoothing, ClassWeights)));
    }

    // Finds where it began by another forward pass with every value checked.
    private NonFiniteException Diverged(Batch batch, Tape tape, double loss)
    {
        tape.Dispose();
        var where = "";
        try
        {
            using var checking = Tape.Training(batch.Random, stopAtNonFinite: true);
            Forward(batch);
        }
        catch (NonFiniteException e)
        {
            where = $": {e.Message.TrimEnd('.')}";
        }
        return new NonFiniteException($"the loss of step {batch.Step} (epoch {batch.Epoch}) is {loss}{where}.");
    }
}
