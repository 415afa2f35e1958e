namespace Tapegrad.Datasets.Images;

/// <summary>
/// The rows of a PNG, unfiltered and put in their place. Each begins with a byte that says how its bytes were filtered: what is stored is the
/// difference to a guess, from the byte one pixel to the left (a), the one above (b) and the one above that to the left (c), 0 where there is none:
/// <code>
/// 0 none: 0     1 sub: a     2 up: b     3 average: floor((a + b) / 2)     4 Paeth: whichever of a, b, c is nearest to a + b - c, in this order
/// </code>
/// An interlaced image (Adam7) comes as seven small ones, every one a grid of pixels: where it begins, and how far its pixels are apart. One that
/// is not is the single grid of all pixels.
/// </summary>
internal sealed class PngRows(PngHeader header)
{
    private readonly record struct Grid(int Left, int Top, int Across, int Down);

    private static readonly Grid[] Whole = [new(0, 0, 1, 1)];

    private static readonly Grid[] Adam7 =
        [new(0, 0, 8, 8), new(4, 0, 8, 8), new(0, 4, 4, 8), new(2, 0, 4, 4), new(0, 2, 2, 4), new(1, 0, 2, 2), new(0, 1, 1, 2)];

    private readonly Grid[] grids = header.IsInterlaced ? Adam7 : Whole;
    private readonly int bitsPerPixel = header.Samples * header.Depth;

    /// <summary>Bytes of all rows.</summary>
    public long Length => grids.Sum(grid => Width(grid) == 0 ? 0 : Height(grid) * (1 + RowBytes(grid)));

    private long Width(Grid grid) => Math.Max(0, (header.Width - grid.Left + grid.Across - 1) / grid.Across);

    private long Height(Grid grid) => Math.Max(0, (header.Height - grid.Top + grid.Down - 1) / grid.Down);

    private long RowBytes(Grid grid) => (Width(grid) * bitsPerPixel + 7) / 8;

    /// <summary>Reads them all; the stream must end behind them, and have the sum.</summary>
    /// <exception cref="InvalidDataException">It does not, or it holds what no PNG may.</exception>
    public Picture Read(Stream stream, uint adler)
    {
        var pixels = new PngPixels(header);
        var sum = new Adler32();
        foreach (var grid in grids)
        {
            var (width, height, bytes) = ((int)Width(grid), (int)Height(grid), (int)RowBytes(grid));
            if (width == 0) continue;
            var distance = Math.Max(1, bitsPerPixel / 8);
            var (row, above) = (new byte[1 + bytes], new byte[1 + bytes]);
            for (var i = 0; i < height; i++)
            {
                var y = grid.Top + i * grid.Down;
                if (stream.ReadAtLeast(row, row.Length, throwOnEndOfStream: false) < row.Length)
                    throw new InvalidDataException($"it ends in row {y}.");
                sum.Add(row);
                if (row[0] > 4) throw new InvalidDataException($"row {y} has filter {row[0]}; only 0 to 4 exist.");
                Unfilter(row[0], row.AsSpan(1), above.AsSpan(1), distance);
                for (var j = 0; j < width; j++) pixels.Put(row.AsSpan(1), j, y, grid.Left + j * grid.Across);
                (row, above) = (above, row);
            }
        }
        if (stream.ReadByte() >= 0) throw new InvalidDataException($"it goes on behind the last row, {header.Height - 1}.");
        if (sum.Value != adler) throw new InvalidDataException("its Adler-32 sum does not fit, or something stands behind it.");
        return pixels.Picture;
    }

    private static void Unfilter(int filter, Span<byte> row, ReadOnlySpan<byte> above, int distance)
    {
        if (filter == 0) return;
        for (var i = 0; i < row.Length; i++)
        {
            var (a, b, c) = i < distance ? ((byte)0, above[i], (byte)0) : (row[i - distance], above[i], above[i - distance]);
            row[i] += filter switch { 1 => a, 2 => b, 3 => (byte)((a + b) / 2), _ => Paeth(a, b, c) };
        }
    }

    internal static byte Paeth(byte a, byte b, byte c)
    {
        var (toA, toB, toC) = (Math.Abs(b - c), Math.Abs(a - c), Math.Abs(a + b - 2 * c));
        return toA <= toB && toA <= toC ? a : toB <= toC ? b : c;
    }
}
