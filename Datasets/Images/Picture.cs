namespace Tapegrad.Datasets.Images;

/// <summary>
/// One image of any size: bytes [height, width, channels], row-major. One channel is grey, two are grey and opacity,
/// three are red, green and blue, four are these and opacity. Opacity 0 is transparent, 255 is not; colours are not
/// multiplied by it.
/// </summary>
/// <remarks>Immutable, if the array stays as it is; thread-safe.</remarks>
public sealed class Picture
{
    /// <summary>An image of bytes, which are used as they are, not copied.</summary>
    /// <exception cref="ArgumentException">The sizes are not positive, there are more than four channels, or the array
    /// has another length.</exception>
    public Picture(int height, int width, int channels, byte[] pixels)
    {
        if (height < 1 || width < 1 || channels is < 1 or > 4 || pixels.LongLength != (long)height * width * channels)
            throw new ArgumentException($"{pixels.Length} bytes are no picture of {height}x{width} pixels with "
                + $"{channels} channels.");
        (Height, Width, Channels, Pixels) = (height, width, channels, pixels);
    }

    /// <summary>Rows.</summary>
    public int Height { get; }

    /// <summary>Columns.</summary>
    public int Width { get; }

    /// <summary>1 to 4.</summary>
    public int Channels { get; }

    /// <summary>Height * Width * Channels bytes.</summary>
    public byte[] Pixels { get; }

    /// <summary>
    /// The same image in grey (one channel) or in colour (three). What is transparent is shown on white, as on paper.
    /// Grey is 0.299 red + 0.587 green + 0.114 blue, the Y of JPEG.
    /// </summary>
    /// <param name="channels">1 or 3.</param>
    public Picture WithChannels(int channels)
    {
        if (channels is not (1 or 3))
            throw new ArgumentOutOfRangeException(nameof(channels), channels,
                "a picture becomes grey (1) or coloured (3).");
        if (channels == Channels) return this;
        var pixels = new byte[Height * Width * channels];
        var (isColoured, isOpaque) = (Channels > 2, Channels % 2 == 1);
        Span<int> colour = stackalloc int[3];
        for (int from = 0, to = 0; from < Pixels.Length; from += Channels, to += channels)
        {
            var opacity = isOpaque ? 255 : Pixels[from + Channels - 1];
            for (var c = 0; c < 3; c++) colour[c] = OnWhite(Pixels[isColoured ? from + c : from], opacity);
            if (channels == 3) for (var c = 0; c < 3; c++) pixels[to + c] = (byte)colour[c];
            else pixels[to] = (byte)((299 * colour[0] + 587 * colour[1] + 114 * colour[2] + 500) / 1000);
        }
        return new Picture(Height, Width, channels, pixels);
    }

    private static int OnWhite(int level, int opacity) => (level * opacity + 255 * (255 - opacity) + 127) / 255;

    /// <summary>
    /// The largest square in the middle, as <paramref name="side"/> x <paramref name="side"/> pixels, each the mean of
    /// the area that it covers.
    /// </summary>
    /// <remarks>
    /// Written here because ImageSharp's box takes whole pixels: 0, 120, 240 become 60, 240 in it, and 40, 200 by
    /// areas. The same as resizing the shorter side and cutting off what the longer one has more at both ends. A square
    /// keeps the shapes of things, which stretching does not; what it loses lies at the edges. Means are of the bytes
    /// as they are, and exact: pixel i of a row covers [i n, (i + 1) n) and pixel j of the source
    /// [j side, (j + 1) side), on a scale where both are whole numbers, n the source's side.
    /// </remarks>
    public Picture Square(int side)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        if (side == Height && side == Width) return this;
        var n = Math.Min(Height, Width);
        var (top, left, stride) = ((Height - n) / 2, (Width - n) / 2, side * Channels);
        var shares = Shares(n, side);
        // of a row of the source, n times the mean of each pixel of the square
        var (row, rowAt) = (new long[stride], -1);
        var sums = new long[checked(side * stride)];          // n^2 times the mean of each pixel
        foreach (var (to, from, share) in shares)    // with 'from' never falling, so that each row is made once
        {
            if (from != rowAt) MakeRow(rowAt = from);
            for (var x = 0; x < stride; x++) sums[to * stride + x] += share * row[x];
        }
        var area = (long)n * n;
        return new Picture(side, side, Channels, Array.ConvertAll(sums, sum => (byte)((sum + area / 2) / area)));

        void MakeRow(int y)
        {
            Array.Clear(row);
            foreach (var (to, from, share) in shares)
                for (var c = 0; c < Channels; c++)
                    row[to * Channels + c] += share * Pixels[((top + y) * Width + left + from) * Channels + c];
        }
    }

    // How much of pixel 'from' of n lies in pixel 'to' of side; the shares of each pixel 'to' add up to n.
    private static (int To, int From, long Share)[] Shares(int n, int side) =>
    [
        .. from to in Enumerable.Range(0, side)
           let start = (long)to * n
           let first = (int)(start / side)
           from source in Enumerable.Range(first, (int)((start + n - 1) / side) - first + 1)
           select (to, source, Math.Min(start + n, (source + 1L) * side) - Math.Max(start, (long)source * side)),
    ];
}
