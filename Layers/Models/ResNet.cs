namespace Tapegrad.Layers;

/// <summary>
/// Residual networks for small images (He, Zhang, Ren and Sun, 2016): a 3x3 convolution, stages of blocks of two 3x3 convolutions,
/// each stage but the first at half the resolution and twice the channels of the one before, a global mean, a linear layer.
/// <code>
/// Cifar, depth 6n + 2   three stages of n blocks, 16, 32 and 64 channels (section 4.2)
/// Cifar18               four stages of 2 blocks, 64, 128, 256 and 512 channels: the paper's ResNet-18 with a beginning for small images
/// </code>
/// Where a stage begins, the shortcut changes shape as well. That of <see cref="Cifar"/> has no parameters (option A): every second
/// pixel, zeros for the new channels, half of them on either side. That of <see cref="Cifar18"/> is a 1x1 convolution of stride 2 and
/// a normalization (option B). Convolutions start He-normal by fan-out. Names are those of PyTorch's checkpoints.
/// </summary>
public static class ResNet
{
    /// <summary>A ResNet of depth 6n + 2 for images [N, H, W, inputs].</summary>
    /// <param name="depth">20, 32, 44, 56, 110, ..., 1202.</param>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function that gives
    /// null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="zeroGamma">Whether the last gamma of each block starts at 0, so that every block starts as its shortcut
    /// (Goyal et al., 2017).</param>
    /// <param name="width">Channels of the first stage.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(int depth, Func<int, Normalization?>? normalization, int classes, int seed, bool zeroGamma = false, int width = 16,
        int inputs = 3)
    {
        if (!IsDepth(depth))
            throw new ArgumentOutOfRangeException(nameof(depth), depth,
                "the depth of a ResNet for small images is 6n + 2: 8, 14, 20, 32, 44, ..., 1202");
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        var model = Build($"resnet{depth}", [width, 2 * width, 4 * width], (depth - 2) / 6, project: false, normalization, classes, seed, zeroGamma,
            inputs);
        if (width != 16) model.Metadata["width"] = $"{width}";
        return model;
    }

    /// <summary>ResNet-18 for images [N, H, W, inputs] of about 32 pixels.</summary>
    /// <inheritdoc cref="Cifar"/>
    public static Module Cifar18(Func<int, Normalization?>? normalization, int classes, int seed, bool zeroGamma = false, int inputs = 3) =>
        Build("resnet18", Widths18, blocks: 2, project: true, normalization, classes, seed, zeroGamma, inputs);

    private static readonly int[] Widths18 = [64, 128, 256, 512];

    // The paper's deepest has 1202 layers.
    internal static bool IsDepth(int depth) => depth is >= 8 and <= 1202 && depth % 6 == 2;

    /// <summary>How many weights the convolutions hold: a file must hold as many before a network is built from it.</summary>
    internal static double CountWeights(int depth, double width, double inputs = 3)
    {
        var perStage = (depth - 2) / 3.0;
        return 9 * (inputs * width + width * width * (perStage + (2 + 4 * (perStage - 1)) + (8 + 16 * (perStage - 1))));
    }

    /// <inheritdoc cref="CountWeights(int, double, double)"/>
    // A stage has 4 * 9 weights for each pair of its channels; where the first convolution and a 1x1 read half of them, 4.5 + 3 * 9 + 0.5.
    internal static double CountWeights18(double inputs = 3) => 9 * inputs * 64 + 36 * 64 * 64 + Widths18[1..].Sum(width => 32.0 * width * width);

    private static Sequential Build(string name, int[] widths, int blocks, bool project, Func<int, Normalization?>? normalization, int classes, int seed,
        bool zeroGamma, int inputs)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs, 1);
        var maker = new LayerMaker(normalization, seed);
        var channels = widths[0];
        var (first, norm) = maker.Convolution("bn1", inputs, channels);
        List<(string, Module)> layers = [("conv1", first), ("bn1", new NormalizedRelu(norm))];
        foreach (var (index, width) in widths.Index())
        {
            using var _ = LayerContext.Enter($"layer{index + 1}");
            var stage = new List<Module>();
            for (var block = 0; block < blocks; block++)
            {
                using var __ = LayerContext.Enter($"{block}");
                stage.Add(Block(maker, channels, width, project, zeroGamma));
                channels = width;
            }
            layers.Add(($"layer{index + 1}", new Sequential(stage)));
        }
        layers.Add(("pool", new GlobalAveragePool()));
        layers.Add(("fc", new Linear(channels, classes, maker.NextRandom())));
        var model = new Sequential(layers);
        SavedModel.Describe(model, name, maker.NormalizationName, classes, inputs);
        if (zeroGamma) model.Metadata["zero_gamma"] = "true";
        return model;
    }

    // A block that changes the number of channels begins a stage, at half the resolution.
    private static BasicBlock Block(LayerMaker maker, int inputs, int outputs, bool project, bool zeroGamma)
    {
        var begins = inputs != outputs;
        var (conv1, norm1) = maker.Convolution("bn1", inputs, outputs, begins ? 2 : 1);
        var (conv2, norm2) = maker.Convolution("bn2", outputs, outputs);
        if (zeroGamma)
        {
            if (norm2.Weight is not { } gamma)
                throw new ArgumentException("zeroGamma: there is no gamma to start at 0; it needs a normalization with an affine.");
            gamma.Value = Tensor.Zeros(gamma.Shape);
        }
        if (!begins) return new BasicBlock(conv1, norm1, conv2, norm2);
        if (!project) return new BasicBlock(conv1, norm1, conv2, norm2, new PaddedShortcut(outputs - inputs), "shortcut");
        using var _ = LayerContext.Enter("downsample");
        var (projection, norm) = maker.Convolution("1", inputs, outputs, stride: 2, kernel: 1);
        return new BasicBlock(conv1, norm1, conv2, norm2, new Sequential(projection, norm));
    }
}
