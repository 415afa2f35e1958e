using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class AugmentTests
{
    private const int H = 5, W = 6, C = 2;

    // One picture, many times: 5 x 6 pixels of 2 channels, every byte another one and none of them 0.
    private static readonly byte[] Picture = [.. Enumerable.Range(1, H * W * C).Select(i => (byte)(3 * i))];

    private static byte[][] Shown(Augment augment, int count, int epoch = 1, long seed = 1)
    {
        var images = Enumerable.Repeat(Picture, count).SelectMany(picture => picture).ToArray();
        var dataset = new ImageDataset("pictures", images, new int[count], (H, W, C), ["one"], [0, 0], [1, 1]);
        return [.. TestImages.Bytes(dataset.Batches(count, 1, seed, augment, firstEpoch: epoch).First())
            .Chunk(H * W * C)];
    }

    // What the words say, pixel by pixel: a black border, a window at (top, left) in it, and then left and right
    // exchanged.
    private static byte[] Expected(int padding, int top, int left, bool flip)
    {
        var padded = new byte[H + 2 * padding, W + 2 * padding, C];
        for (var i = 0; i < Picture.Length; i++) padded[padding + i / C / W, padding + i / C % W, i % C] = Picture[i];
        var result = new byte[H * W * C];
        for (var y = 0; y < H; y++)
            for (var x = 0; x < W; x++)
                for (var c = 0; c < C; c++)
                    result[(y * W + (flip ? W - 1 - x : x)) * C + c] = padded[top + y, left + x, c];
        return result;
    }

    // The same with a border that goes on as the image does backwards: rows 0 1 2 3 4 stand as 2 1 0 1 2 3 4 3 2.
    private static byte[] Reflected(int padding, int top, int left, bool flip)
    {
        static int[] Places(int length, int padding) =>
            [.. Enumerable.Range(1, padding).Reverse(), .. Enumerable.Range(0, length),
                .. Enumerable.Range(length - 1 - padding, padding).Reverse()];
        var (rows, columns) = (Places(H, padding), Places(W, padding));
        return [.. from y in Enumerable.Range(0, H)
                   from x in Enumerable.Range(0, W)
                   from c in Enumerable.Range(0, C)
                   select Picture[(rows[top + y] * W + columns[left + (flip ? W - 1 - x : x)]) * C + c]];
    }

    private static (int Top, int Left, bool Flip)[] Ways(int padding, bool flips) =>
        [.. from top in Enumerable.Range(0, 2 * padding + 1)
            from left in Enumerable.Range(0, 2 * padding + 1)
            from flip in flips ? new[] { false, true } : [false]
            select (top, left, flip)];

    // How often each way of cropping and flipping was taken.
    private static Dictionary<(int Top, int Left, bool Flip), int> Count(byte[][] shown, int padding, bool flips)
    {
        var ways = Ways(padding, flips)
            .ToDictionary(way => Convert.ToHexString(Expected(padding, way.Top, way.Left, way.Flip)));
        return shown.GroupBy(image => ways[Convert.ToHexString(image)])
            .ToDictionary(group => group.Key, group => group.Count());
    }

    [Fact]
    public void None_leaves_the_image()
    {
        Assert.All(Shown(Augment.None, 20), image => Assert.Equal(Picture, image));
    }

    [Fact]
    public void Flip_mirrors_half_of_the_images_from_left_to_right()
    {
        var counts = Count(Shown(Augment.Flip, 1000), 0, flips: true);
        // Binomial with deviation 16: four of them to either side.
        Assert.InRange(counts[(0, 0, true)], 436, 564);
        Assert.Equal(1000, counts.Values.Sum());
    }

    [Fact]
    public void Crop_takes_every_window_of_the_padded_image_equally_often()
    {
        var counts = Count(Shown(Augment.Crop(4), 8100), 4, flips: false);
        Assert.Equal(81, counts.Count);   // tops and lefts 0 to 8
        // 100 expected each, deviation 10: five of them to either side.
        Assert.All(counts.Values, count => Assert.InRange(count, 50, 150));
    }

    [Fact]
    public void CropAndFlip_takes_every_window_both_ways()
    {
        var counts = Count(Shown(Augment.CropAndFlip, 16200), 4, flips: true);
        Assert.Equal(162, counts.Count);
        Assert.All(counts.Values, count => Assert.InRange(count, 50, 150));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]   // as wide as an image of 5 pixels has a reflection
    public void A_border_that_reflects_goes_on_backwards(int padding)
    {
        var reflecting = Augment.Crop(padding) with { Flips = true, Reflects = true };
        var count = 100 * 2 * (2 * padding + 1) * (2 * padding + 1);
        var (shown, framed) = (Shown(reflecting, count), Shown(reflecting with { Reflects = false }, count));
        var ways = Ways(padding, flips: true);
        var counts = ways.ToDictionary(way => way, _ => 0);
        var which = ways.ToDictionary(way => Convert.ToHexString(Expected(padding, way.Top, way.Left, way.Flip)));
        foreach (var (image, black) in shown.Zip(framed))
        {
            var way = which[Convert.ToHexString(black)];   // the same window is drawn
            Assert.Equal(Reflected(padding, way.Top, way.Left, way.Flip), image);
            counts[way]++;
        }
        Assert.All(counts.Values, number => Assert.InRange(number, 50, 150));
    }

    [Fact]
    public void A_border_that_has_no_reflection_is_refused()
    {
        Assert.Contains("images of 5x6", Assert.Throws<ArgumentException>(() =>
            Shown(Augment.Crop(5) with { Reflects = true }, 1)).Message);
        Assert.Equal(Picture, Shown(Augment.None with { Reflects = true }, 1)[0]);
        Shown(Augment.Crop(5), 1);
    }

    // Forty pictures, each of its own label: in which epochs each is shown flipped.
    private static bool[][] FlipsOf(Augment augment, int epochs, int batch, long seed, int firstEpoch = 1)
    {
        const int count = 40;
        byte[] images = [.. Enumerable.Range(0, count).SelectMany(i => Picture.Select(value => (byte)(value + i)))];
        var dataset = new ImageDataset("pictures", images, [.. Enumerable.Range(0, count)], (H, W, C),
            [.. Enumerable.Range(0, count).Select(i => $"{i}")], [0, 0], [1, 1]);
        var flips = new bool[count][];
        for (var i = 0; i < count; i++) flips[i] = new bool[epochs];
        foreach (var shown in dataset.Batches(batch, epochs, seed, augment, firstEpoch))
            foreach (var (label, image) in shown.Labels.Zip(TestImages.Bytes(shown).Chunk(H * W * C)))
                flips[label][shown.Epoch - firstEpoch] = image[0] != Picture[0] + label;
        return flips;
    }

    [Fact]
    public void Flips_that_alternate_show_both_sides_of_every_image_in_any_two_epochs()
    {
        var alternating = Augment.Flip with { Alternates = true };
        var flips = FlipsOf(alternating, epochs: 6, batch: 8, seed: 1);
        Assert.All(flips, ofImage =>
            Assert.All(ofImage.Zip(ofImage[1..]), epochs => Assert.NotEqual(epochs.First, epochs.Second)));
        Assert.InRange(flips.Count(ofImage => ofImage[0]), 8, 32);   // half of them, with a deviation of 3.2
        Assert.Equal(flips, FlipsOf(alternating, epochs: 6, batch: 5, seed: 1));
        Assert.NotEqual(flips, FlipsOf(alternating, epochs: 6, batch: 8, seed: 2));
        Assert.Equal(flips.Select(ofImage => ofImage[2..]),
            FlipsOf(alternating, epochs: 4, batch: 8, seed: 1, firstEpoch: 3));
        // by chance, some are flipped twice in a row
        Assert.Contains(FlipsOf(Augment.Flip, epochs: 6, batch: 8, seed: 1), ofImage => ofImage[0] == ofImage[1]);
        Assert.All(FlipsOf(Augment.None with { Alternates = true }, epochs: 2, batch: 8, seed: 1), ofImage =>
            Assert.Equal([false, false], ofImage));
    }

    // Only which images are flipped is another one.
    [Fact]
    public void Flips_that_alternate_move_nothing_else()
    {
        var usual = Augment.Crop(2) with { Cutout = 2, Flips = true };
        var (plain, alternating) = (Shown(usual with { Flips = false, Cutout = 0 }, 100),
            Shown(usual with { Alternates = true, Cutout = 0 }, 100));
        Assert.All(plain.Zip(alternating), pair => Assert.True(pair.First.SequenceEqual(pair.Second)
            || Mirrored(pair.First).SequenceEqual(pair.Second)));
        Assert.Equal(Squares(usual), Squares(usual with { Alternates = true }));

        static byte[] Mirrored(byte[] image) =>
            [.. image.Chunk(W * C).SelectMany(row => row.Chunk(C).Reverse().SelectMany(pixel => pixel))];
        // Where the square lies, of images without a border.
        static bool[][] Squares(Augment augment) => [.. Shown(augment with { Padding = 0 }, 100)
            .Select(image => image.Select(value => value == 0).ToArray())];
    }

    [Fact]
    public void The_border_is_as_black_as_black_pixels_are()
    {
        // One white pixel in a border of 3: most windows show only the border, as (0 - mean) / std of each channel.
        var dataset = new ImageDataset("white", [255, 255], [0], (1, 1, 2), ["one"], [0.5, 0.25], [0.1, 0.5]);
        var values = dataset.Batches(1, epochs: 20, seed: 1, Augment.Crop(3)).Select(batch => batch.Images.ToFloats())
            .ToArray();
        Assert.Contains(values, value => value.SequenceEqual([(float)(-0.5 / 0.1), (float)(-0.25 / 0.5)]));
        Assert.All(values, value => Assert.True(value[0] is (float)(-0.5 / 0.1) or (float)(0.5 / 0.1)));
    }

    [Fact]
    public void Every_image_epoch_and_seed_draws_anew()
    {
        var first = Shown(Augment.CropAndFlip, 50);
        Assert.True(first.Select(Convert.ToHexString).Distinct().Count() > 30);
        Assert.NotEqual(first, Shown(Augment.CropAndFlip, 50, epoch: 2));
        Assert.NotEqual(first, Shown(Augment.CropAndFlip, 50, seed: 2));
        Assert.Equal(first, Shown(Augment.CropAndFlip, 50));
    }

    [Fact]
    public void The_choice_reads_as_it_was_made()
    {
        Assert.Equal((4, true), (Augment.CropAndFlip.Padding, Augment.CropAndFlip.Flips));
        Assert.Equal((2, false), (Augment.Crop(2).Padding, Augment.Crop(2).Flips));
        Assert.Equal(Augment.None, Augment.Crop(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => Augment.Crop(-1));
    }

    // A square around a centre anywhere: 5 x 6 of them, cut off at the image's edges. That of an even side begins half
    // of it above and left of its centre.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Cutout_paints_a_square_over(int side)
    {
        static int[] Covered(int centre, int side, int length) =>
            [.. Enumerable.Range(0, length)
                .Where(place => 2 * (place - centre) >= -side && 2 * (place - centre) < side)];
        var expected = from y in Enumerable.Range(0, H)
                       from x in Enumerable.Range(0, W)
                       select string.Join(",", Covered(y, side, H)
                           .SelectMany(row => Covered(x, side, W).Select(column => row * W + column)));
        var squares = new Dictionary<string, int>();
        foreach (var image in Shown(Augment.None with { Cutout = side }, 3000))
        {
            var gone = Enumerable.Range(0, H * W).Where(pixel => image[pixel * C] == 0 && image[pixel * C + 1] == 0)
                .ToArray();
            Assert.All(Enumerable.Range(0, H * W).Except(gone), pixel =>
                Assert.Equal(Picture[(pixel * C)..(pixel * C + C)], image[(pixel * C)..(pixel * C + C)]));
            var square = string.Join(",", gone);
            squares[square] = squares.GetValueOrDefault(square) + 1;
        }
        Assert.Equal(expected.Order(), squares.Keys.Order());
        Assert.All(squares.Values, count => Assert.InRange(count, 55, 150));   // 100 each, with a deviation of 10
    }

    [Fact]
    public void A_cutout_comes_last_and_moves_nothing_else()
    {
        var (plain, cut) = (Shown(Augment.CropAndFlip, 200), Shown(Augment.CropAndFlip with { Cutout = 3 }, 200));
        Assert.All(plain.Zip(cut), pair =>
            Assert.All(pair.First.Zip(pair.Second), bytes =>
                Assert.True(bytes.Second == bytes.First || bytes.Second == 0)));
        Assert.All(Shown(Augment.None with { Cutout = 100 }, 20), image =>
            Assert.All(image, value => Assert.Equal(0, value)));
        Assert.Throws<ArgumentOutOfRangeException>(() => Augment.None with { Cutout = -1 });
        Assert.Throws<ArgumentOutOfRangeException>(() => Augment.None with { Padding = -1 });
    }

    // Behind crop and flip and before the square, on numbers of its own: with and without it, the others do the same;
    // and the same for any batch.
    [Fact]
    public void A_change_of_ones_own_comes_between_and_moves_nothing_else()
    {
        static void Darken(Span<float> image, (int Height, int Width, int Channels) size, RandomSource random)
        {
            Assert.Equal((H, W, C, H * W * C), (size.Height, size.Width, size.Channels, image.Length));
            var by = (1 + random.Below(3, 0)) / 4f;
            for (var i = 0; i < image.Length; i++) image[i] *= by;
        }
        var usual = Augment.CropAndFlip with { Cutout = 2 };
        var own = usual with { Transform = Darken };
        var dataset = new ImageDataset("pictures", [.. Enumerable.Repeat(Picture, 60).SelectMany(picture => picture)],
            new int[60], (H, W, C), ["one"], [0, 0], [1, 1]);
        float[] Numbers(Augment augment, int size) =>
            [.. dataset.Batches(size, 2, 1, augment).SelectMany(batch => batch.Images.ToFloats())];
        var (plain, changed) = (Numbers(usual, 12).Chunk(H * W * C).ToArray(),
            Numbers(own, 12).Chunk(H * W * C).ToArray());
        var factors = plain.Zip(changed, (before, after) =>
        {
            var at = Array.FindIndex(before, number => number != 0);
            var by = at < 0 ? 0.25f : MathF.Round(4 * after[at] / before[at]) / 4;   // one of the three
            Assert.Equal(before.Select(number => number * by), after);
            return by;
        }).ToArray();
        Assert.Equal([0.25f, 0.5f, 0.75f], factors.Distinct().Order());
        Assert.NotEqual(factors[..60], factors[60..]);   // anew in the second epoch
        foreach (var size in (int[])[1, 4, 60]) Assert.Equal(Numbers(own, 12), Numbers(own, size));
    }

    [Fact]
    public void A_change_of_ones_own_that_fails_ends_the_loop_with_its_exception()
    {
        var augment = Augment.None with { Transform = (_, _, _) => throw new InvalidOperationException("mine") };
        Assert.Equal("mine", Assert.Throws<InvalidOperationException>(() => Shown(augment, 5)).Message);
    }
}
