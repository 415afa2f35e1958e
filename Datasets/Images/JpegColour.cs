namespace Tapegrad.Datasets.Images;

/// <summary>
/// From a JPEG's components to a picture. A component with half as many columns or rows is widened as libjpeg does, by a triangle: a sample is 3/4 of
/// the nearest one and 1/4 of the next nearest, rounded up and down in turn; other factors repeat samples. Colour is (JFIF 1.02)
/// <code>
/// R = Y + 1.402 (Cr - 128)     G = Y - 0.34414 (Cb - 128) - 0.71414 (Cr - 128)     B = Y + 1.772 (Cb - 128)
/// </code>
/// </summary>
internal static class JpegColour
{
    public static Picture ToPicture(JpegFrame frame, bool isRgb)
    {
        var planes = frame.Components.ConvertAll(component => Widen(frame, component));
        if (planes.Count == 1) return new Picture(frame.Height, frame.Width, 1, planes[0]);
        var pixels = new byte[3 * planes[0].Length];
        for (var i = 0; i < planes[0].Length; i++)
        {
            var (y, cb, cr) = (planes[0][i], planes[1][i], planes[2][i]);
            (pixels[3 * i], pixels[3 * i + 1], pixels[3 * i + 2]) = isRgb ? (y, cb, cr) : ToRgb(y, cb - 128, cr - 128);
        }
        return new Picture(frame.Height, frame.Width, 3, pixels);
    }

    // In steps of 1 / 65536, rounded to the nearest.
    private static (byte, byte, byte) ToRgb(int y, int cb, int cr) =>
        (Level(y + (91881 * cr + 32768 >> 16)), Level(y + (-22554 * cb - 46802 * cr + 32768 >> 16)), Level(y + (116130 * cb + 32768 >> 16)));

    private static byte Level(int value) => (byte)Math.Clamp(value, 0, 255);

    // The component with as many samples as the image has pixels.
    private static byte[] Widen(JpegFrame frame, JpegComponent component)
    {
        var (timesAcross, timesDown) = (frame.HorizontalFactor / component.HorizontalFactor, frame.VerticalFactor / component.VerticalFactor);
        var plane = new byte[frame.Height * frame.Width];
        var sums = new int[component.Width];   // a row, 4 times where it lies between two
        var (across, down) = (timesAcross == 2, timesDown == 2);
        for (var y = 0; y < frame.Height; y++)
        {
            var near = component.Samples.AsSpan(y / timesDown * component.Stride, component.Width);
            var next = Math.Clamp(y / timesDown + (y % 2 == 0 ? -1 : 1), 0, component.Height - 1);
            var far = component.Samples.AsSpan(next * component.Stride, component.Width);
            for (var x = 0; x < sums.Length; x++) sums[x] = down ? 3 * near[x] + far[x] : near[x];
            for (var x = 0; x < frame.Width; x++)
            {
                var sum = sums[x / timesAcross];
                if (across) sum = 3 * sum + sums[Math.Clamp(x / 2 + (x % 2 == 0 ? -1 : 1), 0, sums.Length - 1)];
                plane[y * frame.Width + x] = (byte)((across, down) switch
                {
                    (true, true) => sum + 8 - x % 2 >> 4,
                    (true, false) => sum + 1 + x % 2 >> 2,
                    (false, true) => sum + 1 + y % 2 >> 2,
                    _ => sum,
                });
            }
        }
        return plane;
    }
}
