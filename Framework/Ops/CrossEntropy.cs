using System.Buffers;

namespace Tapegrad;

/// <summary>
/// The mean over N of -sum over k of t[n, k] log softmax(x)[n, k], for logits x [N, K] and labels [N]. The target t is
/// 1 at the label; with label smoothing s it is 1 - s + s/K there and s/K elsewhere (Szegedy et al., 2016). d/dx =
/// (softmax(x) - t) / N. The loss of no sample is an error.
/// </summary>
/// <remarks>
/// Class weights w [K] multiply the targets, t[n, k] w[k], and the mean is the weighted one, as PyTorch's: the sum is
/// divided by the sum over n of w[label n] instead of N, so that equal weights of any size change nothing. (Its d/dx is
/// (softmax(x) sum(t w) - t w) over that sum.)
/// </remarks>
public static class CrossEntropyOperation
{
    /// <summary>The mean cross entropy of logits against labels.</summary>
    /// <param name="logits">[N, K], unnormalized.</param>
    /// <param name="labels">N classes from 0 to K - 1.</param>
    /// <param name="labelSmoothing">From 0 to 1.</param>
    /// <param name="classWeights">How much each of the K classes counts, from 0; empty when all count alike.</param>
    /// <returns>One number.</returns>
    /// <exception cref="ShapeException">The shapes do not fit, or there is no sample.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A label is not a class, the smoothing lies outside 0 to 1, or a
    /// weight is negative or not finite.</exception>
    /// <exception cref="ArgumentException">Every label's weight is 0.</exception>
    public static Tensor CrossEntropy(this Tensor logits, ReadOnlySpan<int> labels, double labelSmoothing = 0,
        ReadOnlySpan<double> classWeights = default)
    {
        if (logits.Shape.Rank != 2 || logits.Shape[0] != labels.Length || logits.Count == 0)
            throw new ShapeException($"cross entropy: the logits {logits.Shape} must be [N, K] with one row for each "
                + $"of the {labels.Length} labels, and not empty.");
        if (!(labelSmoothing is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(labelSmoothing), labelSmoothing,
                "cross entropy: label smoothing goes from"
                + " 0 to 1.");
        var target = Target(logits, labels, labelSmoothing, classWeights, out var count);
        // Masked, not only multiplied: a class of probability 0 that is not the target costs nothing.
        return -((logits.LogSoftmax() * target).Masked(target).Sum() / count);
    }

    // What each logarithm is multiplied with, [N, K], and what their sum is divided by.
    private static Tensor Target(Tensor logits, ReadOnlySpan<int> labels, double smoothing,
        ReadOnlySpan<double> weights, out double count)
    {
        var classes = logits.Shape[1];
        CheckWeights(weights, classes);
        var rented = ArrayPool<double>.Shared.Rent(logits.Count);
        var target = rented.AsSpan(0, logits.Count);
        target.Fill(smoothing / classes);
        count = 0;
        for (var n = 0; n < labels.Length; n++)
        {
            if ((uint)labels[n] >= (uint)classes)
                throw new ArgumentOutOfRangeException(nameof(labels), labels[n],
                    $"cross entropy: label {labels[n]} (of sample {n}) is not one of the"
                    + $" {classes} classes 0 to {classes - 1}.");
            var row = target.Slice(n * classes, classes);
            row[labels[n]] += 1 - smoothing;
            count += weights.IsEmpty ? 1 : weights[labels[n]];
            for (var k = 0; k < weights.Length; k++) row[k] *= weights[k];
        }
        if (count == 0)
            throw new ArgumentException("cross entropy: the class weights of all labels are 0, so there is nothing to "
                + "take the mean of.");
        var result = Tensor.Create(logits.Shape, logits.Device);
        result.Device.Write(target, result.Buffer);
        ArrayPool<double>.Shared.Return(rented);
        return result;
    }

    private static void CheckWeights(ReadOnlySpan<double> weights, int classes)
    {
        if (!weights.IsEmpty && weights.Length != classes)
            throw new ShapeException($"cross entropy: {weights.Length} class weights for {classes} classes.");
        foreach (var weight in weights)
            if (!(weight >= 0 && double.IsFinite(weight)))
                throw new ArgumentOutOfRangeException("classWeights", weight,
                    "cross entropy: a class weight is a number from 0 up.");
    }
}
