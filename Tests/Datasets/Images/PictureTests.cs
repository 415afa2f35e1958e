using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Datasets.Images;

public sealed class PictureTests
{
    private static Picture Noise(int height, int width, int channels, int seed = 1)
    {
        var pixels = new byte[height * width * channels];
        new Random(seed).NextBytes(pixels);
        return new Picture(height, width, channels, pixels);
    }

    [Fact]
    public void Refuses_what_is_no_picture()
    {
        foreach (var (height, width, channels, length) in ((int, int, int, int)[])[(0, 1, 1, 0), (1, 0, 1, 0),
            (1, 1, 0, 0), (1, 1, 5, 5), (2, 3, 1, 5), (1, 1, 1, 2)])
            Assert.Throws<ArgumentException>(() => new Picture(height, width, channels, new byte[length]));
    }

    [Fact]
    public void Becomes_grey_or_coloured_on_white()
    {
        static byte[] Converted(int channels, params byte[] pixel) =>
            new Picture(1, 1, pixel.Length, pixel).WithChannels(channels).Pixels;
        Assert.Equal([7, 7, 7], Converted(3, 7));
        Assert.Equal([7], Converted(1, 7));
        Assert.Equal([1, 2, 3], Converted(3, 1, 2, 3));
        // Halfway to 255: 100 * 128 / 255 + 127 = 177.2.
        Assert.Equal([177, 177, 177], Converted(3, 100, 128));
        Assert.Equal([255, 100, 0], Converted(3, 255, 100, 0, 255));
        Assert.Equal([255, 255, 255], Converted(3, 1, 2, 3, 0));
        // 0.299, 0.587, 0.114 of 255.
        Assert.Equal([76, 150, 29],
            ((byte[][])[Converted(1, 255, 0, 0), Converted(1, 0, 255, 0), Converted(1, 0, 0, 255)]).SelectMany(x => x));
        // red and blue become 67, and 0.587 * 255 + 0.413 * 67 = 177.4
        Assert.Equal([177], Converted(1, 0, 255, 0, 188));
        Assert.Throws<ArgumentOutOfRangeException>(() => Converted(2, 1));
        var two = new Picture(1, 2, 4, [1, 2, 3, 255, 4, 5, 6, 255]).WithChannels(3);
        Assert.Equal([1, 2, 3, 4, 5, 6], two.Pixels);
    }

    // The mean over the area that a pixel covers, as an integral in doubles.
    private static double Mean(Picture source, int side, int y, int x, int c)
    {
        var n = Math.Min(source.Height, source.Width);
        var (top, left, scale) = ((source.Height - n) / 2, (source.Width - n) / 2, (double)n / side);
        double sum = 0;
        for (var i = 0; i < n; i++)
            for (var j = 0; j < n; j++)
            {
                var rows = Math.Max(0, Math.Min(i + 1, (y + 1) * scale) - Math.Max(i, y * scale));
                var columns = Math.Max(0, Math.Min(j + 1, (x + 1) * scale) - Math.Max(j, x * scale));
                sum += rows * columns * source.Pixels[((top + i) * source.Width + left + j) * source.Channels + c];
            }
        return sum / (scale * scale);
    }

    [Fact]
    public void A_square_is_the_mean_of_areas_in_the_middle()
    {
        foreach (var (height, width, side) in ((int, int, int)[])[(6, 6, 3), (7, 12, 4), (13, 5, 5), (1, 1, 3),
            (2, 9, 7), (11, 11, 1), (30, 17, 8),
            (3, 4, 11)])
        {
            var source = Noise(height, width, 3, seed: side);
            var square = source.Square(side);
            Assert.Equal((side, side, 3), (square.Height, square.Width, square.Channels));
            for (var i = 0; i < square.Pixels.Length; i++)
                Assert.Equal(Mean(source, side, i / 3 / side, i / 3 % side, i % 3), square.Pixels[i], 0.5 + 1e-9);
        }
        Assert.Throws<ArgumentOutOfRangeException>(() => Noise(2, 2, 1).Square(0));
    }

    [Fact]
    public void A_square_of_its_own_size_and_of_one_colour_stays_as_it_is()
    {
        var source = Noise(5, 5, 2);
        Assert.Equal(source.Pixels, source.Square(5).Pixels);
        var wide = Noise(4, 7, 2);
        Assert.Equal(wide.Pixels.Chunk(14).SelectMany(row => row[2..10]), wide.Square(4).Pixels);
        Assert.All(new Picture(1000, 700, 1, [.. Enumerable.Repeat((byte)255, 700_000)]).Square(32).Pixels, level =>
            Assert.Equal(255, level));
    }
}
