using System.Buffers.Binary;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// Reads JPEG (ITU-T T.81): baseline and extended sequential, Huffman-coded, 8 bits a sample, grey or colour, in one scan or several, of any
/// sampling factors that divide each other, with or without restarts; turned as its Exif data say. A file is a row of segments: FF, a code, and,
/// for most codes, a length of two bytes that counts itself.
/// <code>
/// SOI D8, EOI D9   begin, end              DQT DB   quantization tables        DHT C4   Huffman tables
/// SOF C0, C1       the frame header        DRI DD   the restart interval       SOS DA   a scan; its compressed data follow
/// APP0 E0          JFIF: it is YCbCr       APP1 E1  Exif: how it was held      APP14 EE Adobe: whether it is YCbCr
/// </code>
/// </summary>
/// <remarks>
/// Within 1 level of libjpeg in each component, which is within 2 in each colour. Progressive, arithmetic, lossless and 12-bit images and CMYK are
/// refused in words. What is cut off or damaged is refused, never guessed; what stands behind the end is passed over, since cameras put previews
/// there. Colour profiles are passed over.
/// </remarks>
public sealed class JpegDecoder : IImageDecoder
{
    /// <inheritdoc/>
    public bool Recognizes(ReadOnlySpan<byte> beginning) => beginning is [0xFF, 0xD8, 0xFF, ..];

    /// <inheritdoc/>
    public Picture Decode(ReadOnlyMemory<byte> file, long mostPixels) => new State(mostPixels).Read(file.Span);

    // What the segments have said so far.
    private sealed class State(long mostPixels)
    {
        private readonly JpegTables tables = new();
        private JpegFrame? frame;
        private int restartInterval, orientation = 1;
        private bool isJfif;
        private bool? adobeSaysRgb;

        public Picture Read(ReadOnlySpan<byte> file)
        {
            for (var at = 2; ;)
            {
                var code = ReadMarker(file, ref at);
                if (code == 0xD9) return Finish(at);
                var start = at - 2;
                if (file.Length - at < 2) throw CutOff(file, start);
                var length = BinaryPrimitives.ReadUInt16BigEndian(file[at..]);
                if (length < 2) throw new InvalidDataException($"JPEG: the segment at byte {start} has a length of {length}, which cannot be.");
                if (length > file.Length - at) throw CutOff(file, start);
                var data = file.Slice(at + 2, length - 2);
                at += length;
                if (code == 0xDA) at = ReadScan(file, data, start, at);
                else ReadSegment(code, data, start, file.Length - at);
            }
        }

        private static byte ReadMarker(ReadOnlySpan<byte> file, ref int at)
        {
            var start = at;
            if (at < file.Length && file[at] != 0xFF)
                throw new InvalidDataException($"JPEG: byte {at} is {file[at]:X2} where a segment begins, which is FF: the image is damaged.");
            while (at < file.Length && file[at] == 0xFF) at++;   // any number of them is allowed
            if (at == file.Length) throw CutOff(file, start);
            return file[at++];
        }

        private static InvalidDataException CutOff(ReadOnlySpan<byte> file, int at) =>
            new($"JPEG: it ends at byte {file.Length}, in or before the segment at byte {at}: it is cut off.");

        private void ReadSegment(byte code, ReadOnlySpan<byte> data, int at, int bytesLeft)
        {
            switch (code)
            {
                case 0xC0 or 0xC1 when frame is not null:
                    throw new InvalidDataException($"JPEG: a second frame header is at byte {at}.");
                case 0xC0 or 0xC1:
                    frame = new JpegFrame(data, at, bytesLeft, mostPixels);
                    break;
                case 0xC4:
                    tables.ReadHuffman(data, at);
                    break;
                case 0xDB:
                    tables.ReadQuantization(data, at);
                    break;
                case 0xDD:
                    if (data.Length != 2) throw new InvalidDataException($"JPEG: the restart interval at byte {at} has {data.Length} bytes, not 2.");
                    restartInterval = BinaryPrimitives.ReadUInt16BigEndian(data);
                    break;
                case 0xE0:
                    isJfif |= data.StartsWith("JFIF\0"u8);
                    break;
                case 0xE1 when orientation == 1:
                    orientation = ExifOrientation.Read(data);
                    break;
                case 0xEE when data.StartsWith("Adobe"u8) && data.Length >= 12:
                    adobeSaysRgb = data[11] == 0;
                    break;
                case not (>= 0xE0 and <= 0xEF or 0xFE):   // those belong to applications, and comments
                    throw new InvalidDataException($"JPEG: the segment FF{code:X2} at byte {at} is of {Kind(code)}, which is not read. "
                        + "Convert it to a baseline JPEG or to PNG.");
            }
        }

        private static string Kind(byte code) => code switch
        {
            0xC2 => "a progressive image",
            0xC3 => "a lossless image",
            0xC5 or 0xC6 or 0xC7 or 0xDE or 0xDF => "a hierarchical image",
            0xC9 or 0xCA or 0xCB or 0xCC or 0xCD or 0xCE or 0xCF => "an image in arithmetic coding",
            0xDC => "an image whose height is said behind its pixels (DNL)",
            _ => "an unknown kind",
        };

        // The header of a scan: components (1 byte), and for each its name and its two Huffman tables (4 bits each); the first and last coefficient
        // and their bits, which are always the same here.
        private int ReadScan(ReadOnlySpan<byte> file, ReadOnlySpan<byte> data, int at, int begin)
        {
            if (frame is null) throw new InvalidDataException($"JPEG: the scan at byte {at} comes before the frame header.");
            var count = data.Length == 0 ? 0 : data[0];
            if (count is 0 or > 3 || data.Length != 4 + 2 * count || data[^3] != 0 || data[^2] != 63 || data[^1] != 0)
                throw new InvalidDataException($"JPEG: the header of the scan at byte {at} is malformed, or not that of a sequential image.");
            var scanned = new JpegScanComponent[count];
            for (var i = 0; i < count; i++)
            {
                var (id, places) = (data[1 + 2 * i], data[2 + 2 * i]);
                var component = frame.Components.Find(component => component.Id == id);
                if (component is null || component.IsRead || scanned.Any(other => other?.Component == component))
                    throw new InvalidDataException($"JPEG: the scan at byte {at} brings component {id}, which does not exist or is there already.");
                scanned[i] = tables.For(component, dc: places >> 4, ac: places & 15)
                    ?? throw new InvalidDataException($"JPEG: component {id} of the scan at byte {at} needs a table that has not come.");
            }
            if (count > 1 && scanned.Sum(entry => entry.Component.HorizontalFactor * entry.Component.VerticalFactor) > 10)
                throw new InvalidDataException($"JPEG: an MCU of the scan at byte {at} has more than 10 blocks.");
            return new JpegScan(frame, scanned, restartInterval).Read(file, begin);
        }

        private Picture Finish(int at)
        {
            if (frame is null || frame.Components.Any(component => !component.IsRead))
                throw new InvalidDataException($"JPEG: it ends at byte {at} without {(frame is null ? "an image" : "all of its components")}.");
            int[] names = [.. frame.Components.Select(component => component.Id)];
            var isRgb = !isJfif && (adobeSaysRgb ?? names is ['R', 'G', 'B']);
            return ExifOrientation.Apply(JpegColour.ToPicture(frame, isRgb), orientation);
        }
    }
}
