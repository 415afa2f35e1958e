using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Examples.Cifar10;
using Xunit;

namespace Tapegrad.Tests.Program;

public sealed class GalleryTests
{
    // Thirty-two images of one pixel, each of another grey; all are of class 0. Every fourth is classified right.
    [Fact]
    public void The_most_confident_mistakes_come_first()
    {
        const int count = 32, shown = 24, columns = 6;
        var dataset = new ImageDataset("greys", [.. Enumerable.Range(0, count).Select(i => (byte)(7 * i))], new int[count], (1, 1, 1), ["no", "yes"]);
        var random = new Random(1);
        var scores = Enumerable.Range(0, count).Select(i => i % 4 == 0 ? -1f : (float)(1 + 3 * random.NextDouble())).ToArray();
        var gallery = new Gallery(dataset);
        foreach (var batch in scores.Chunk(10))   // as batches of an evaluation come
            gallery.Watch(Tensor.From([.. batch.SelectMany(score => new[] { 0, score })], new Shape(batch.Length, 2)));
        var picture = gallery.Draw()!;
        var expected = Enumerable.Range(0, count).Where(i => scores[i] > 0).OrderByDescending(i => scores[i]).Take(shown).Select(i => (byte)(7 * i));
        // The grey in the middle of each place: it is 192 pixels wide, and 210 after the one before.
        Assert.Equal(expected, Enumerable.Range(0, shown).Select(place =>
            picture.Pixels[3 * ((56 + place / columns * 259 + 96) * picture.Width + 18 + place % columns * 210 + 96)]));
    }

    // A picture with one place, beside the same words written by hand: first what the image was taken for, and how surely; below what it is.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_mistake_is_called_by_both_names(int label)
    {
        string[] names = ["no", "yes"];
        var gallery = new Gallery(new ImageDataset("one", [0], [label], (1, 1, 1), names));
        gallery.Watch(Tensor.From((float[])[label == 0 ? 0 : 10, label == 0 ? 10 : 0], new Shape(1, 2)));
        var picture = gallery.Draw()!;
        Picture Ink(Action<Picture> write)
        {
            var canvas = new Picture(picture.Height, picture.Width, 3, [.. Enumerable.Repeat((byte)250, picture.Pixels.Length)]);
            write(canvas);
            return canvas;
        }
        const int left = 18, below = 56 + 192 + 9, line = 20, sign = 12;
        var taken = Ink(canvas => PixelFont.Write(canvas, names[1 - label], below, left, 2, default));
        var sure = Ink(canvas => PixelFont.Write(canvas, "100%", below, left + 192 - 4 * sign, 2, default));
        var truth = Ink(canvas => PixelFont.Write(canvas, $"is {names[label]}", below + line, left, 2, default));
        for (var y = below; y < picture.Height; y++)
            for (var x = 0; x < picture.Width; x++)
            {
                var at = 3 * (y * picture.Width + x);
                var expected = ((Picture[])[taken, sure, truth]).Any(canvas => canvas.Pixels[at] == 0);
                Assert.True(expected == picture.Pixels[at] < 200, $"row {y}, column {x}");
            }
    }
}
