using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>The mean of several views' logits, written out pixel by pixel.</summary>
public sealed class TestViewsTests
{
    private const int N = 3, C = 2;

    // A classifier that tells every pixel from every other, and is not linear in them.
    private static Tensor Classify(Tensor images)
    {
        var size = images.Count / images.Shape[0];
        var weights = Tensor.Normal(new Shape(size, 4), new RandomSource(7));
        return (images.Reshape(images.Shape[0], size).MatrixProduct(weights) * 0.3).Tanh();
    }

    // The image whose pixel (y, x) is the one at (y + shift, x + shift), from right to left where it is flipped; what
    // would lie outside is as far inside.
    private static Tensor View(Tensor images, int shift, bool flip)
    {
        var (height, width) = (images.Shape[1], images.Shape[2]);
        var values = new List<double>();
        for (var n = 0; n < N; n++)
            for (var y = 0; y < height; y++)
                for (var x = 0; x < width; x++)
                    for (var c = 0; c < C; c++)
                        values.Add(images.At(n, Inside(y + shift, height),
                            Inside((flip ? width - 1 - x : x) + shift, width), c));
        return Tensor.From(values.ToArray(), images.Shape);

        static int Inside(int place, int length) =>
            length == 1 ? 0 : place < 0 ? 1 : place >= length ? length - 2 : place;
    }

    [Theory]
    [InlineData(5, 6)]
    [InlineData(2, 3)]
    [InlineData(1, 1)]
    public void Its_logits_are_the_weighed_mean_of_the_views(int height, int width)
    {
        var images = Tensor.Normal(new Shape(N, height, width, C), new RandomSource(1));
        double[] Logits(int shift, bool flip) => Classify(View(images, shift, flip)).ToDoubles();
        double[] Mean(params (double[] Logits, double Weight)[] views) => [.. Enumerable.Range(0, N * 4)
            .Select(i => views.Sum(view => view.Weight * view.Logits[i]))];
        var (centre, back, forth) = (Logits(0, false), Logits(-1, false), Logits(1, false));
        var (mirrored, mirroredBack, mirroredForth) = (Logits(0, true), Logits(-1, true), Logits(1, true));
        foreach (var (name, count, expected) in ((string, int, double[])[])[("none", 1, centre),
            ("flip", 2, Mean((centre, 0.5), (mirrored, 0.5))),
            ("shift", 3, Mean((centre, 0.5), (back, 0.25), (forth, 0.25))),
            ("flip+shift", 6, Mean((centre, 0.25), (back, 0.125), (forth, 0.125), (mirrored, 0.25),
                (mirroredBack, 0.125), (mirroredForth, 0.125)))])
        {
            var views = TestViews.Named(name)!;
            Assert.Equal((name, count), (views.ToString(), views.Count));
            foreach (var (wanted, found) in expected.Zip(views.Over(Classify)(images).ToDoubles()))
                Assert.Equal(wanted, found, 1e-6);
        }
        Assert.Null(TestViews.Named("flips"));
        Assert.Null(TestViews.Named(""));
    }

    [Fact]
    public void The_mean_of_views_outlives_what_they_took_and_is_not_recorded()
    {
        var images = Tensor.Normal(new Shape(N, 5, 6, C), new RandomSource(1));
        var weight = new Parameter("weight", Tensor.Scalar(1));
        using var tape = Tape.Evaluating();
        var logits = TestViews.All.Over(x => Classify(x) * weight)(images);
        Assert.Equal(0, tape.Count);
        Assert.Equal(new Shape(N, 4), logits.Shape);
        Assert.All(logits.ToDoubles(), logit => Assert.True(double.IsFinite(logit)));
    }
}
