namespace Tapegrad.Layers;

/// <summary>
/// A network without shortcuts (Simonyan and Zisserman, 2015), in the form that labml's experiments on normalization
/// use for 32x32 images: 3x3 convolutions of 64, 64, 128, 128, 3 x 256, 3 x 512, 3 x 512 channels, each normalized and
/// rectified, max pooling after each of the five blocks, a global mean (of one pixel at 32x32), a linear layer.
/// https://nn.labml.ai/normalization/group_norm/experiment.html
/// </summary>
public static class Vgg
{
    private static readonly int[][] Blocks = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]];

    /// <summary>The network for images [N, H, W, inputs] of 32 pixels or more.</summary>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function
    /// that gives null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(Func<int, Normalization?>? normalization, int classes, int seed, int inputs = 3) =>
        new ModelSpec("vgg", "none", classes, inputs).Build(normalization, seed);

    /// <summary>The network of a name.</summary>
    internal static Network? Named(string name) => name != "vgg" ? null : new Network(Build, spec =>
    {
        int[] channels = [spec.Inputs, .. Blocks.SelectMany(block => block)];
        return channels.Zip(channels[1..], (from, to) => 9.0 * from * to).Sum() + (double)channels[^1] * spec.Classes;
    })
    {
        // without shortcuts it hardly learns from larger steps
        Usual = new() { LearningRate = 0.01 },
        Refusal = "vgg has neither residual blocks, whose gamma could start at 0, nor another width.",
    };

    private static Sequential Build(ModelSpec spec, LayerMaker maker)
    {
        var features = new List<(string, Module)>();
        // PyTorch counts each ReLU, and the normalizations where there are some.
        var (channels, number) = (spec.Inputs, 0);
        using (maker.Enter("features"))
            foreach (var block in Blocks)
            {
                foreach (var outputs in block)
                {
                    var (convolution, norm) = maker.Convolution($"{number + 1}", channels, outputs);
                    features.AddRange([($"{number}", convolution), ($"{number + 1}", new NormalizedRelu(norm))]);
                    number += norm is NoNormalization ? 2 : 3;
                    channels = outputs;
                }
                features.Add(($"{number++}", new MaxPool2d(2)));
            }
        return new Sequential(("features", new Sequential(features)), ("pool", new GlobalAveragePool()),
            ("classifier", new Linear(channels, spec.Classes, maker.NextRandom())));
    }
}
