using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The mistakes that a network was most confident about, as a picture: each image, enlarged, with what it was taken for, how surely, and what it is.
/// </summary>
internal sealed class Gallery(ImageDataset dataset)
{
    private const int Columns = 6, Most = 24, CellWidth = 192, Gap = 18, Scale = 2, Line = 10 * Scale;
    private static readonly (byte, byte, byte) Paper = (250, 250, 247), Wrong = (178, 34, 34), Right = (70, 70, 70), Title = (20, 20, 20);

    private readonly List<(int Image, int Taken, float Probability)> mistakes = [];
    private int seen;

    /// <summary>Looks at the next images' logits, in the dataset's order, and hands them on.</summary>
    public Tensor Watch(Tensor logits)
    {
        var (probabilities, classes) = (logits.LogSoftmax().Exp().ToFloats(), logits.Shape[1]);
        foreach (var row in probabilities.Chunk(classes))
        {
            var taken = Array.IndexOf(row, row.Max());
            if (taken != dataset.Labels[seen]) mistakes.Add((seen, taken, row[taken]));
            seen++;
        }
        return logits;
    }

    /// <summary>Draws them, the most confident one first; null when there are none.</summary>
    public Picture? Draw()
    {
        if (mistakes.Count == 0) return null;
        var shown = mistakes.OrderByDescending(mistake => mistake.Probability).Take(Most).ToArray();
        var times = Math.Max(1, CellWidth / Math.Max(dataset.Height, dataset.Width));
        var (width, height) = (Math.Max(CellWidth, times * dataset.Width), times * dataset.Height + Gap / 2 + 2 * Line);
        var (columns, rows) = (Columns, (shown.Length + Columns - 1) / Columns);
        var canvas = New(Gap + Line + rows * (height + Gap) + Gap, Gap + columns * (width + Gap));
        PixelFont.Write(canvas, $"{shown.Length} of {mistakes.Count} mistakes among {seen} images, the most confident first", Gap, Gap, Scale, Title);
        foreach (var (place, (image, taken, probability)) in shown.Index())
        {
            var (top, left) = (2 * Gap + Line + place / columns * (height + Gap), Gap + place % columns * (width + Gap));
            DrawImage(canvas, image, top, left, times);
            top += times * dataset.Height + Gap / 2;
            var (sure, room) = (string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{100 * probability:F0}%"),
                width / (PixelFont.Advance * Scale));
            PixelFont.Write(canvas, Shortened(dataset.ClassNames[taken], room - sure.Length - 1), top, left, Scale, Wrong);
            PixelFont.Write(canvas, sure, top, left + (room - sure.Length) * PixelFont.Advance * Scale, Scale, Wrong);
            PixelFont.Write(canvas, Shortened($"is {dataset.ClassNames[dataset.Labels[image]]}", room), top + Line, left, Scale, Right);
        }
        return canvas;
    }

    private static string Shortened(string name, int room) => name.Length <= room ? name : $"{name[..(room - 2)]}..";

    private static Picture New(int height, int width)
    {
        var canvas = new Picture(height, width, 3, new byte[height * width * 3]);
        for (var i = 0; i < height * width; i++) PixelFont.Set(canvas, i / width, i % width, Paper);
        return canvas;
    }

    private void DrawImage(Picture canvas, int image, int top, int left, int times)
    {
        var picture = new Picture(dataset.Height, dataset.Width, dataset.Channels, dataset.Image(image).ToArray()).WithChannels(3);
        for (var y = 0; y < times * picture.Height; y++)
            for (var x = 0; x < times * picture.Width; x++)
            {
                var from = 3 * (y / times * picture.Width + x / times);
                PixelFont.Set(canvas, top + y, left + x, (picture.Pixels[from], picture.Pixels[from + 1], picture.Pixels[from + 2]));
            }
    }
}
