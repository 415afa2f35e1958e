namespace Tapegrad.Layers;

/// <summary>
/// Wide residual networks for small images (Zagoruyko and Komodakis, "Wide residual networks", 2016): WRN-d-k has a 3x3 convolution of 16 channels,
/// three stages of n = (d - 4) / 6 blocks with 16k, 32k and 64k channels, the second and the third at half the resolution of the one before, a
/// normalization and a ReLU, a global mean, a linear layer.
/// The normalization comes before the convolution (<see cref="PreActivationBlock"/>), so nothing stands between the blocks' sums. Where the
/// channels change, the shortcut is a 1x1 convolution. No dropout. Names are those of the PyTorch implementations that go back to the authors': <c>block1.layer.0.bn1</c>.
/// </summary>
public static class WideResNet
{
    /// <summary>A WRN-depth-times for images [N, H, W, inputs].</summary>
    /// <param name="depth">6n + 4: 10, 16, 22, 28, 40, ..., 1000.</param>
    /// <param name="times">How many times as wide as the narrowest one, of 16, 32 and 64 channels: the paper's k.</param>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function that gives
    /// null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(int depth, int times, Func<int, Normalization?>? normalization, int classes, int seed, int inputs = 3)
    {
        if (!IsDepth(depth))
            throw new ArgumentOutOfRangeException(nameof(depth), depth, "the depth of a wide ResNet is 6n + 4: 10, 16, 22, 28, 40, ..., 1000");
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs, 1);
        var maker = new LayerMaker(normalization, seed);
        var last = maker.Normalization("bn1", checked(64 * times));
        var channels = 16;
        List<(string, Module)> layers = [("conv1", maker.Convolution(inputs, channels, stride: 1, kernel: 3, bias: last is NoNormalization))];
        for (var stage = 1; stage <= 3; stage++)
        {
            using var _ = LayerContext.Enter($"block{stage}");
            using var __ = LayerContext.Enter("layer");
            var (blocks, width) = (new List<Module>(), times * 8 << stage);
            for (var block = 0; block < (depth - 4) / 6; block++)
            {
                using var ___ = LayerContext.Enter($"{block}");
                blocks.Add(Block(maker, channels, width, stride: block == 0 && stage > 1 ? 2 : 1));
                channels = width;
            }
            layers.Add(($"block{stage}", new Sequential(("layer", new Sequential(blocks)))));
        }
        layers.AddRange([("bn1", new NormalizedRelu(last)), ("pool", new GlobalAveragePool()),
            ("fc", new Linear(channels, classes, maker.NextRandom()))]);
        var model = new Sequential(layers);
        SavedModel.Describe(model, $"wrn{depth}-{times}", maker.NormalizationName, classes, inputs);
        return model;
    }

    private static PreActivationBlock Block(LayerMaker maker, int inputs, int outputs, int stride)
    {
        var norm1 = maker.Normalization("bn1", inputs);
        var (conv1, norm2) = maker.Convolution("bn2", inputs, outputs, stride);
        var bias = norm2 is NoNormalization;
        var conv2 = maker.Convolution(outputs, outputs, stride: 1, kernel: 3, bias);
        return new PreActivationBlock(norm1, conv1, norm2, conv2,
            inputs == outputs ? null : maker.Convolution(inputs, outputs, stride, kernel: 1, bias));
    }

    /// <summary>Depth and width of a name such as <c>wrn16-4</c>; null for another one.</summary>
    internal static (int Depth, int Times)? Parse(string architecture) =>
        architecture.Split('-') is [var depth, var times] && Normalizations.Number(depth, "wrn") is { } d && IsDepth(d)
            && Normalizations.Number(times, "") is { } k and <= int.MaxValue / 64 ? (d, k) : null;

    private static bool IsDepth(int depth) => depth is >= 10 and <= 1000 && depth % 6 == 4;

    /// <summary>How many weights the convolutions hold: a file must hold as many before a network is built from it.</summary>
    internal static double CountWeights(int depth, double times, double inputs = 3)
    {
        var (count, channels) = (9 * inputs * 16, 16.0);
        for (var stage = 1; stage <= 3; stage++)
        {
            var width = times * (8 << stage);
            var shortcut = width == channels ? 0 : channels * width;
            count += 9 * channels * width + shortcut + 9 * width * width * (2 * ((depth - 4) / 6) - 1);
            channels = width;
        }
        return count;
    }
}
