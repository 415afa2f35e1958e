using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// x^ = (x - mean) / sqrt(variance + eps), where each element's mean and biased variance are those of its set (<see
/// cref="Sharing"/>). With r = 1 / sqrt(variance + eps) and means over the set, dx = r (g - mean(g) - x^ mean(g x^)).
/// A set of equal numbers gives exactly 0. In float the sum of squares ends near values of 1e18.
/// (Ioffe and Szegedy, 2015; Ba, Kiros and Hinton, 2016; Ulyanov, Vedaldi and Lempitsky, 2016; Wu and He, 2018.)
/// </summary>
public static class NormalizeOperation
{
    /// <summary>Each element minus its set's mean, over its set's standard deviation.</summary>
    /// <exception cref="ShapeException">x is not [N, .., C], or the groups do not divide the channels.</exception>
    public static Tensor Normalize(this Tensor x, Sharing sharing, double eps) => x.Normalize(sharing, eps, out _);

    /// <summary>The same, and the moments: one mean and one variance a set, [sets], unrecorded. None of an empty input.</summary>
    public static Tensor Normalize(this Tensor x, Sharing sharing, double eps, out Moments? moments)
    {
        var geometry = sharing.Geometry(x.Shape);
        moments = null;
        if (x.Count == 0) return Tape.Record("normalize", x.View(x.Shape), (x, (_, g) => g));
        if (x.Device is not INormalizationKernels kernels)
        {
            using (Tape.Current?.Pause()) moments = sharing.Moments(x);
            return Composite(x, sharing, eps);
        }
        var (value, statistics) = (Tensor.Create(x.Shape, x.Device), Tensor.Create(new Shape(4, geometry.Sets), x.Device));
        kernels.Normalize(geometry, eps, x.Buffer, value.Buffer, statistics.Buffer);
        Tape.Current?.AdoptFromInside(statistics);   // the gradient will need it
        Tensor Row(int row) => statistics.Slice(0, row, 1).Reshape(-1);
        moments = new Moments(geometry.SetSize, Row(0) + Row(1), Row(2));
        return Tape.RecordKernel("normalize", value, [x], inputs => Composite(inputs[0], sharing, eps), (_, g, _) =>
        {
            var gradient = Tensor.Create(x.Shape, x.Device);
            kernels.NormalizeGradient(geometry, x.Buffer, statistics.Buffer, g.Buffer, gradient.Buffer);
            return [gradient];
        });
    }

    internal static Tensor Composite(Tensor x, Sharing sharing, double eps)
    {
        var centered = sharing.Center(x);
        return centered / (sharing.MeanSquare(centered) + eps).Sqrt();
    }
}
