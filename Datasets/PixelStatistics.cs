namespace Tapegrad.Datasets;

/// <summary>
/// Mean and standard deviation of value / 255 for each channel: mean = sum of x / n, std = sqrt(sum of (x - mean)^2 /
/// n), biased.
/// </summary>
/// <remarks>
/// Summed over a histogram of the 256 values, so the result does not depend on the order of the pixels. A channel that
/// is the same everywhere (or an empty dataset) has the deviation 1: it is shifted to 0, not divided by 0.
/// </remarks>
internal static class PixelStatistics
{
    public static (double Mean, double Std)[] Of(ReadOnlySpan<byte> images, int channels)
    {
        var histogram = new long[channels, 256];
        for (var i = 0; i < images.Length; i++) histogram[i % channels, images[i]]++;
        var count = images.Length / channels;
        var result = new (double, double)[channels];
        for (var channel = 0; channel < channels; channel++)
        {
            double sum = 0, squares = 0;
            for (var value = 0; value < 256; value++) sum += histogram[channel, value] * (value / 255.0);
            var mean = sum / Math.Max(1, count);
            for (var value = 0; value < 256; value++)
                squares += histogram[channel, value] * Square(value / 255.0 - mean);
            var isConstant = Enumerable.Range(0, 256).Any(value => histogram[channel, value] == count);
            result[channel] = (mean, isConstant ? 1 : Math.Sqrt(squares / count));
        }
        return result;
    }

    private static double Square(double x) => x * x;
}
