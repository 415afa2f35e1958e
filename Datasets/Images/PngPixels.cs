namespace Tapegrad.Datasets.Images;

/// <summary>
/// From a PNG's samples to a picture's bytes. A sample of d bits becomes round(255 s / (2^d - 1)); an index becomes its colour; the value that tRNS
/// names becomes transparent, compared before its bits are lost.
/// </summary>
internal sealed class PngPixels(PngHeader header)
{
    private readonly int largest = (1 << header.Depth) - 1;
    private readonly int[] samples = new int[header.Samples];

    public Picture Picture { get; } =
        new((int)header.Height, (int)header.Width, header.Channels, new byte[header.Height * header.Width * header.Channels]);

    /// <summary>Pixel j of a row goes to (y, x).</summary>
    public void Put(ReadOnlySpan<byte> row, int j, int y, int x)
    {
        for (var s = 0; s < samples.Length; s++) samples[s] = Sample(row, j * samples.Length + s);
        var pixel = Picture.Pixels.AsSpan((y * Picture.Width + x) * Picture.Channels, Picture.Channels);
        if (header.Kind == PngHeader.Indexed)
        {
            var index = samples[0];
            if (3 * index >= header.Palette.Length)
                throw new InvalidDataException($"row {y}, column {x} has colour {index}, but the palette has {header.Palette.Length / 3}.");
            header.Palette.AsSpan(3 * index, 3).CopyTo(pixel);
            if (pixel.Length == 4) pixel[3] = index < header.Opacities.Length ? header.Opacities[index] : (byte)255;
            return;
        }
        for (var s = 0; s < samples.Length; s++) pixel[s] = (byte)((255 * samples[s] + largest / 2) / largest);
        if (header.Transparent.Length > 0) pixel[^1] = samples.AsSpan().SequenceEqual(header.Transparent) ? (byte)0 : (byte)255;
    }

    // Samples of fewer than 8 bits begin at a byte's high bits.
    private int Sample(ReadOnlySpan<byte> row, int i) => header.Depth switch
    {
        8 => row[i],
        16 => row[2 * i] << 8 | row[2 * i + 1],
        var depth => row[i * depth / 8] >> 8 - depth - i * depth % 8 & largest,
    };
}
