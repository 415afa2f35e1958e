namespace Tapegrad.Layers;

/// <summary>
/// The residual networks for small images (He, Zhang, Ren and Sun, 2016, section 4.2): a 3x3 convolution, three stages of n
/// blocks of two 3x3 convolutions, at 16, 32 and 64 channels and at full, half and quarter resolution, a global mean, a linear
/// layer; depth = 6n + 2. Where a stage begins, the shortcut has no parameters (option A): every second pixel, zeros for the new
/// channels, half of them on either side. Convolutions start He-normal by fan-out.
/// </summary>
public static class ResNet
{
    /// <summary>A ResNet of depth 6n + 2 for images [N, H, W, 3].</summary>
    /// <param name="depth">20, 32, 44, 56, 110, ...</param>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function that gives
    /// null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="zeroGamma">Whether the last gamma of each block starts at 0, so that every block starts as its shortcut
    /// (Goyal et al., 2017).</param>
    /// <param name="width">Channels of the first stage.</param>
    public static Module Cifar(int depth, Func<int, Module?>? normalization, int classes, int seed, bool zeroGamma = false, int width = 16)
    {
        if (!IsDepth(depth))
            throw new ArgumentOutOfRangeException(nameof(depth), depth, "the depth of a ResNet for small images is 6n + 2: 8, 14, 20, 32, 44, ...");
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        var maker = new LayerMaker(normalization, seed);
        List<(string, Module)> layers = [.. maker.Convolution("conv1", "bn1", 3, width), ("relu", new Relu())];
        var channels = width;
        for (var stage = 1; stage <= 3; stage++)
        {
            using var _ = LayerContext.Enter($"layer{stage}");
            var blocks = new List<Module>();
            for (var block = 0; block < (depth - 2) / 6; block++)
            {
                using var __ = LayerContext.Enter($"{block}");
                var begins = stage > 1 && block == 0;
                blocks.Add(Block(maker, channels, begins ? 2 * channels : channels, begins ? 2 : 1, zeroGamma));
                if (begins) channels *= 2;
            }
            layers.Add(($"layer{stage}", new Sequential(blocks)));
        }
        layers.Add(("pool", new GlobalAveragePool()));
        layers.Add(("fc", new Linear(channels, classes, maker.NextRandom())));
        var model = new Sequential(layers);
        SavedModel.Describe(model, $"resnet{depth}", maker.NormalizationName, classes);
        if (zeroGamma) model.Metadata["zero_gamma"] = "true";
        if (width != 16) model.Metadata["width"] = $"{width}";
        return model;
    }

    internal static bool IsDepth(int depth) => depth >= 8 && depth % 6 == 2;

    /// <summary>How many weights the convolutions hold: a file must hold as many before a network is built from it.</summary>
    internal static double CountWeights(int depth, double width)
    {
        var perStage = (depth - 2) / 3.0;
        return 9 * (3 * width + width * width * (perStage + (2 + 4 * (perStage - 1)) + (8 + 16 * (perStage - 1))));
    }

    private static Residual Block(LayerMaker maker, int inputs, int outputs, int stride, bool zeroGamma)
    {
        var first = maker.Convolution("conv1", "bn1", inputs, outputs, stride);
        var second = maker.Convolution("conv2", "bn2", outputs, outputs);
        if (zeroGamma)
        {
            if (second is not [_, (_, Normalization { Weight: { } gamma })])
                throw new ArgumentException("zeroGamma: there is no gamma to start at 0; it needs a normalization with an affine.");
            gamma.Value = Tensor.Zeros(gamma.Shape);
        }
        var branch = new Sequential([.. first, ("relu", new Relu()), .. second]);
        return new Residual(branch, inputs == outputs ? null : new PaddedShortcut(outputs - inputs), relu: true);
    }

    // Option A of the paper.
    private sealed class PaddedShortcut(int newChannels) : Module
    {
        public override string Settings => $"every second pixel, {newChannels} channels of zeros";

        protected override Tensor Forward(Tensor x)
        {
            var (height, width, before) = (x.Shape[1], x.Shape[2], newChannels / 2);
            return x.Slice([0, 0, 0, 0], [x.Shape[0], (height + 1) / 2, (width + 1) / 2, x.Shape[3]], [1, 2, 2, 1])
                .Pad([0, 0, 0, before], [0, 0, 0, newChannels - before]);
        }
    }
}
