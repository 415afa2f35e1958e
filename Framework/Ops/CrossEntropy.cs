using System.Buffers;

namespace Tapegrad;

/// <summary>
/// The mean over N of -sum over k of t[n, k] log softmax(x)[n, k], for logits x [N, K] and labels [N]. The target t is 1 at the
/// label; with label smoothing s it is 1 - s + s/K there and s/K elsewhere (Szegedy et al., 2016). d/dx = (softmax(x) - t) / N.
/// The loss of no sample is an error.
/// </summary>
public static class CrossEntropyOperation
{
    /// <summary>The mean cross entropy of logits against labels.</summary>
    /// <param name="logits">[N, K], unnormalized.</param>
    /// <param name="labels">N classes from 0 to K - 1.</param>
    /// <param name="labelSmoothing">From 0 to 1.</param>
    /// <returns>One number.</returns>
    /// <exception cref="ShapeException">The shapes do not fit, or there is no sample.</exception>
    /// <exception cref="ArgumentOutOfRangeException">A label is not a class, or the smoothing lies outside 0 to 1.</exception>
    public static Tensor CrossEntropy(this Tensor logits, ReadOnlySpan<int> labels, double labelSmoothing = 0)
    {
        if (logits.Shape.Rank != 2 || logits.Shape[0] != labels.Length || logits.Count == 0)
            throw new ShapeException($"cross entropy: the logits {logits.Shape} must be [N, K] with one row for each of the"
                + $" {labels.Length} labels, and not empty.");
        if (!(labelSmoothing is >= 0 and <= 1))
            throw new ArgumentOutOfRangeException(nameof(labelSmoothing), labelSmoothing, "cross entropy: label smoothing goes from"
                + " 0 to 1.");
        var target = Target(logits, labels, labelSmoothing);
        // Masked, not only multiplied: a class of probability 0 that is not the target costs nothing.
        return -((logits.LogSoftmax() * target).Masked(target).Sum() / labels.Length);
    }

    private static Tensor Target(Tensor logits, ReadOnlySpan<int> labels, double smoothing)
    {
        var classes = logits.Shape[1];
        var rented = ArrayPool<double>.Shared.Rent(logits.Count);
        var target = rented.AsSpan(0, logits.Count);
        target.Fill(smoothing / classes);
        for (var n = 0; n < labels.Length; n++)
        {
            if ((uint)labels[n] >= (uint)classes)
                throw new ArgumentOutOfRangeException(nameof(labels), labels[n], $"cross entropy: label {n} is not one of the"
                    + $" {classes} classes 0 to {classes - 1}.");
            target[n * classes + labels[n]] += 1 - smoothing;
        }
        var result = Tensor.Create(logits.Shape, logits.Device);
        result.Device.Write(target, result.Buffer);
        ArrayPool<double>.Shared.Return(rented);
        return result;
    }
}
