namespace Tapegrad.Datasets;

/// <summary>
/// Ten classes of shapes, 32 x 32 pixels in colour, as a stand-in for CIFAR-10 that needs no download: each image is
/// computed from (seed, split, index). A shape of one of ten kinds, anywhere, large or small, a little turned, light on
/// a dark ground or dark on a light one, with a few lines and blobs of any colour beneath it and noise over it.
/// </summary>
/// <remarks>
/// Light shapes are as frequent as dark ones, and as far from their ground, so the mean image of every class is the
/// same grey and a linear model of the pixels has almost nothing to go by.
/// Only integers and + - * / and square roots of doubles go into a pixel, which IEEE 754 rounds in one way: every
/// machine makes the same bytes.
/// </remarks>
public static class Shapes10
{
    /// <summary>What the dataset is called, in a network's file too.</summary>
    public const string Name = nameof(Shapes10);

    private const int Side = 32;
    // a pixel is covered by the share of its 3 x 3 sample points that lie inside the shape
    private const int Samples = 3;

    /// <summary>Per channel, the mean of value / 255.</summary>
    public static IReadOnlyList<double> Mean { get; } = [0.5, 0.5, 0.5];

    /// <summary>Per channel, the standard deviation of value / 255.</summary>
    public static IReadOnlyList<double> Std { get; } = [0.301, 0.301, 0.301];

    /// <summary>The first images of an endless sequence for training and of another one for testing.</summary>
    /// <param name="trainCount">Images to train on.</param>
    /// <param name="testCount">Images to test on.</param>
    /// <param name="seed">Another seed gives other images of the same kind.</param>
    public static (ImageDataset Train, ImageDataset Test) Load(int trainCount = 50_000, int testCount = 10_000,
        long seed = 0)
    {
        var random = new RandomSource(seed);
        return (Make(trainCount, random.Split(0)), Make(testCount, random.Split(1)));
    }

    private static ImageDataset Make(int count, RandomSource random)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        var images = new byte[checked(count * Side * Side * 3)];
        var labels = new int[count];
        Parallel.For(0, count, index =>
        {
            labels[index] = index % Outline.All.Count;   // every ten neighbours show every class
            Paint(Outline.All[labels[index]], random.Split(index),
                images.AsSpan(index * Side * Side * 3, Side * Side * 3));
        });
        return new ImageDataset(Name, images, labels, (Side, Side, 3),
            [.. Outline.All.Select(outline => outline.Name)], Mean, Std);
    }

    private static void Paint(Outline outline, RandomSource random, Span<byte> image)
    {
        var draws = new Draws(random.Split(0));
        Span<double> canvas = stackalloc double[Side * Side * 3];
        var (dark, light) = (draws.Colour(0, 112), draws.Colour(144, 112));
        var shapeIsDark = draws.Below(2) == 1;
        PaintGround(canvas, shapeIsDark ? light : dark, ref draws);
        for (var lines = draws.Below(4); lines > 0; lines--) PaintLine(canvas, ref draws);
        for (var blobs = draws.Below(4); blobs > 0; blobs--) PaintBlob(canvas, ref draws);
        PaintShape(canvas, outline, shapeIsDark ? dark : light, ref draws);
        AddNoise(canvas, random.Split(1), image);
    }

    // The ground's colour in the middle, changing evenly from side to side.
    private static void PaintGround(Span<double> canvas, ReadOnlySpan<double> colour, ref Draws draws)
    {
        var (across, down) = (draws.Between(-1.2, 1.2), draws.Between(-1.2, 1.2));   // levels a pixel
        for (var y = 0; y < Side; y++)
            for (var x = 0; x < Side; x++)
                for (var channel = 0; channel < 3; channel++)
                    canvas[3 * (Side * y + x) + channel] = colour[channel] + across * (x - Side / 2)
                        + down * (y - Side / 2);
    }

    private static void PaintLine(Span<double> canvas, ref Draws draws)
    {
        var (x0, y0) = (draws.Between(0, Side), draws.Between(0, Side));
        var (across, down) = (draws.Between(-1, 1), draws.Between(-1, 1));
        var length = Math.Sqrt(across * across + down * down) + 1e-6;
        var colour = draws.Colour(0, 256);
        for (var y = 0; y < Side; y++)
            for (var x = 0; x < Side; x++)
                Blend(canvas, x, y, colour, 1.2 - Math.Abs((x + 0.5 - x0) * down - (y + 0.5 - y0) * across) / length);
    }

    private static void PaintBlob(Span<double> canvas, ref Draws draws)
    {
        var (x0, y0, radius) = (draws.Between(0, Side), draws.Between(0, Side), draws.Between(1, 2.5));
        var colour = draws.Colour(0, 256);
        for (var y = First(y0 - radius - 1); y < End(y0 + radius + 1); y++)
            for (var x = First(x0 - radius - 1); x < End(x0 + radius + 1); x++)
                Blend(canvas, x, y, colour,
                    radius + 0.5 - Math.Sqrt((x + 0.5 - x0) * (x + 0.5 - x0) + (y + 0.5 - y0) * (y + 0.5 - y0)));
    }

    private static void PaintShape(Span<double> canvas, Outline outline, ReadOnlySpan<double> colour, ref Draws draws)
    {
        var radius = draws.Between(7, 12);
        var (x0, y0) = (draws.Between(radius, Side - radius), draws.Between(radius, Side - radius));
        var tangent = draws.Between(-0.15, 0.15);   // of half the angle: at most 17 degrees to either side
        var cosine = (1 - tangent * tangent) / (1 + tangent * tangent);
        var sine = 2 * tangent / (1 + tangent * tangent);
        var reach = radius * Outline.Reach;
        for (var y = First(y0 - reach); y < End(y0 + reach); y++)
            for (var x = First(x0 - reach); x < End(x0 + reach); x++)
            {
                var inside = 0;
                for (var sample = 0; sample < Samples * Samples; sample++)
                {
                    // The sample point as seen from the shape's middle, in units of its radius, y upwards, turned back.
                    var u = (x - x0 + (sample % Samples + 0.5) / Samples) / radius;
                    var v = (y0 - y - (sample / Samples + 0.5) / Samples) / radius;
                    if (outline.Contains(cosine * u + sine * v, cosine * v - sine * u)) inside++;
                }
                Blend(canvas, x, y, colour, (double)inside / (Samples * Samples));
            }
    }

    // The pixels that a stretch of the picture touches.
    private static int First(double from) => Math.Max(0, (int)from);

    private static int End(double to) => Math.Min(Side, (int)to + 1);

    private static void Blend(Span<double> canvas, int x, int y, ReadOnlySpan<double> colour, double share)
    {
        if (share <= 0) return;
        share = Math.Min(share, 1);
        for (var channel = 0; channel < 3; channel++)
        {
            ref var value = ref canvas[3 * (Side * y + x) + channel];
            value += (colour[channel] - value) * share;
        }
    }

    // Evenly spread over about -20 to 20 levels: a random byte for each value, four to a draw.
    private static void AddNoise(ReadOnlySpan<double> canvas, RandomSource random, Span<byte> image)
    {
        uint bits = 0;
        for (var i = 0; i < image.Length; i++, bits >>= 8)
        {
            if (i % 4 == 0) bits = random.Bits(i / 4);
            var noise = (bits & 255) * (40 / 255.0) - 20;
            image[i] = (byte)Math.Clamp((int)(canvas[i] + noise + 0.5), 0, 255);
        }
    }

    // Reads a random source from its beginning, one number after the other.
    private struct Draws(RandomSource random)
    {
        private long next;

        public int Below(int bound) => random.Below(bound, next++);

        public double Between(double low, double high) => low + (high - low) * random.Uniform(next++);

        public double[] Colour(int lowest, int levels) =>
            [lowest + Below(levels), lowest + Below(levels), lowest + Below(levels)];
    }
}
