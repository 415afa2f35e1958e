namespace Tapegrad.Layers;

/// <summary>
/// A network made to learn small images in minutes (Jordan, "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024,
/// arXiv:2404.00498, after Page, 2019, and tysam-code's hlb-CIFAR10): wide where the image is small, and all of its
/// work in 3x3 convolutions of stride 1.
/// <code>
/// whiten   2x2 patches, whitened: 8 C channels         x [N, H, W, C], of 25 pixels a side or more
/// gelu
/// layer1   64 channels     conv1 3x3, max pooling by 2, norm1, gelu, conv2 3x3, norm2, gelu
/// layer2   256 channels    likewise
/// layer3   256 channels    likewise
/// pool     the largest of 3x3: all that is left of 32x32 pixels; of larger images, the mean of what is left
/// fc       a linear layer without bias, times 1/9
/// </code>
/// Convolutions begin by passing on what they are given (<see cref="Initializers.Dirac"/>). Of each normalization gamma
/// stays 1, and beta is learned. Give the first layer images before training: <see cref="Whitening.AdaptTo"/>.
/// </summary>
public static class Fast
{
    private static readonly int[] Widths = [64, 256, 256];
    private const int PatchSide = 2;
    private const double LogitScale = 1.0 / 9;   // logits of about 1 at the beginning, whatever passes

    /// <summary>The network for images [N, H, W, inputs] of 25 pixels a side or more.</summary>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function
    /// that gives null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(Func<int, Normalization?>? normalization, int classes, int seed, int inputs = 3) =>
        new ModelSpec("fast", "none", classes, inputs).Build(normalization, seed);

    /// <summary>The network of a name.</summary>
    internal static Network? Named(string name) => name != "fast" ? null : new Network(Build, spec =>
    {
        var patch = (double)PatchSide * PatchSide * spec.Inputs;
        double[] channels = [2 * patch, .. Widths];
        return patch * channels[0] + channels.Zip(channels[1..], (from, to) => 9 * to * (from + to)).Sum()
            + channels[^1] * spec.Classes;
    })
    {
        Refusal = "fast has one width, and no residual blocks, whose gamma could start at 0.",
        Usual = Usual,
    };

    // The paper's recipe. It sums the loss over a batch and gives a rate of 11.5 for 1024 images, which it divides by 1
    // + 1 / (1 - momentum): as the mean is taken here, 11.5 / 7.667 = 1.5. Its decay of 0.0153 is rate times decay, of
    // the betas too. Frozen after three epochs, the bias of the first layer would save 3 % of the rest; it is not.
    private static readonly UsualTraining WithBatch = new()
    {
        Normalization = BatchNormConvention.Fast.Name,
        Epochs = 10,
        BatchSize = 1024,
        LearningRate = 1.5,
        RateFollowsBatch = true,
        Schedule = "triangular",
        Momentum = 0.85,
        Nesterov = true,
        WeightDecay = 0.00133,   // 0.0153 / 11.5
        BetaRate = 64,
        LabelSmoothing = 0.2,
        Lookahead = true,
        Flip = "alternate",
        Translate = 2,
        TestViews = "flip+shift",
    };

    // Where no later normalization takes the channels' means away again, betas at 64 times the rate learn nothing, and
    // such a rate little (found on 5000 training images held apart; Examples/Cifar10/RESULTS.md).
    private static readonly UsualTraining Usual = WithBatch with
    {
        WithinSamples = WithBatch with { LearningRate = 0.5, BetaRate = 1 },
    };

    private static Sequential Build(ModelSpec spec, LayerMaker maker)
    {
        var whitening = new Whitening(spec.Inputs, PatchSide);
        var layers = new List<(string, Module)> { ("whiten", whitening), ("gelu", new Gelu()) };
        var channels = whitening.Configuration.Outputs;
        for (var stage = 1; stage <= Widths.Length; stage++)
        {
            using var _ = maker.Enter($"layer{stage}");
            layers.Add(($"layer{stage}", Stage(maker, channels, Widths[stage - 1])));
            channels = Widths[stage - 1];
        }
        layers.AddRange([("pool", new MaxPool2d(3)), ("mean", new GlobalAveragePool()),
            ("fc", new Linear(channels, spec.Classes, maker.NextRandom(), bias: false)),
            ("scale", new Scaling(LogitScale))]);
        return new Sequential(layers);
    }

    private static Sequential Stage(LayerMaker maker, int inputs, int outputs)
    {
        var (conv1, norm1) = maker.Convolution("norm1", inputs, outputs, initializer: Initializers.Dirac);
        var (conv2, norm2) = maker.Convolution("norm2", outputs, outputs, initializer: Initializers.Dirac);
        return new Sequential([("conv1", conv1), ("pool", new MaxPool2d(2)), .. Activated(1, norm1),
            ("conv2", conv2), .. Activated(2, norm2)]);
    }

    private static IEnumerable<(string, Module)> Activated(int number, Normalization norm)
    {
        if (norm.Weight is { } gamma) gamma.IsTrainable = false;
        yield return ($"norm{number}", norm);
        if (!norm.ContainsActivation) yield return ($"gelu{number}", new Gelu());
    }
}
