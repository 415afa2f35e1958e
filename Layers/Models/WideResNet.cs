namespace Tapegrad.Layers;

/// <summary>
/// Wide residual networks for small images (Zagoruyko and Komodakis, "Wide residual networks", 2016): WRN-d-k has a 3x3
/// convolution of 16 channels, three stages of n = (d - 4) / 6 blocks with 16k, 32k and 64k channels, the second and
/// the third at half the resolution of the one before, a normalization and a ReLU, a global mean, a linear layer.
/// The normalization comes before the convolution (<see cref="PreActivationBlock"/>), so nothing stands between the
/// blocks' sums. Where the channels change, the shortcut is a 1x1 convolution. No dropout. Names are those of the
/// PyTorch implementations that go back to the authors': <c>block1.layer.0.bn1</c>.
/// </summary>
public static class WideResNet
{
    /// <summary>A WRN-depth-times for images [N, H, W, inputs].</summary>
    /// <param name="depth">6n + 4: 10, 16, 22, 28, 40, ..., 1000.</param>
    /// <param name="times">How many times as wide as the narrowest one, of 16, 32 and 64 channels: the paper's
    /// k.</param>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function
    /// that gives null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(int depth, int times, Func<int, Normalization?>? normalization, int classes, int seed,
        int inputs = 3)
    {
        if (!IsDepth(depth))
            throw new ArgumentOutOfRangeException(nameof(depth), depth,
                "the depth of a wide ResNet is 6n + 4: 10, 16, 22, 28, 40, ..., 1000");
        ArgumentOutOfRangeException.ThrowIfLessThan(times, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(times, MostTimes);
        return new ModelSpec($"wrn{depth}-{times}", "none", classes, inputs).Build(normalization, seed);
    }

    /// <summary>The network of a name such as <c>wrn16-4</c>.</summary>
    internal static Network? Named(string name)
    {
        if (name.Split('-') is not [var first, var second] || Normalizations.Number(first, "wrn") is not { } depth
            || !IsDepth(depth)
            || Normalizations.Number(second, "") is not ({ } times and <= MostTimes)) return null;
        var blocks = Blocks(depth, times);
        return new Network((spec, maker) => Build(spec, maker, blocks),
            spec => 9.0 * 16 * spec.Inputs + blocks.Sum(block => block.CountWeights())
            + (double)blocks[^1].Outputs * spec.Classes)
        {
            Refusal = $"{name} has its width in its name, and no gamma behind its blocks that could start at 0.",
        };
    }

    // The last stage's channels are counted in an int.
    private const int MostTimes = int.MaxValue / 64;

    private static bool IsDepth(int depth) => depth is >= 10 and <= 1000 && depth % 6 == 4;

    private readonly record struct Block(int Stage, int Index, int Inputs, int Outputs)
    {
        public int Stride => Index == 0 && Stage > 1 ? 2 : 1;

        public double CountWeights() =>
            9.0 * Inputs * Outputs + 9.0 * Outputs * Outputs + (Inputs == Outputs ? 0 : (double)Inputs * Outputs);
    }

    private static Block[] Blocks(int depth, int times)
    {
        int[] widths = [16, 16 * times, 32 * times, 64 * times];
        return [.. Enumerable.Range(1, 3).SelectMany(stage => Enumerable.Range(0, (depth - 4) / 6).Select(index =>
            new Block(stage, index, index > 0 ? widths[stage] : widths[stage - 1], widths[stage])))];
    }

    private static Sequential Build(ModelSpec spec, LayerMaker maker, Block[] blocks)
    {
        var channels = blocks[^1].Outputs;
        var last = maker.Normalization("bn1", channels);
        List<(string, Module)> layers =
            [("conv1", maker.Convolution(spec.Inputs, 16, stride: 1, kernel: 3, bias: last is NoNormalization))];
        foreach (var stage in blocks.GroupBy(block => $"block{block.Stage}"))
        {
            using var _ = maker.Enter(stage.Key);
            using var __ = maker.Enter("layer");
            var made = new List<Module>();
            foreach (var block in stage)
            {
                using var ___ = maker.Enter($"{block.Index}");
                made.Add(Make(maker, block));
            }
            layers.Add((stage.Key, new Sequential(("layer", new Sequential(made)))));
        }
        layers.AddRange([("bn1", new NormalizedRelu(last)), ("pool", new GlobalAveragePool()),
            ("fc", new Linear(channels, spec.Classes, maker.NextRandom()))]);
        return new Sequential(layers);
    }

    private static PreActivationBlock Make(LayerMaker maker, Block block)
    {
        var norm1 = maker.Normalization("bn1", block.Inputs);
        var (conv1, norm2) = maker.Convolution("bn2", block.Inputs, block.Outputs, block.Stride);
        var bias = norm2 is NoNormalization;
        var conv2 = maker.Convolution(block.Outputs, block.Outputs, stride: 1, kernel: 3, bias);
        return new PreActivationBlock(norm1, conv1, norm2, conv2,
            block.Inputs == block.Outputs ? null
            : maker.Convolution(block.Inputs, block.Outputs, block.Stride, kernel: 1, bias));
    }
}
