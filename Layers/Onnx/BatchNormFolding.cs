using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Onnx;

/// <summary>
/// A layer that is linear in x, and the batch normalization behind it, as one layer (in evaluation, where the normalization is linear too):
/// <code>
/// (w x + b - mean) s + beta = (w s) x + (b - mean) s + beta,   s = gamma / sqrt(variance + eps), per channel of the output
/// </code>
/// Computed in double, on the reference device, where the layer that comes out lives.
/// </summary>
internal static class BatchNormFolding
{
    /// <summary>One layer that does what both do; null when the first is not linear.</summary>
    public static Module? Fold(Module layer, BatchNorm norm)
    {
        if (layer is not (Conv2d or Conv1d or ConvTranspose2d or Linear)) return null;
        NormalizationNodes.CheckStatistics(norm);
        using var device = Device.Use(Device.Reference);
        var scale = 1 / (Double(norm.RunningVariance) + norm.Eps).Sqrt();
        if (norm.Weight is { } gamma) scale *= Double(gamma);
        var shift = -Double(norm.RunningMean) * scale;
        if (norm.Bias is { } beta) shift += Double(beta);
        return layer switch   // the outputs are the weight's last axis, except in a transposed convolution
        {
            Conv2d conv => With(Double(conv.UsedWeight) * scale, conv.Bias, made => made.Bias!, (weight, shape) => new Conv2d(shape[2] * conv.Groups,
                shape[3], new Size2d(shape[0], shape[1]), default, conv.Stride, conv.Padding, conv.Dilation, conv.Groups, initializer: weight)),
            Conv1d conv => With(Double(conv.Weight) * scale, conv.Bias, made => made.Bias!, (weight, shape) => new Conv1d(shape[1] * conv.Groups,
                shape[2], shape[0], default, conv.Stride, conv.Padding, conv.Dilation, conv.Groups, initializer: weight)),
            Linear linear => With(Double(linear.Weight) * scale, linear.Bias, made => made.Bias!, (weight, shape) => new Linear(shape[0],
                shape[1], default, initializer: weight)),
            ConvTranspose2d conv => With(Double(conv.Weight) * OfTransposed(scale, conv), conv.Bias, made => made.Bias!, (weight, shape) =>
                new ConvTranspose2d(shape[3], shape[2] * conv.Groups, new Size2d(shape[0], shape[1]), default, conv.Stride, conv.Padding,
                    conv.OutputPadding, conv.Dilation, conv.Groups, initializer: weight)),
            _ => null,
        };

        T With<T>(Tensor weight, Parameter? bias, Func<T, Parameter> biasOf, Func<Initializer, Shape, T> make) where T : Module
        {
            var made = make((_, _) => weight, weight.Shape);
            biasOf(made).Value = bias is null ? shift : Double(bias) * scale + shift;
            return made;
        }
    }

    private static Tensor Double(Tensor tensor) => Tensor.From(tensor.ToDoubles(), tensor.Shape);

    // The weight is [KH, KW, O / groups, C]: input channel c, of group g, makes the outputs g O / groups and on; so the scale is [O / groups, C].
    private static Tensor OfTransposed(Tensor scale, ConvTranspose2d conv)
    {
        var (outputs, inputs) = (conv.Weight.Shape[2], conv.Weight.Shape[3]);
        return scale.Reshape(conv.Groups, outputs).Permute(1, 0).Reshape(outputs, conv.Groups, 1)
            .BroadcastTo(new Shape(outputs, conv.Groups, inputs / conv.Groups)).Reshape(outputs, inputs);
    }
}
