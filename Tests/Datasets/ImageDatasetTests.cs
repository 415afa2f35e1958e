using FsCheck.Xunit;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class ImageDatasetTests
{
    // Two images of 1 x 2 pixels with 2 channels. First channel: 0, 255, 0, 255; second: 51, 51, 102, 204.
    private static readonly byte[] Pixels = [0, 51, 255, 51, 0, 102, 255, 204];

    private static ImageDataset Small(IReadOnlyList<double>? mean = null, IReadOnlyList<double>? std = null) =>
        new("small", Pixels, [1, 0], (1, 2, 2), ["no", "yes"], mean, std);

    [Fact]
    public void Says_what_it_holds()
    {
        var dataset = Small();
        Assert.Equal((2, 1, 2, 2, 2),
            (dataset.Count, dataset.Height, dataset.Width, dataset.Channels, dataset.Classes));
        Assert.Equal([1, 0], dataset.Labels);
        Assert.Equal(["no", "yes"], dataset.ClassNames);
        Assert.Equal([0, 102, 255, 204], dataset.Image(1).ToArray());
        Assert.Equal("small: 2 images of 1x2x2 in 2 classes", dataset.ToString());
    }

    [Fact]
    public void Computes_mean_and_biased_deviation_of_each_channel()
    {
        var dataset = Small();
        // Channel 0: 0, 1, 0, 1. Channel 1: 0.2, 0.2, 0.4, 0.8: mean 0.4, squared distances 0.04, 0.04, 0, 0.16, their
        // mean 0.06.
        Assert.Equal(0.5, dataset.Mean[0], 12);
        Assert.Equal(0.5, dataset.Std[0], 12);
        Assert.Equal(0.4, dataset.Mean[1], 12);
        Assert.Equal(Math.Sqrt(0.06), dataset.Std[1], 12);
    }

    [Fact]
    public void Keeps_given_mean_and_deviation()
    {
        var dataset = Small([0.1, 0.2], [0.3, 0.4]);
        Assert.Equal([0.1, 0.2], dataset.Mean);
        Assert.Equal([0.3, 0.4], dataset.Std);
        Assert.Equal([0.5, 0.4], Small(std: [0.3, 0.4]).Mean.Select(m => Math.Round(m, 12)));
        Assert.Equal(0.5, Small(mean: [0.1, 0.2]).Std[0], 12);
    }

    [Fact]
    public void Shows_every_byte_as_value_over_255_minus_mean_over_deviation()
    {
        // All 256 bytes in each of three channels, which have means and deviations of their own.
        double[] mean = [0.4914, 0.4822, 0.4465], std = [0.2470, 0.2435, 0.2616];
        var bytes = Enumerable.Range(0, 768).Select(i => (byte)(i / 3)).ToArray();
        var dataset = new ImageDataset("all", bytes, [0], (16, 16, 3), ["one"], mean, std);
        var batch = dataset.InOrder(1).First();
        Assert.Equal(new Shape(1, 16, 16, 3), batch.Images.Shape);
        var values = batch.Images.ToFloats();
        for (var i = 0; i < 768; i++) Assert.Equal((float)((bytes[i] / 255.0 - mean[i % 3]) / std[i % 3]), values[i]);
    }

    [Fact]
    public void A_constant_channel_becomes_zero_and_not_a_division_by_zero()
    {
        var dataset = new ImageDataset("grey", [77, 77, 77, 77], [0], (2, 2, 1), ["one"]);
        Assert.Equal(1, dataset.Std[0]);
        Assert.All(dataset.InOrder(1).First().Images.ToDoubles(), value => Assert.Equal(0, value, 6));
    }

    [Fact]
    public void May_be_empty()
    {
        var dataset = new ImageDataset("empty", [], [], (2, 2, 3), ["one"]);
        Assert.Equal(0, dataset.Count);
        Assert.Equal([1.0, 1, 1], dataset.Std);
        Assert.Empty(dataset.InOrder(5));
        Assert.Empty(dataset.Batches(5, 1, seed: 1, dropLast: false));
    }

    [Fact]
    public void Takes_the_first_images_with_the_statistics_of_the_whole()
    {
        var whole = TestImages.Numbered(10);
        var part = whole.Take(3);
        Assert.Equal(3, part.Count);
        Assert.Equal(whole.Labels.Take(3), part.Labels);
        Assert.Equal(whole.Image(2).ToArray(), part.Image(2).ToArray());
        Assert.Equal("numbered: 3 images of 1x2x1 in 10 classes", part.ToString());
        Assert.Same(whole.Mean, part.Mean);
        Assert.Same(whole.Std, part.Std);
        Assert.Equal([0, 1, 2], part.InOrder(5).SelectMany(TestImages.Indices));
        Assert.Equal(10, whole.Take(11).Count);
        Assert.Equal(0, whole.Take(0).Count);
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Take(-1));
        Assert.Throws<ArgumentOutOfRangeException>(() => part.Image(3).Length);
    }

    [Theory]
    [InlineData(7, 2, 2, "7 bytes", "8 bytes")]
    [InlineData(9, 2, 2, "9 bytes", "8 bytes")]
    [InlineData(8, 3, 2, "8 bytes", "12 bytes")]
    [InlineData(8, 2, 0, "1x0x2", "positive")]
    public void Refuses_arrays_that_do_not_fit(int bytes, int labels, int width, params string[] words)
    {
        var error = Assert.Throws<ArgumentException>(() =>
            new ImageDataset("mine", new byte[bytes], new int[labels], (1, width, 2), ["one"]));
        Assert.Contains("mine", error.Message);
        Assert.All(words, word => Assert.Contains(word, error.Message));
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(2)]
    public void Refuses_a_label_that_names_no_class_and_says_which(int label)
    {
        var error = Assert.Throws<ArgumentException>(() =>
            new ImageDataset("mine", new byte[4], [1, 0, label, 1], (1, 1, 1), ["no", "yes"]));
        Assert.Contains($"image 2 has the label {label}", error.Message);
        Assert.Contains("0 to 1", error.Message);
    }

    [Fact]
    public void Refuses_means_and_deviations_that_cannot_normalize()
    {
        Assert.Contains("1 means", Assert.Throws<ArgumentException>(() => Small([0.5], [1, 1])).Message);
        Assert.Contains("3 deviations", Assert.Throws<ArgumentException>(() => Small([0.5, 0.5], [1, 1, 1])).Message);
        foreach (var std in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Assert.Contains("channel 1", Assert.Throws<ArgumentException>(() => Small([0.5, 0.5], [1, std])).Message);
        Assert.Contains("channel 0", Assert.Throws<ArgumentException>(() => Small([double.NaN, 0.5], [1, 1])).Message);
    }

    [Fact]
    public void Counts_the_batches_that_it_makes()
    {
        for (var count = 0; count <= 12; count++)
            for (var size = 1; size <= 13; size++)
            {
                var dataset = TestImages.Numbered(count);
                Assert.Equal(dataset.InOrder(size).Count(), dataset.BatchesPerEpoch(size, dropLast: false));
                Assert.Equal((count + size - 1) / size, dataset.BatchesPerEpoch(size, dropLast: false));
                if (size > count) continue;
                Assert.Equal(count / size, dataset.BatchesPerEpoch(size));
                Assert.Equal(count / size, dataset.Batches(size, 1, seed: 1).Count());
            }
    }

    [Fact]
    public void Refuses_at_the_call_what_would_train_nothing()
    {
        var dataset = TestImages.Numbered(5);
        // Not enumerated: the error comes where the mistake stands.
        Assert.Contains("dropLast: false",
            Assert.Throws<ArgumentException>(() => dataset.Batches(6, 1, seed: 1)).Message);
        Assert.Throws<ArgumentException>(() => dataset.BatchesPerEpoch(6));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.BatchesPerEpoch(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Batches(0, 1, seed: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Batches(1, -1, seed: 1));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.Batches(1, 1, seed: 1, firstEpoch: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => dataset.InOrder(0));
    }

    [Fact]
    public void A_split_has_every_image_once_with_its_label()
    {
        var whole = Shapes10.Load(100, 0).Train.Take(80);
        var (rest, held) = whole.Split(23);
        Assert.Equal((57, 23), (rest.Count, held.Count));
        static string[] Content(ImageDataset part) =>
            [.. Enumerable.Range(0, part.Count).Select(i => $"{part.Labels[i]} {Convert.ToHexString(part.Image(i))}")];
        Assert.Equal(Content(whole).Order(), Content(rest).Concat(Content(held)).Order());
        Assert.Equal(Content(held), Content(whole.Split(23).Held));
        Assert.NotEqual(Content(held), Content(whole.Split(23, seed: 1).Held));
        Assert.Equal(Content(rest)[..10], Content(rest.Take(10)));
        Assert.Equal((whole.Mean, whole.Std, whole.Name), (held.Mean, held.Std, held.Name));
        Assert.Equal((80, 0), (whole.Split(0).Kept.Count, whole.Split(0).Held.Count));
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Split(81));
        Assert.Throws<ArgumentOutOfRangeException>(() => whole.Split(-1));
    }

    [Fact]
    public void Both_parts_of_a_split_keep_the_order()
    {
        var (kept, held) = TestImages.Numbered(300).Split(120);
        foreach (var part in new[] { kept, held })
        {
            var indices = part.InOrder(part.Count).SelectMany(TestImages.Indices).ToArray();
            Assert.Equal(indices.Order(), indices);
        }
    }

    // Whatever is kept or shared on the way, each pixel of a chain of views is (value / 255 - mean) / deviation by the
    // last ones that were given.
    [Property(MaxTest = 200)]
    public void Pixels_are_normalized_by_the_last_mean_and_deviation_on_any_way(int seed)
    {
        var random = new Random(seed);
        byte[] bytes = [.. Enumerable.Range(0, 6 * 2 * 3 * 2).Select(_ => (byte)random.Next(256))];
        double[] Mean() => [random.Next(3) / 4.0, random.Next(3) / 4.0];
        double[] Deviation() => [(1 + random.Next(3)) / 4.0, (1 + random.Next(3)) / 4.0];
        var (mean, std) = (Mean(), Deviation());
        var dataset = new ImageDataset("some", bytes, new int[6], (2, 3, 2), ["one"], mean, std);
        int[] shown = [0, 1, 2, 3, 4, 5];
        for (var i = 0; i < 6; i++)
            switch (random.Next(5))
            {
                case 0: dataset = dataset.NormalizedBy(mean = Mean(), std = Deviation()); break;
                case 1: dataset = dataset.NormalizedBy(mean, std = Deviation()); break;   // the same list for the mean
                case 2: dataset = dataset.NormalizedBy(mean = Mean(), std); break;
                case 3: dataset = dataset.NormalizedBy(dataset.Mean, std = Deviation()); break;
                default: (dataset, shown) = (dataset.Take(shown.Length - 1), shown[..^1]); break;
            }
        if (shown.Length == 0) return;
        var expected = shown.SelectMany(image => Enumerable.Range(0, 12).Select(i =>
            (float)((bytes[12 * image + i] / 255.0 - mean[i % 2]) / std[i % 2])));
        Assert.Equal(expected, dataset.InOrder(4).SelectMany(batch => batch.Images.ToFloats()));
        Assert.Equal((mean, std), (dataset.Mean, dataset.Std));
    }
}
