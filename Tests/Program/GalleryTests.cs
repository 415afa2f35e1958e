using Tapegrad.Datasets;
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
}
