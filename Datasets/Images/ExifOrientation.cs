using System.Buffers.Binary;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// How a camera was held (Exif 2.3, tag 0x0112): which side of the scene the first row and the first column of the stored image show.
/// <code>
/// 1 as it is        2 left and right exchanged    3 half a turn                             4 top and bottom exchanged
/// 5 transposed      6 a quarter turn clockwise    7 transposed over the other diagonal      8 a quarter turn anticlockwise
/// </code>
/// </summary>
/// <remarks>The segment is a small TIFF file. What is unclear in it counts as 1, since the image can be seen without it.</remarks>
internal static class ExifOrientation
{
    private static ReadOnlySpan<byte> Name => "Exif\0\0"u8;

    /// <summary>1 to 8.</summary>
    /// <param name="segment">The data of a JPEG's APP1 segment.</param>
    public static int Read(ReadOnlySpan<byte> segment)
    {
        if (!segment.StartsWith(Name)) return 1;
        var tiff = segment[Name.Length..];
        var isLittle = tiff.StartsWith("II*\0"u8);
        if ((!isLittle && !tiff.StartsWith("MM\0*"u8)) || tiff.Length < 8) return 1;
        var directory = isLittle ? BinaryPrimitives.ReadUInt32LittleEndian(tiff[4..]) : BinaryPrimitives.ReadUInt32BigEndian(tiff[4..]);
        if (directory > tiff.Length - 2) return 1;
        var entries = tiff[(int)directory..];
        var count = Short(entries);
        // An entry: tag (2), type (2; 3 is a short), count (4), value (4).
        for (var i = 0; i < count && 2 + 12 * (i + 1) <= entries.Length; i++)
        {
            var entry = entries.Slice(2 + 12 * i, 12);
            if (Short(entry) == 0x0112 && Short(entry[2..]) == 3) return Short(entry[8..]) is >= 1 and <= 8 and var orientation ? orientation : 1;
        }
        return 1;

        int Short(ReadOnlySpan<byte> data) => isLittle ? BinaryPrimitives.ReadUInt16LittleEndian(data) : BinaryPrimitives.ReadUInt16BigEndian(data);
    }

    /// <summary>The picture as the scene was.</summary>
    public static Picture Apply(Picture stored, int orientation)
    {
        if (orientation == 1) return stored;
        var (height, width, channels) = orientation >= 5 ? (stored.Width, stored.Height, stored.Channels)
            : (stored.Height, stored.Width, stored.Channels);
        var pixels = new byte[stored.Pixels.Length];
        var (bottom, right) = (stored.Height - 1, stored.Width - 1);
        for (var y = 0; y < height; y++)
            for (var x = 0; x < width; x++)
            {
                var (row, column) = orientation switch
                {
                    2 => (y, right - x),
                    3 => (bottom - y, right - x),
                    4 => (bottom - y, x),
                    5 => (x, y),
                    6 => (bottom - x, y),
                    7 => (bottom - x, right - y),
                    _ => (x, right - y),
                };
                stored.Pixels.AsSpan((row * stored.Width + column) * channels, channels).CopyTo(pixels.AsSpan((y * width + x) * channels));
            }
        return new Picture(height, width, channels, pixels);
    }
}
