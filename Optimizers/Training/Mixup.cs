using Tapegrad.Datasets;

namespace Tapegrad.Training;

/// <summary>
/// Mixes each image of a batch with another one of it, and their labels in the same share: images s x[i] + (1 - s)
/// x[j], loss s L(y[i]) + (1 - s) L(y[j]), with one s a batch from the distribution Beta(a, a) (Zhang, Cisse, Dauphin
/// and Lopez-Paz, 2018). A small a leaves most batches nearly as they are; 1 makes every share equally likely.
/// </summary>
public sealed class Mixup
{
    private readonly int[] labels, others;
    private readonly double share;

    private Mixup(Tensor images, int[] labels, int[] others, double share) =>
        (Images, this.labels, this.others, this.share) = (images, labels, others, share);

    /// <summary>The images, mixed.</summary>
    public Tensor Images { get; }

    /// <summary>Of each image, the label of the larger share.</summary>
    public int[] Labels => share >= 0.5 ? labels : others;

    /// <summary>Mixes a batch, by the batch's own random numbers.</summary>
    /// <param name="batch">The images and labels.</param>
    /// <param name="alpha">The distribution's a; 0 leaves the batch as it is.</param>
    public static Mixup Draw(Batch batch, double alpha)
    {
        if (!(alpha >= 0 && double.IsFinite(alpha)))
            throw new ArgumentOutOfRangeException(nameof(alpha), alpha, "mixup: alpha is 0 or above.");
        if (alpha == 0) return new Mixup(batch.Images, batch.Labels, batch.Labels, 1);
        var random = batch.Random.Split(long.MaxValue);   // apart from those that layers draw
        var (share, partners) = (Beta(alpha, random.Split(0)), random.Split(1).Permutation(batch.Count));
        var images = batch.Images * share + batch.Images.Gather(0, partners) * (1 - share);
        return new Mixup(images, batch.Labels, [.. partners.Select(partner => batch.Labels[partner])], share);
    }

    /// <summary>The loss against both labels, in their shares.</summary>
    public Tensor Loss(Func<int[], Tensor> loss) =>
        share == 1 ? loss(labels) : loss(labels) * share + loss(others) * (1 - share);

    // Above 1, (1 + r cos(2 pi v)) / 2 with r^2 = 1 - u^(2 / (2 a - 1)) (Ulrich, 1984). Below, of pairs u^(1/a),
    // v^(1/a), those whose sum is at most 1 have the share u^(1/a) / (u^(1/a) + v^(1/a)) (Johnk, 1964), and at least
    // half of them do; in logarithms, since for a small a both powers would be 0.
    private static double Beta(double alpha, RandomSource random)
    {
        if (alpha > 1)
        {
            var radius = Math.Sqrt(1 - Math.Pow(1 - random.Uniform(0), 2 / (2 * alpha - 1)));
            return (1 + radius * Math.Cos(2 * Math.PI * random.Uniform(1))) / 2;
        }
        for (var i = 0L; ; i += 2)
        {
            var (u, v) = (Math.Log(1 - random.Uniform(i)), Math.Log(1 - random.Uniform(i + 1)));
            var (a, b) = (u / alpha, v / alpha);
            var larger = Math.Max(a, b);
            if (double.IsNegativeInfinity(larger)) return u > v ? 1 : 0;   // one of them is all there is
            var sum = larger + Math.Log(Math.Exp(a - larger) + Math.Exp(b - larger));
            if (sum <= 0) return Math.Exp(a - sum);
        }
    }
}
