using System.Numerics.Tensors;
using System.Security.Cryptography;
using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class Shapes10Tests
{
    private static string Hash(ImageDataset dataset)
    {
        using var sum = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        for (var i = 0; i < dataset.Count; i++) sum.AppendData(dataset.Image(i));
        return Convert.ToHexStringLower(sum.GetHashAndReset());
    }

    // The promise of the class: the same bytes on every machine. The sums were written down when the images were first
    // drawn and looked at; whoever changes the drawing on purpose changes them, and says so in the changelog, because
    // results on other images cannot be compared.
    [Fact]
    public void Every_machine_draws_the_same_images()
    {
        var (train, test) = Shapes10.Load(500, 100);
        Assert.Equal("e844347055c575e699b8e6c5133ce59adb79fa32ee5c2918c5169727f00e9bf3", Hash(train));
        Assert.Equal("879c99e6c7aa4d9de0f6caf35bce88aa827fabbec79bd250dc54804f26170d37", Hash(test));
    }

    [Fact]
    public void An_image_depends_on_seed_split_and_index_alone()
    {
        var (train, test) = Shapes10.Load(40, 20);
        Assert.Equal(Hash(train), Hash(Shapes10.Load(70, 0).Train.Take(40)));
        Assert.Equal(Hash(test), Hash(Shapes10.Load(0, 30).Test.Take(20)));
        Assert.NotEqual(Hash(train.Take(20)), Hash(test));
        Assert.NotEqual(Hash(train), Hash(Shapes10.Load(40, 0, seed: 1).Train));
        Assert.Equal(40, Enumerable.Range(0, 40).Select(i => Convert.ToHexString(train.Image(i))).Distinct().Count());
    }

    [Fact]
    public void Every_class_comes_equally_often_under_its_name()
    {
        var (train, test) = Shapes10.Load(200, 100);
        Assert.Equal(["circle", "ring", "crescent", "square", "frame", "triangle", "star", "cross", "arrow", "heart"],
            train.ClassNames);
        Assert.All(train.Labels.CountBy(label => label), pair => Assert.Equal(20, pair.Value));
        Assert.All(test.Labels.CountBy(label => label), pair => Assert.Equal(10, pair.Value));
        Assert.Equal(("Shapes10", 32, 32, 3, 10),
            (train.Name, train.Height, train.Width, train.Channels, train.Classes));
        Assert.Equal((0, 0), (Shapes10.Load(0, 0).Train.Count, Shapes10.Load(0, 0).Test.Count));
    }

    [Fact]
    public void Mean_and_deviation_are_those_of_the_images()
    {
        var (train, test) = Shapes10.Load(3000, 1);
        var measured = PixelStatistics.Of([.. Enumerable.Range(0, 3000).SelectMany(i => train.Image(i).ToArray())], 3);
        for (var channel = 0; channel < 3; channel++)
        {
            // An image's mean varies by about 0.2 from one to the next, so 3000 of them are good for 0.2 / sqrt(3000) =
            // 0.004; four of those.
            Assert.Equal(measured[channel].Mean, train.Mean[channel], 0.015);
            Assert.Equal(measured[channel].Std, train.Std[channel], 0.015);
            Assert.Equal((train.Mean[channel], train.Std[channel]), (test.Mean[channel], test.Std[channel]));
        }
    }

    // ---- a linear model ---------------------------------------------------------------------------------------------

    // Softmax regression on the normalized pixels, by plain stochastic gradient descent; the share of test images that
    // it gets right.
    private static double LinearAccuracy(ImageDataset train, ImageDataset test, int epochs, float rate)
    {
        var length = train.Height * train.Width * train.Channels;
        // the last one multiplies a 1
        var weights = Enumerable.Range(0, train.Classes).Select(_ => new float[length + 1]).ToArray();

        float[][] Rows(Batch batch) => [.. batch.Images.ToFloats().Chunk(length).Select(row => (float[])[.. row, 1])];
        float[] Logits(float[] row) => [.. weights.Select(w => TensorPrimitives.Dot(w, row))];

        foreach (var batch in train.Batches(50, epochs, seed: 1))
        {
            foreach (var (row, label) in Rows(batch).Zip(batch.Labels))
            {
                var gradient = Logits(row);
                TensorPrimitives.SoftMax(gradient, gradient);
                gradient[label]--;
                for (var k = 0; k < train.Classes; k++)
                    TensorPrimitives.MultiplyAdd(row, -rate * gradient[k], weights[k], weights[k]);
            }
        }
        var correct = 0;
        foreach (var batch in test.InOrder(50))
            correct += Rows(batch).Zip(batch.Labels)
                .Count(pair => TensorPrimitives.IndexOfMax(Logits(pair.First)) == pair.Second);
        return (double)correct / test.Count;
    }

    [Fact]
    public void A_linear_model_of_the_pixels_stays_under_60_percent()
    {
        var (train, test) = Shapes10.Load(3000, 1000);
        Assert.InRange(LinearAccuracy(train, test, epochs: 3, rate: 1e-4f), 0, 0.6);
    }

    // The same linear model is no straw man: it learns blocks of brighter pixels, under noise, that stay in their
    // places. Without this, the test above might pass because the model learns nothing at all.
    [Fact]
    public void The_linear_model_learns_what_is_linear()
    {
        ImageDataset Blocks(int count, long seed)
        {
            var (images, random) = (new byte[count * 3072], new RandomSource(seed));
            for (var i = 0; i < images.Length; i++)
            {
                var (image, place) = (i / 3072, i % 3072);
                images[i] = (byte)((place / 306 == image % 10 ? 60 : 0) + (random.Bits(i) & 127));
            }
            return new ImageDataset("blocks", images, [.. Enumerable.Range(0, count).Select(i => i % 10)], (32, 32, 3),
                TestImages.ClassNames(10));
        }
        Assert.InRange(LinearAccuracy(Blocks(1000, 1), Blocks(300, 2), epochs: 2, rate: 1e-4f), 0.9, 1);
    }
}
