namespace Tapegrad.Layers;

/// <summary>
/// A network without shortcuts (Simonyan and Zisserman, 2015), in the form that labml's experiments on normalization use for
/// 32x32 images: 3x3 convolutions of 64, 64, 128, 128, 3 x 256, 3 x 512, 3 x 512 channels, each normalized and rectified, max
/// pooling after each of the five blocks, a global mean (of one pixel at 32x32), a linear layer.
/// https://nn.labml.ai/normalization/group_norm/experiment.html
/// </summary>
public static class Vgg
{
    private static readonly int[][] Blocks = [[64, 64], [128, 128], [256, 256, 256], [512, 512, 512], [512, 512, 512]];

    /// <summary>The network for images [N, H, W, inputs] of 32 pixels or more.</summary>
    /// <param name="normalization">From a number of channels to the layer that normalizes them; null, or a function that gives
    /// null, for none. Convolutions then have a bias.</param>
    /// <param name="classes">The number of outputs.</param>
    /// <param name="seed">Of the initial weights.</param>
    /// <param name="inputs">Channels of the images.</param>
    public static Module Cifar(Func<int, Normalization?>? normalization, int classes, int seed, int inputs = 3)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs, 1);
        var maker = new LayerMaker(normalization, seed);
        var features = new List<(string, Module)>();
        var channels = inputs;
        // PyTorch counts each ReLU, and the normalizations where there are some.
        var number = 0;
        using (LayerContext.Enter("features"))
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
        var model = new Sequential(("features", new Sequential(features)), ("pool", new GlobalAveragePool()),
            ("classifier", new Linear(channels, classes, maker.NextRandom())));
        SavedModel.Describe(model, "vgg", maker.NormalizationName, classes, inputs);
        return model;
    }

    /// <summary>How many weights the convolutions hold: a file must hold as many before a network is built from it.</summary>
    internal static double CountWeights(int inputs = 3)
    {
        int[] channels = [inputs, .. Blocks.SelectMany(block => block)];
        return channels.Zip(channels[1..], (from, to) => 9.0 * from * to).Sum();
    }
}
