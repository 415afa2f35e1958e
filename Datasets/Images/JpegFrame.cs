using System.Buffers.Binary;

namespace Tapegrad.Datasets.Images;

/// <summary>One of a JPEG's colours: Y, Cb or Cr, or a grey.</summary>
/// <param name="Id">Its name in the file.</param>
/// <param name="HorizontalFactor">The horizontal sampling factor H: how many blocks of it a minimum coded unit (MCU) has side by side.</param>
/// <param name="VerticalFactor">The vertical sampling factor V.</param>
/// <param name="QuantizationTable">0 to 3.</param>
internal sealed record JpegComponent(int Id, int HorizontalFactor, int VerticalFactor, int QuantizationTable)
{
    /// <summary>Columns that are samples; what the blocks have more is filler.</summary>
    public int Width { get; set; }

    /// <summary>Rows that are samples.</summary>
    public int Height { get; set; }

    /// <summary>From a row of <see cref="Samples"/> to the next.</summary>
    public int Stride { get; set; }

    /// <summary>Bytes, whole blocks.</summary>
    public byte[] Samples { get; set; } = [];

    /// <summary>Whether a scan has brought it.</summary>
    public bool IsRead { get; set; }
}

/// <summary>
/// A JPEG's frame header (SOF): bits of a sample (1 byte), height (2), width (2), components (1), and for each its name, sampling factors (4 bits and
/// 4) and quantization table. The image is made of minimum coded units (MCUs) of as many blocks of 8x8 samples as the largest factors say.
/// </summary>
internal sealed class JpegFrame
{
    public const int Block = 8;

    /// <exception cref="InvalidDataException">It is malformed, of a kind that is not read, too large, or more than the file can hold.</exception>
    public JpegFrame(ReadOnlySpan<byte> data, int at, int bytesLeft, long mostPixels)
    {
        if (data.Length < 6 || data.Length != 6 + 3 * data[5])
            throw new InvalidDataException($"JPEG: the frame header at byte {at} has {data.Length} bytes, which does not fit what it says.");
        if (data[0] != 8) throw Refusal($"it has {data[0]} bits a sample. Convert it to 8 bits, or to PNG");
        (Height, Width) = (BinaryPrimitives.ReadUInt16BigEndian(data[1..]), BinaryPrimitives.ReadUInt16BigEndian(data[3..]));
        if (Height == 0) throw Refusal("its height is said only behind its pixels (DNL). Convert it to PNG");
        if (Width == 0) throw Refusal("it has no columns");
        if (data[5] is not (1 or 3))
            throw Refusal($"it has {data[5]} components{(data[5] == 4 ? ", as CMYK has" : "")}; grey and colour (1 and 3) are read. "
                + "Convert it to RGB");
        if (Width > mostPixels / Height) throw Refusal($"it has {Width}x{Height} pixels, more than the {mostPixels} that are allowed");
        for (var i = 6; i < data.Length; i += 3)
        {
            var component = new JpegComponent(data[i], data[i + 1] >> 4, data[i + 1] & 15, data[i + 2]);
            if (component.HorizontalFactor is 0 or > 4 || component.VerticalFactor is 0 or > 4 || component.QuantizationTable > 3
                || Components.Any(other => other.Id == component.Id))
                throw Refusal($"its component {component.Id} has factors {component.HorizontalFactor}x{component.VerticalFactor} and table "
                    + $"{component.QuantizationTable}, or is there twice; factors are 1 to 4, tables 0 to 3");
            Components.Add(component);
        }
        (HorizontalFactor, VerticalFactor) =
            (Components.Max(component => component.HorizontalFactor), Components.Max(component => component.VerticalFactor));
        (McusAcross, McusDown) = (Ceiling(Width, Block * HorizontalFactor), Ceiling(Height, Block * VerticalFactor));
        var blocks = 0L;
        foreach (var component in Components)
        {
            if (HorizontalFactor % component.HorizontalFactor != 0 || VerticalFactor % component.VerticalFactor != 0)
                throw Refusal($"its sampling factor {component.HorizontalFactor}x{component.VerticalFactor} is no whole part of "
                    + $"{HorizontalFactor}x{VerticalFactor}. Convert it to PNG");
            (component.Width, component.Height) =
                (Ceiling(Width * component.HorizontalFactor, HorizontalFactor), Ceiling(Height * component.VerticalFactor, VerticalFactor));
            blocks += (long)Ceiling(component.Width, Block) * Ceiling(component.Height, Block);
        }
        // A block takes at least two codes of a bit each.
        if (blocks > 4L * bytesLeft)
            throw Refusal($"it has {Width}x{Height} pixels, and the {bytesLeft} bytes behind the header cannot hold so many: it is cut off");
        foreach (var component in Components)
        {
            component.Stride = McusAcross * component.HorizontalFactor * Block;
            component.Samples = new byte[component.Stride * McusDown * component.VerticalFactor * Block];
        }

        InvalidDataException Refusal(string why) => new($"JPEG: the image of the header at byte {at} is not read: {why}.");
    }

    public int Height { get; }

    public int Width { get; }

    /// <summary>The largest horizontal sampling factor.</summary>
    public int HorizontalFactor { get; }

    /// <summary>The largest vertical one.</summary>
    public int VerticalFactor { get; }

    /// <summary>MCUs side by side.</summary>
    public int McusAcross { get; }

    /// <summary>MCUs one below the other.</summary>
    public int McusDown { get; }

    public List<JpegComponent> Components { get; } = [];

    public static int Ceiling(int length, int part) => (length + part - 1) / part;
}
