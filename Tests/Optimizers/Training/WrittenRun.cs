using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A run as one would write it by hand from the parts of the library: what <see cref="Run"/> must come to, bit for bit.
/// </summary>
internal sealed record WrittenRun(ImageDataset Train, ImageDataset Test, Module Model, Optimizer Optimizer,
    LearningRate Rate, Augment Augment)
{
    public int Epochs { get; init; } = 2;

    public int Batch { get; init; } = 16;

    public int Seed { get; init; } = 1;

    public int Together { get; init; } = 1;

    public double Smoothing { get; init; }

    public double Mixup { get; init; }

    public double Average { get; init; }

    /// <summary>Whether slow weights follow.</summary>
    public bool Lookahead { get; init; }

    public ImageDataset? Validation { get; init; }

    /// <summary>Mean loss and accuracy over its images, and the rate of its last step.</summary>
    public (double Loss, double Accuracy, double Rate) LastEpoch { get; private set; }

    /// <summary>
    /// The weights and statistics that are kept, and their accuracy on the test images; the epoch that they are of.
    /// </summary>
    public (float[][] Weights, double Accuracy, int Epoch) Run()
    {
        var (batches, steps, best, chosen, of) = (0, 0, -1.0, Copy(), 0);
        var (averages, slow, all) = (Copy(), Copy(), Epochs * (Train.Count / Batch) / Together);
        Gradients? sum = null;
        for (var epoch = 1; epoch <= Epochs; epoch++)
        {
            var (lossSum, correct, seen) = (0.0, 0, 0);
            foreach (var batch in Train.Batches(Batch, epochs: 1, Seed, Augment, firstEpoch: epoch))
            {
                using var tape = Tape.Training(batch.Random);
                var mixed = Tapegrad.Training.Mixup.Draw(batch, Mixup);
                var logits = Model.Apply(mixed.Images);
                var loss = mixed.Loss(labels => logits.CrossEntropy(labels, Smoothing));
                (lossSum, correct, seen) = (lossSum + loss.ToDouble() * batch.Count,
                    correct + Evaluation.CountCorrect(logits, mixed.Labels), seen + batch.Count);
                var gradients = tape.Gradients(loss);
                sum = (sum is null ? gradients : sum + gradients).Keep();
                if (++batches % Together != 0) continue;
                Optimizer.Step(sum * (1.0 / Together), Rate[steps]);
                if (Lookahead) Follow(slow, steps + 1, all);
                if (Average > 0) TakeIn(averages, (float)(1 - Math.Min(Average, (1.0 + steps) / (10 + steps))));
                steps++;
                sum = null;
            }
            LastEpoch = (lossSum / seen, (double)correct / seen, Rate[Math.Max(0, steps - 1)]);
            // The averages are measured and kept in the place of the values.
            var values = Copy();
            if (Average > 0) Put(averages);
            if (Validation is null) (chosen, of) = (Copy(), epoch);
            else if (Validation.Accuracy(Model.Apply) is var accuracy && accuracy > best)
                (best, chosen, of) = (accuracy, Copy(), epoch);
            Put(values);
        }
        Put(chosen);
        return (chosen, Test.Accuracy(Model.Apply), of);
    }

    private float[][] Copy() => [.. Model.State.Select(parameter => parameter.Value.ToFloats())];

    private void Put(float[][] values)
    {
        foreach (var (parameter, value) in Model.State.Zip(values))
            parameter.Value = Tensor.From(value, parameter.Shape);
    }

    // After every fifth step, and the last.
    private void Follow(float[][] slow, int done, int all)
    {
        if (done % 5 == 0)
            TakeIn(slow, (float)(1 - Math.Pow(0.95, 5) * Math.Pow((double)done / all, 3)));
        if (done % 5 == 0 || (done == all && all > 5)) Put(slow);   // before the fifth step there are none that moved
    }

    // Weights and running statistics alike.
    private void TakeIn(float[][] averages, float share)
    {
        foreach (var (parameter, average) in Model.State.Zip(averages))
        {
            var value = parameter.Value.ToFloats();
            for (var i = 0; i < value.Length; i++)
                average[i] = MathF.FusedMultiplyAdd(share, value[i] - average[i], average[i]);
        }
    }
}
