namespace Tapegrad.Layers;

/// <summary>
/// Residual networks for small images (He, Zhang, Ren and Sun, 2016): a 3x3 convolution, stages of blocks of two 3x3
/// convolutions, each stage but the first at half the resolution and twice the channels of the one before, a global
/// mean, a linear layer.
/// <code>
/// Cifar, depth 6n + 2   three stages of n blocks, 16, 32 and 64 channels (section 4.2)
/// Cifar18               four stages of 2 blocks, 64, 128, 256 and 512 channels: the paper's ResNet-18 with a beginning
///                       for small images
/// </code>
/// Where a stage begins, the shortcut changes shape as well. That of <see cref="Cifar"/> has no parameters (option A):
/// every second pixel, zeros for the new channels, half of them on either side. That of <see cref="Cifar18"/> is a 1x1
/// convolution of stride 2 and a normalization (option B). Convolutions start He-normal by fan-out. Names are those of
/// PyTorch's checkpoints.
/// </summary>
public static class ResNet
{
    /// <summary>A ResNet of depth 6n + 2 for images [N, H, W, inputs].</summary>
    /// <param name="depth">20, 32, 44, 56, 110, ..., 1202.</param>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function
    /// that gives null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="zeroGamma">Whether the last gamma of each block starts at 0, so that every block starts as its
    /// shortcut (Goyal et al., 2017).</param>
    /// <param name="width">Channels of the first stage.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(int depth, Func<int, Normalization?>? normalization, int classes, int seed,
        bool zeroGamma = false, int width = 16, int inputs = 3)
    {
        if (!IsDepth(depth))
            throw new ArgumentOutOfRangeException(nameof(depth), depth,
                "the depth of a ResNet for small images is 6n + 2: 8, 14, 20, 32, 44, ..., 1202");
        return new ModelSpec($"resnet{depth}", "none", classes, inputs, width, zeroGamma).Build(normalization, seed);
    }

    /// <summary>ResNet-18 for images [N, H, W, inputs] of about 32 pixels.</summary>
    /// <inheritdoc cref="Cifar"/>
    public static Module Cifar18(Func<int, Normalization?>? normalization, int classes, int seed,
        bool zeroGamma = false, int inputs = 3) =>
        new ModelSpec("resnet18", "none", classes, inputs, ZeroGamma: zeroGamma).Build(normalization, seed);

    /// <summary>The network of a name.</summary>
    internal static Network? Named(string name)
    {
        if (name == "resnet18")
            return Of(_ => Blocks([64, 128, 256, 512], 2), project: true) with
            {
                Refusal = "resnet18 has one width: 64 channels in its first stage.",
            };
        if (Normalizations.Number(name, "resnet") is not { } depth || !IsDepth(depth)) return null;
        return Of(spec => Blocks([spec.Width, 2 * spec.Width, 4 * spec.Width], (depth - 2) / 6), project: false) with
        {
            HasWidths = true,
        };
    }

    private static Network Of(Func<ModelSpec, Block[]> blocks, bool project) =>
        new((spec, maker) => Build(spec, maker, blocks(spec), project), spec =>
    {
        var all = blocks(spec);
        return 9.0 * spec.Inputs * all[0].Inputs + all.Sum(block => block.CountWeights(project))
            + (double)all[^1].Outputs * spec.Classes;
    })
        {
            HasGammas = true,
        };

    // The paper's deepest has 1202 layers.
    private static bool IsDepth(int depth) => depth is >= 8 and <= 1202 && depth % 6 == 2;

    // A block that changes the number of channels begins a stage, at half the resolution.
    private readonly record struct Block(int Stage, int Index, int Inputs, int Outputs)
    {
        public bool Begins => Inputs != Outputs;

        public double CountWeights(bool project) =>
            9.0 * Inputs * Outputs + 9.0 * Outputs * Outputs + (project && Begins ? (double)Inputs * Outputs : 0);
    }

    private static Block[] Blocks(int[] widths, int perStage) =>
    [
        .. widths.SelectMany((width, stage) => Enumerable.Range(0, perStage).Select(index =>
            new Block(stage + 1, index, index > 0 || stage == 0 ? width : widths[stage - 1], width))),
    ];

    private static Sequential Build(ModelSpec spec, LayerMaker maker, Block[] blocks, bool project)
    {
        var (first, norm) = maker.Convolution("bn1", spec.Inputs, blocks[0].Inputs);
        List<(string, Module)> layers = [("conv1", first), ("bn1", new NormalizedRelu(norm))];
        foreach (var stage in blocks.GroupBy(block => $"layer{block.Stage}"))
        {
            using var _ = maker.Enter(stage.Key);
            var made = new List<Module>();
            foreach (var block in stage)
            {
                using var __ = maker.Enter($"{block.Index}");
                made.Add(Make(maker, block, project, spec.ZeroGamma));
            }
            layers.Add((stage.Key, new Sequential(made)));
        }
        layers.Add(("pool", new GlobalAveragePool()));
        layers.Add(("fc", new Linear(blocks[^1].Outputs, spec.Classes, maker.NextRandom())));
        return new Sequential(layers);
    }

    private static BasicBlock Make(LayerMaker maker, Block block, bool project, bool zeroGamma)
    {
        var (conv1, norm1) = maker.Convolution("bn1", block.Inputs, block.Outputs, block.Begins ? 2 : 1);
        var (conv2, norm2) = maker.Convolution("bn2", block.Outputs, block.Outputs);
        if (zeroGamma)
        {
            if (norm2.Weight is not { } gamma)
                throw new ArgumentException("zeroGamma: there is no gamma to start at 0; it needs a normalization with "
                    + "an affine.");
            gamma.Value = Tensor.Zeros(gamma.Shape);
        }
        if (!block.Begins) return new BasicBlock(conv1, norm1, conv2, norm2);
        if (!project)
            return new BasicBlock(conv1, norm1, conv2, norm2, new PaddedShortcut(block.Outputs - block.Inputs),
                "shortcut");
        using var _ = maker.Enter("downsample");
        var (projection, norm) = maker.Convolution("1", block.Inputs, block.Outputs, stride: 2, kernel: 1);
        return new BasicBlock(conv1, norm1, conv2, norm2, new Sequential(projection, norm));
    }
}
