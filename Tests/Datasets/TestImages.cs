using Tapegrad.Datasets;

namespace Tapegrad.Tests.Datasets;

/// <summary>Datasets whose pixels tell which image they are.</summary>
internal static class TestImages
{
    /// <summary>
    /// Images of 1 x 2 x 1 pixels that hold their own index (low byte, high byte). The label of image i is 7 i modulo
    /// 10. With mean 0 and deviation 1, a pixel times 255 is its byte again.
    /// </summary>
    public static ImageDataset Numbered(int count)
    {
        var images = new byte[2 * count];
        for (var i = 0; i < count; i++) (images[2 * i], images[2 * i + 1]) = ((byte)(i & 255), (byte)(i >> 8));
        return new ImageDataset("numbered", images, [.. Enumerable.Range(0, count).Select(LabelOf)], (1, 2, 1),
            ClassNames(10), [0], [1]);
    }

    public static int LabelOf(int index) => 7 * index % 10;

    /// <summary>The indices that a batch of <see cref="Numbered"/> images shows.</summary>
    public static int[] Indices(Batch batch)
    {
        var pixels = Bytes(batch);
        return [.. Enumerable.Range(0, batch.Count).Select(i => pixels[2 * i] + 256 * pixels[2 * i + 1])];
    }

    /// <summary>The bytes that a batch was made from, when the mean is 0 and the deviation 1.</summary>
    public static byte[] Bytes(Batch batch) =>
        [.. batch.Images.ToDoubles().Select(value => (byte)Math.Round(255 * value))];

    /// <summary>The names "0", "1", ...</summary>
    public static string[] ClassNames(int count) => [.. Enumerable.Range(0, count).Select(k => $"{k}")];
}
