using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// One-dimensional convolution (cross-correlation), x [N, L, C] with w [K, C / groups, O]: images of height 1
/// (<see cref="Conv2dOperation"/>).
/// <code>y[n, i, o] = bias[o] + sum over k, c of x[n, i s + k d - p, c] w[k, c, o]</code>
/// </summary>
public static class Conv1dOperation
{
    /// <summary>One-dimensional convolution.</summary>
    /// <param name="x">Sequences [N, L, C].</param>
    /// <param name="weight">[K, C / groups, O].</param>
    /// <param name="bias">[O], or none.</param>
    /// <param name="stride">How far the window moves.</param>
    /// <param name="padding">Zeros before and behind the sequence.</param>
    /// <param name="dilation">How far apart the window's elements lie.</param>
    /// <param name="groups">Blocks of channels with weights of their own.</param>
    /// <returns>[N, OL, O].</returns>
    /// <exception cref="ShapeException">The shapes do not fit.</exception>
    public static Tensor Conv1d(this Tensor x, Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0,
        int dilation = 1, int groups = 1)
    {
        if (x.Shape.Rank != 3) throw new ShapeException($"conv1d: the input {x.Shape} must be [N, L, C].");
        if (weight.Shape.Rank != 3)
            throw new ShapeException($"conv1d: the weight {weight.Shape} must be [K, C / groups, O].");
        var y = x.Reshape(x.Shape[0], 1, x.Shape[1], x.Shape[2])
            .Conv2d(weight.Reshape(1, weight.Shape[0], weight.Shape[1], weight.Shape[2]), bias,
            new Size2d(1, stride), new Size2d(0, padding), new Size2d(1, dilation), groups);
        return y.Reshape(y.Shape[0], y.Shape[2], y.Shape[3]);
    }
}
