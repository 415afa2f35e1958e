using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>What the outputs of a whitening have in common, on the images that it was made from.</summary>
public sealed class WhiteningTests : EngineTest
{
    private static readonly Gen<(int Channels, Size2d Kernel, int Seed)> Cases =
        from channels in Gen.Choose(1, 4)
        from height in Gen.Choose(1, 3)
        from width in Gen.Choose(1, 3)
        from seed in Gen.Choose(0, int.MaxValue)
        select (channels, new Size2d(height, width), seed);

    // Neighbours are alike, and channels too.
    private static Tensor Images(int channels, int seed)
    {
        var noise = Tensor.Normal(new Shape(6, 11, 12, channels), new RandomSource(seed));
        var mixing = Tensor.Normal(new Shape(2, 2, channels, channels), new RandomSource(seed + 1L));
        return noise.Conv2d(mixing) + noise.Slice([0, 0, 0, 0], [6, 10, 11, channels], [1, 1, 1, 1]) * 0.3;
    }

    // The mean of y y^T over all positions of all images, for the first of the outputs.
    private static double[] MeanProduct(Tensor y, int first)
    {
        var rows = y.Reshape(y.Count / y.Shape[-1], y.Shape[-1]).Slice(1, 0, first);
        return (rows.MatrixProduct(rows, transposeA: true) / rows.Shape[0]).ToDoubles();
    }

    [Fact]
    public void The_first_half_of_its_outputs_is_uncorrelated_and_of_size_one_and_the_second_is_its_negative() =>
        Prop.ForAll(Cases.ToArbitrary(), drawn =>
        {
            using var _ = Device.Use(Device.Reference);   // FsCheck's thread may be another one
            var images = Images(drawn.Channels, drawn.Seed);
            var size = drawn.Channels * drawn.Kernel.Height * drawn.Kernel.Width;
            var layer = new Whitening(drawn.Channels, drawn.Kernel, eps: 1e-12);
            layer.AdaptTo([images]);
            var y = layer.Apply(images);
            Assert.Equal(new Shape(6, 11 - drawn.Kernel.Height, 12 - drawn.Kernel.Width, 2 * size), y.Shape);
            var products = MeanProduct(y, size);
            for (var i = 0; i < products.Length; i++)
                Assert.Equal(i % (size + 1) == 0 ? 1 : 0, products[i], 1e-6);
            Assert.Equal(y.Slice(-1, 0, size).ToDoubles(), (-y.Slice(-1, size, size)).ToDoubles());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void What_varies_less_than_eps_stays_small()
    {
        var images = Images(3, seed: 5);
        var (exact, usual) = (new Whitening(3, 2, eps: 1e-12), new Whitening(3, 2, eps: 0.5));
        exact.AdaptTo([images]);
        usual.AdaptTo([images]);
        // Each direction has the mean square lambda / (lambda + eps), and its length is 1 / sqrt(lambda + eps).
        var (squares, before) = (MeanProduct(usual.Apply(images), 12), 1.0);
        for (var i = 0; i < 12; i++)
        {
            double Length(Whitening layer) =>
                layer.Weight.Value.Slice(-1, i, 1).ToDoubles().Sum(number => number * number);
            var lambda = 1 / Length(exact);
            Near(lambda / (lambda + 0.5), squares[i * 13], 1e-9);
            Near(1 / (lambda + 0.5), Length(usual), 1e-9);
            Assert.InRange(squares[i * 13], 0, before);   // the largest first
            before = squares[i * 13];
        }
        Assert.Equal(5e-4, new Whitening(3, 2).Eps);
    }

    [Fact]
    public void How_the_images_are_cut_into_batches_makes_no_difference()
    {
        var images = Images(2, seed: 3);
        var (whole, parts) = (new Whitening(2, 2), new Whitening(2, 2));
        whole.AdaptTo([images]);
        parts.AdaptTo([images.Slice(0, 0, 1), images.Slice(0, 1, 0), images.Slice(0, 1, 5)]);
        Assert.Equal(whole.Weight.Value.ToDoubles(), parts.Weight.Value.ToDoubles());
    }

    // Black images, each another grey: one direction varies, and the others not at all.
    [Fact]
    public void Images_that_vary_in_one_way_only_give_finite_weights()
    {
        var layer = new Whitening(3, 2);
        layer.AdaptTo([Tensor.Normal(new Shape(5, 1, 1, 1), Random).BroadcastTo(new Shape(5, 4, 4, 3))]);
        Assert.All(layer.Weight.Value.ToDoubles(), number => Assert.InRange(Math.Abs(number), 0, 1 / Math.Sqrt(5e-4)));
        layer.AdaptTo([Tensor.Zeros(new Shape(1, 2, 2, 3))]);
        Assert.All(layer.Weight.Value.ToDoubles(), number => Assert.InRange(Math.Abs(number), 0, 1 / Math.Sqrt(5e-4)));
    }

    [Fact]
    public void Only_its_bias_is_learned_and_before_it_knows_images_it_shows_their_pixels()
    {
        var layer = new Whitening(2, new Size2d(1, 2));
        Assert.Equal(["bias"], layer.Parameters.Select(parameter => parameter.Name));
        Assert.Equal(["weight", "bias"], layer.State.Select(parameter => parameter.Name));
        Assert.Equal("2 -> 8, kernel 1x2, eps 5e-4", layer.Settings);
        var x = Vector(1, 2, 3, 4, 5, 6).Reshape(1, 1, 3, 2);
        layer.Bias!.Value = Vector(0, 0, 0, 0, 0, 0, 0, 10);
        Near([1, 2, 3, 4, -1, -2, -3, 6, 3, 4, 5, 6, -3, -4, -5, 4], layer.Apply(x));
        using var tape = Tape.Training(Random);
        var gradients = tape.Gradients(Weigh(layer.Apply(x)));
        Assert.Same(layer.Bias, Assert.Single(gradients.Parameters));
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    [InlineData(1e200)]   // its square is no double
    public void An_image_that_would_make_weights_of_no_numbers_is_named(double pixel)
    {
        var layer = new Whitening(2, 2);
        layer.AdaptTo([Images(2, seed: 1)]);
        var (before, numbers) = (layer.Weight.Value.ToDoubles(), Images(2, seed: 2).ToDoubles());
        numbers[^1] = pixel;   // the last of the second six
        Throws<ArgumentException>(
            () => layer.AdaptTo([Images(2, seed: 1), Tensor.From(numbers, Images(2, seed: 2).Shape)]),
            "image 11", "NaN");
        Assert.Equal(before, layer.Weight.Value.ToDoubles());
    }

    [Fact]
    public void Images_that_it_cannot_be_made_from_are_refused()
    {
        Throws<ShapeException>(() => new Whitening(3, 2).AdaptTo([Tensor.Zeros(new Shape(1, 4, 4, 2))]), "[1, 4, 4, 2]",
            "[N, H, W, 3]");
        foreach (var none in (Tensor[][])[[], [Tensor.Zeros(new Shape(0, 4, 4, 3))],
            [Tensor.Zeros(new Shape(4, 1, 4, 3))]])
            Throws<ShapeException>(() => new Whitening(3, 2).AdaptTo(none), "there is no patch of 2");
        Throws<ShapeException>(() => new Whitening(0, 2), "0 input channels", "at least one");
        foreach (var wrong in (double[])[0, -1, double.NaN, double.PositiveInfinity])
            Throws<ArgumentOutOfRangeException>(() => new Whitening(3, 2, wrong), "eps");
    }
}
