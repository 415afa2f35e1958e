using Tapegrad.Datasets;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>Mixed batches: every image and its loss in one share with another image of the batch.</summary>
public sealed class MixupTests
{
    private static Batch Draw(int step) =>
        new(Tensor.Normal(new Shape(5, 2, 2, 1), new RandomSource(7)), [0, 1, 2, 3, 4], step, 1,
        new RandomSource(1).Split(step));

    // A loss that tells its labels: sum of 10^label.
    private static Tensor Decimal(int[] labels) =>
        Tensor.Scalar(labels.Select((label, i) => (i + 1) * Math.Pow(10, label)).Sum());

    [Fact]
    public void Without_strength_the_batch_stays_as_it_is()
    {
        var batch = Draw(0);
        var mixed = Mixup.Draw(batch, 0);
        Assert.Same(batch.Images, mixed.Images);
        Assert.Equal([0, 1, 2, 3, 4], mixed.Labels);
        Assert.Equal(54321, mixed.Loss(Decimal).ToDouble());
        foreach (var wrong in (double[])[-1, double.NaN, double.PositiveInfinity])
            Assert.Throws<ArgumentOutOfRangeException>(() => Mixup.Draw(batch, wrong));
    }

    [Fact]
    public void Images_and_labels_are_mixed_in_the_same_share_with_the_same_partner()
    {
        using var device = Tapegrad.Devices.Device.Use(Tapegrad.Devices.Device.Reference);
        for (var step = 0; step < 20; step++)
        {
            var batch = Draw(step);
            var (before, mixed) = (batch.Images.ToDoubles().Chunk(4).ToArray(), Mixup.Draw(batch, 1));
            var after = mixed.Images.ToDoubles().Chunk(4).ToArray();
            // Of each image, the partner and the share that explain all four pixels.
            var ways = Enumerable.Range(0, 5).Select(i => Enumerable.Range(0, 5).Where(j => j != i).Select(j =>
            {
                var share = (after[i][0] - before[j][0]) / (before[i][0] - before[j][0]);
                var fits = Enumerable.Range(0, 4)
                    .All(p => Math.Abs(share * before[i][p] + (1 - share) * before[j][p] - after[i][p]) < 1e-9);
                return (Partner: j, Share: share, fits);
            }).Where(way => way.fits).ToArray()).ToArray();
            var share = ways.First(way => way.Length == 1)[0].Share;
            Assert.InRange(share, 0, 1);
            // Mixed with itself, an image is as it was, which a share of 1 with any partner explains.
            var partners = ways.Select((way, i) => way.Length == 1 ? way[0].Partner : i).ToArray();
            Assert.Equal([0, 1, 2, 3, 4], partners.Order());
            Assert.Equal(share * 54321 + (1 - share) * Decimal(partners).ToDouble(),
                mixed.Loss(Decimal).ToDouble(), 1e-6);
            Assert.Equal(share > 0.5 ? [0, 1, 2, 3, 4] : partners, mixed.Labels);
            // the batch's own random numbers
            Assert.Equal(mixed.Images.ToDoubles(), Mixup.Draw(batch, 1).Images.ToDoubles());
        }
    }

    // Beta(a, a) has the mean 1/2 and the variance 1 / (4 (2 a + 1)).
    [Theory]
    [InlineData(double.Epsilon)]
    [InlineData(1e-320)]
    [InlineData(1e-307)]
    [InlineData(1e-100)]
    [InlineData(0.01)]
    [InlineData(0.2)]
    [InlineData(1)]
    [InlineData(1.5)]
    [InlineData(4)]
    [InlineData(100)]
    public void Shares_have_the_beta_distribution(double alpha)
    {
        double[] shares = [.. Enumerable.Range(0, 2000).Select(step => Mixup.Draw(Draw(step), alpha).Loss(labels =>
            Tensor.Scalar(labels.SequenceEqual([0, 1, 2, 3, 4]) ? 1 : 0)).ToDouble())];
        Assert.All(shares, share => Assert.InRange(share, 0, 1));
        Assert.Equal(0.5, shares.Average(), 0.05);
        Assert.Equal(1 / (4 * (2 * alpha + 1)), shares.Average(share => (share - 0.5) * (share - 0.5)), 0.02);
    }
}
