using System.Buffers.Binary;

namespace Tapegrad.Datasets.Images;

/// <summary>What a PNG's IHDR, PLTE and tRNS chunks say: the sizes, how samples are stored, and what they mean.</summary>
internal sealed class PngHeader
{
    public const int Grey = 0, Colour = 2, Indexed = 3, GreyAndOpacity = 4, ColourAndOpacity = 6;

    private PngHeader(ReadOnlySpan<byte> data)
    {
        (Width, Height) = (BinaryPrimitives.ReadUInt32BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
        (Depth, Kind, IsInterlaced) = (data[8], data[9], data[12] == 1);
    }

    public long Width { get; }

    public long Height { get; }

    /// <summary>Bits of a sample: 1, 2, 4, 8 or 16.</summary>
    public int Depth { get; }

    public int Kind { get; }

    public bool IsInterlaced { get; }

    /// <summary>Red, green, blue of each index.</summary>
    public byte[] Palette { get; private set; } = [];

    /// <summary>For <see cref="Indexed"/>, the opacity of the first indices.</summary>
    public byte[] Opacities { get; private set; } = [];

    /// <summary>For grey and colour, the samples of the one value that is transparent; none when empty.</summary>
    public int[] Transparent { get; private set; } = [];

    /// <summary>Samples of a pixel in the file.</summary>
    public int Samples => Kind switch { Colour => 3, GreyAndOpacity => 2, ColourAndOpacity => 4, _ => 1 };

    /// <summary>Channels of the picture.</summary>
    public int Channels => Kind switch
    {
        Indexed => Opacities.Length > 0 ? 4 : 3,
        _ => Samples + (Transparent.Length > 0 ? 1 : 0),
    };

    /// <exception cref="InvalidDataException">It says what no PNG may, or more pixels than are allowed.</exception>
    public static PngHeader Read(ReadOnlySpan<byte> data, int at, long mostPixels)
    {
        if (data.Length != 13) throw new InvalidDataException($"PNG: the chunk IHDR at byte {at} has {data.Length} bytes, not 13.");
        var header = new PngHeader(data);
        if (header.Width is 0 or > int.MaxValue || header.Height is 0 or > int.MaxValue)
            throw new InvalidDataException($"PNG: the header at byte {at} says {header.Width}x{header.Height} pixels; both must be 1 to 2^31 - 1.");
        int[] depths = header.Kind switch
        {
            Grey => [1, 2, 4, 8, 16],
            Indexed => [1, 2, 4, 8],
            Colour or GreyAndOpacity or ColourAndOpacity => [8, 16],
            _ => throw new InvalidDataException($"PNG: the header at byte {at} says colour type {header.Kind}, which does not exist."),
        };
        if (!depths.Contains(header.Depth))
            throw new InvalidDataException($"PNG: the header at byte {at} says {header.Depth} bits a sample; "
                + $"colour type {header.Kind} has {string.Join(" or ", depths)}.");
        if (data[10] != 0 || data[11] != 0 || data[12] > 1)
            throw new InvalidDataException($"PNG: the header at byte {at} says compression {data[10]}, filter {data[11]} and interlace {data[12]}; "
                + "only 0, 0 and 0 or 1 exist.");
        if (header.Width > mostPixels / header.Height)
            throw new InvalidDataException($"PNG: the header at byte {at} says {header.Width}x{header.Height} pixels, "
                + $"more than the {mostPixels} that are allowed.");
        return header;
    }

    public void ReadPalette(ReadOnlySpan<byte> data, int at)
    {
        if (Kind is Grey or GreyAndOpacity) throw new InvalidDataException($"PNG: the palette at byte {at} does not belong into a grey image.");
        if (data.Length is 0 or > 768 || data.Length % 3 != 0 || (Kind == Indexed && data.Length > 3 << Depth))
            throw new InvalidDataException($"PNG: the palette at byte {at} has {data.Length} bytes; "
                + $"3 for each of at most {Math.Min(256, 1 << Depth)} colours are possible.");
        Palette = data.ToArray();
    }

    public void ReadTransparency(ReadOnlySpan<byte> data, int at)
    {
        var fits = Kind switch
        {
            Grey => data.Length == 2,
            Colour => data.Length == 6,
            Indexed => data.Length >= 1 && data.Length <= Palette.Length / 3,
            _ => false,
        };
        if (!fits)
            throw new InvalidDataException($"PNG: the transparency at byte {at} has {data.Length} bytes, which does not fit colour type {Kind}.");
        if (Kind == Indexed) Opacities = data.ToArray();
        else
        {
            Transparent = new int[data.Length / 2];
            // The standard has readers ignore the bits that a sample does not have.
            for (var c = 0; c < Transparent.Length; c++)
                Transparent[c] = BinaryPrimitives.ReadUInt16BigEndian(data[(2 * c)..]) & (1 << Depth) - 1;
        }
    }
}
