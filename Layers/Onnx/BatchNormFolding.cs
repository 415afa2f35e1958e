using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>
/// A layer that is linear in x, and the batch normalization behind it, as one layer (in evaluation, where the
/// normalization is linear too):
/// <code>
/// (w x + b - mean) s + beta = (w s) x + (b - mean) s + beta,   s = gamma / sqrt(variance + eps), per output channel
/// </code>
/// Computed in double, on the reference device, where the layer that comes out lives.
/// </summary>
internal static class BatchNormFolding
{
    /// <summary>One layer that does what both do; null when the first is not linear.</summary>
    public static Module? Fold(Module layer, BatchNorm norm)
    {
        if (layer is not (Convolution or Linear)) return null;
        NormalizationNodes.CheckStatistics(norm);
        using var device = Device.Use(Device.Reference);
        var scale = 1 / (Double(norm.RunningVariance) + norm.Eps).Sqrt();
        if (norm.Weight is { } gamma) scale *= Double(gamma);
        var shift = -Double(norm.RunningMean) * scale;
        if (norm.Bias is { } beta) shift += Double(beta);
        return layer switch   // the outputs are the weight's last axis, except in a transposed convolution
        {
            Conv2d conv =>
                WithBias(new Conv2d(Biased(conv), default, Being(Double(conv.UsedWeight) * scale)), conv.Bias),
            Conv1d conv => WithBias(new Conv1d(Biased(conv), default, Being(Double(conv.Weight) * scale)), conv.Bias),
            ConvTranspose2d conv =>
            WithBias(new ConvTranspose2d(Biased(conv), default, Being(Double(conv.Weight) * OfTransposed(scale, conv))),
                conv.Bias),
            Linear linear => WithBias(new Linear(linear.Weight.Shape[0], linear.Weight.Shape[1], default,
                initializer: Being(Double(linear.Weight) * scale)), linear.Bias),
            _ => null,
        };

        static ConvolutionSettings Biased(Convolution convolution) => convolution.Configuration with { HasBias = true };

        static Initializer Being(Tensor weight) => (_, _) => weight;

        T WithBias<T>(T made, Parameter? bias) where T : Module
        {
            made.State[1].Value = bias is null ? shift : Double(bias) * scale + shift;
            return made;
        }
    }

    private static Tensor Double(Tensor tensor) => Tensor.From(tensor.ToDoubles(), tensor.Shape);

    // The weight is [KH, KW, O / groups, C]: input channel c, of group g, makes the outputs g O / groups and on; so the
    // scale is [O / groups, C].
    private static Tensor OfTransposed(Tensor scale, ConvTranspose2d conv)
    {
        var (outputs, inputs, groups) = (conv.Weight.Shape[2], conv.Weight.Shape[3], conv.Configuration.Groups);
        return scale.Reshape(groups, outputs).Permute(1, 0).Reshape(outputs, groups, 1)
            .BroadcastTo(new Shape(outputs, groups, inputs / groups)).Reshape(outputs, inputs);
    }
}
