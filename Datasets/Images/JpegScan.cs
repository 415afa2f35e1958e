namespace Tapegrad.Datasets.Images;

/// <summary>
/// A JPEG's scan (T.81, F.2): the blocks of one component, row by row, or of several in minimum coded units (MCUs), each with as many blocks of every
/// component as its sampling factors say. A block is its DC coefficient, which is eight times its mean, as the difference to that of the component's
/// block before (after a restart: to 0), then the AC coefficients in zigzag order, as pairs of a run of zeros and a number.
/// </summary>
internal sealed class JpegScan(JpegFrame frame, JpegScanComponent[] components, int restartInterval)
{
    // Where the k-th coefficient of the zigzag stands, row by row.
    internal static ReadOnlySpan<byte> Zigzag =>
    [
        0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
    ];

    private readonly float[] block = new float[64];

    /// <summary>Reads it into the components' samples.</summary>
    /// <returns>Where it ends: at a marker.</returns>
    /// <exception cref="InvalidDataException">It is cut off or damaged; the message says where.</exception>
    public int Read(ReadOnlySpan<byte> file, int at)
    {
        var bits = new JpegBits(file, at);
        // A component that comes alone has no filler beyond the block that its last sample lies in.
        var alone = components.Length == 1 ? components[0].Component : null;
        var (across, down) = alone is null ? (frame.McusAcross, frame.McusDown)
            : (JpegFrame.Ceiling(alone.Width, JpegFrame.Block), JpegFrame.Ceiling(alone.Height, JpegFrame.Block));
        for (var mcu = 0; mcu < across * down; mcu++)
        {
            if (restartInterval > 0 && mcu > 0 && mcu % restartInterval == 0)
            {
                bits.End();
                bits.TakeMarker((byte)(0xD0 + (mcu / restartInterval - 1) % 8));
                foreach (var scanned in components) scanned.Dc = 0;
            }
            var (row, column) = (mcu / across, mcu % across);
            if (alone is not null) ReadBlock(ref bits, components[0], row, column);
            else foreach (var scanned in components)
                for (var i = 0; i < scanned.Component.VerticalFactor; i++)
                    for (var j = 0; j < scanned.Component.HorizontalFactor; j++)
                        ReadBlock(ref bits, scanned, row * scanned.Component.VerticalFactor + i, column * scanned.Component.HorizontalFactor + j);
        }
        bits.End();
        foreach (var scanned in components) scanned.Component.IsRead = true;
        return bits.At;
    }

    private void ReadBlock(ref JpegBits bits, JpegScanComponent scanned, int row, int column)
    {
        Array.Clear(block);
        var length = scanned.DcTable.Decode(ref bits);
        if (length > 11)
            throw new InvalidDataException($"JPEG: before byte {bits.At} stands a DC difference of {length} bits; 11 are possible: "
                + "the image is damaged.");
        scanned.Dc += bits.Signed(length);
        block[0] = scanned.Dc * (float)scanned.QuantizationTable[0];
        var last = 0;
        for (var k = 1; k < 64; k++)
        {
            var code = scanned.AcTable.Decode(ref bits);
            var (zeros, size) = (code >> 4, code & 15);
            if (size == 0 && zeros < 15) break;   // the rest is 0
            k += zeros;
            if (k > 63) throw new InvalidDataException($"JPEG: before byte {bits.At} a block has more than 64 coefficients: the image is damaged.");
            block[Zigzag[k]] = bits.Signed(size) * (float)scanned.QuantizationTable[k];
            last = k;
        }
        var component = scanned.Component;
        JpegTransform.Invert(block, last == 0, component.Samples.AsSpan((row * component.Stride + column) * JpegFrame.Block), component.Stride);
    }
}

/// <summary>A component as a scan reads it.</summary>
/// <param name="Component">Where its samples go.</param>
/// <param name="DcTable">The Huffman code of the lengths of DC differences.</param>
/// <param name="AcTable">The Huffman code of the runs and lengths of AC coefficients.</param>
/// <param name="QuantizationTable">What each coefficient is multiplied by, in zigzag order.</param>
internal sealed record JpegScanComponent(JpegComponent Component, JpegHuffmanTable DcTable, JpegHuffmanTable AcTable, int[] QuantizationTable)
{
    /// <summary>The DC coefficient of the block before.</summary>
    public int Dc { get; set; }
}
