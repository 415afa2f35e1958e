using System.Buffers;
using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// How surprised a classifier is: logits x [N, K] against labels [N] give one number, y, the mean over N of -sum over k
/// of t[n, k] log softmax(x)[n, k]. The target t is 1 at the label and 0 elsewhere; with label smoothing s it is
/// 1 - s + s/K there and s/K elsewhere (Szegedy et al., 2016). With g the gradient of y, dx = (softmax(x) - t) g / N.
/// The loss of no sample is an error.
/// </summary>
/// <remarks>
/// log softmax(x) = x - log(sum of e^x), where the largest logit of each row is subtracted first
/// (<see cref="LogSoftmaxOperation"/>): logits of any size give their loss. A class whose target is 0 costs nothing,
/// even if its logit is -infinity.
/// Class weights w [K] multiply the targets, t[n, k] w[k], and the mean is the weighted one, as PyTorch's: the sum is
/// divided by the sum over n of w[label n] instead of N, so that equal weights of any size change nothing. (Its dx is
/// (softmax(x) sum(t w) - t w) g over that sum.)
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
        var value = Scope.OnlyResult(() => Value(logits, target, count));
        return Tape.RecordKernel("cross entropy", value, [logits, target],
            inputs => Composite(inputs[0], inputs[1], count),
            (_, g, _) => [Gradient(logits, target, count, g), null]);   // targets are constants
    }

    // In the composite's order, to the bit.
    private static Tensor Value(Tensor logits, Tensor target, double count)
    {
        var terms = LogSoftmaxOperation.Value(logits).Zip(target, new Weighing(), "cross entropy");
        return terms.Fold(new Adding(), [0, 1]).Map(new Averaging(-count)).View(Shape.Scalar);
    }

    // softmax(x) sum(t) g / count - t g / count, where the softmax is powers / sums; unrecorded.
    private static Tensor Gradient(Tensor logits, Tensor target, double count, Tensor g)
    {
        var (powers, sums) = SoftmaxOperation.Powers(logits, axis: 1);
        var wanted = g.Map(new Averaging(count)).Zip(target, new Weighing(), "cross entropy");
        var shares = wanted.Fold(new Adding(), [1]).Zip(sums, new Dividing(), "cross entropy");
        return powers.Zip(shares, new Multiplying(), "cross entropy").Zip(wanted, new Subtracting(), "cross entropy");
    }

    internal static Tensor Composite(Tensor logits, Tensor target, double count) =>
        -((logits.LogSoftmax() * target).Masked(target).Sum() / count);

    // x t; 0 where t is 0, be x infinite.
    internal readonly struct Weighing : IZip
    {
        public T Apply<T>(T x, T target) where T : struct, IReal<T> => T.Select(target, x * target, T.Zero);
    }

    internal readonly struct Averaging(double count) : IMap
    {
        public T Apply<T>(T sum) where T : struct, IReal<T> => sum / T.Of(count);
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
