namespace Tapegrad.Datasets;

/// <summary>
/// How a classifier did: the mean cross entropy, the share classified right, and what was taken for what.
/// </summary>
public sealed record Evaluation(double Loss, double Accuracy, Confusion Confusion)
{
    /// <summary>How many rows of logits [N, K] are taken for their label; see <see cref="Predictions"/>.</summary>
    public static int CountCorrect(Tensor logits, ReadOnlySpan<int> labels)
    {
        var predicted = Predictions(logits);
        var correct = 0;
        for (var n = 0; n < labels.Length; n++)
            if (predicted[n] == labels[n]) correct++;
        return correct;
    }

    /// <summary>
    /// The class that each row of logits [N, K] is taken for: that of its largest element, or of the first one when
    /// several are largest.
    /// </summary>
    public static int[] Predictions(Tensor logits)
    {
        var (values, classes) = (logits.ToFloats(), logits.Shape[1]);
        var result = new int[logits.Shape[0]];
        for (var n = 0; n < result.Length; n++)
            for (var k = 1; k < classes; k++)
                if (values[n * classes + k] > values[n * classes + result[n]]) result[n] = k;
        return result;
    }
}

/// <summary>Evaluation of a classifier on a dataset.</summary>
public static class DatasetEvaluation
{
    /// <summary>Classifies every image, in order, with nothing recorded: give it <c>model.Apply</c>.</summary>
    /// <param name="dataset">At least one image.</param>
    /// <param name="classify">From images [N, H, W, C] to logits [N, classes].</param>
    /// <param name="batchSize">Images at a time; nothing depends on it but the last digits of the loss, which is summed
    /// over them. When not given, as many as have the pixels of 250 images of 32x32, 1 to 250.</param>
    /// <exception cref="ArgumentException">There is no image.</exception>
    /// <exception cref="InvalidOperationException">A training tape is open.</exception>
    /// <exception cref="ShapeException">The logits are of another shape.</exception>
    public static Evaluation Evaluate(this ImageDataset dataset, Func<Tensor, Tensor> classify, int? batchSize = null)
    {
        if (dataset.Count == 0) throw new ArgumentException("there is no image to evaluate on.", nameof(dataset));
        using var _ = TapePause.ForEvaluation("evaluate");
        var (loss, correct, confusion) = (0.0, 0, new Confusion(dataset.Classes));
        var together = batchSize ?? (int)Math.Clamp(250L * 32 * 32 / ((long)dataset.Height * dataset.Width), 1, 250);
        foreach (var batch in dataset.InOrder(together))
        {
            using var scope = new Scope();
            var logits = classify(batch.Images);
            if (logits.Shape != new Shape(batch.Labels.Length, dataset.Classes))
                throw new ShapeException($"evaluate: for {batch.Labels.Length} images of {dataset.Classes} classes the "
                    + $"model gave {logits.Shape}.");
            loss += logits.CrossEntropy(batch.Labels).ToDouble() * batch.Labels.Length;
            var predicted = Evaluation.Predictions(logits);
            for (var n = 0; n < predicted.Length; n++)
            {
                confusion.Add(batch.Labels[n], predicted[n]);
                if (predicted[n] == batch.Labels[n]) correct++;
            }
        }
        return new Evaluation(loss / dataset.Count, (double)correct / dataset.Count, confusion);
    }

    /// <summary>The share of the images that are classified right: <c>test.Accuracy(model.Apply)</c>.</summary>
    public static double Accuracy(this ImageDataset dataset, Func<Tensor, Tensor> classify) =>
        dataset.Evaluate(classify).Accuracy;
}
