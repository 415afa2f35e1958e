using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>
/// Small networks drawn at random: every kind of layer, in any order in which the shapes fit, on images of ones, primes
/// and powers of two.
/// </summary>
internal static class RandomModels
{
    /// <summary>
    /// A network and the shape of its samples; the same for the same seed. It ends with a linear layer, so it never
    /// gives only zeros.
    /// </summary>
    public static (Sequential Model, Shape Sample) Create(int seed)
    {
        var draw = new Random(seed);
        var sample = new Shape(Any(1, 2, 5, 7, 8), Any(1, 3, 4, 7), Any(1, 2, 3, 6));
        var layers = new List<Module>();
        var shape = new Shape([0, .. sample.Dimensions]);   // without samples a layer only checks and shapes
        for (var tries = draw.Next(3, 12); tries > 0; tries--)
            TryAdd(shape.Rank == 4 ? OnImages(shape[3]) : OnFeatures(shape[1]));
        TryAdd(new Linear(shape[-1], 3, Stream()));
        return (new Sequential(layers), sample);

        void TryAdd(Module layer)
        {
            try
            {
                using var scope = new Scope();
                shape = layer.Apply(Tensor.Zeros(shape)).Shape;
                layers.Add(layer);
            }
            catch (ShapeException)   // the image is too small for it
            {
            }
        }

        Module OnImages(int channels)
        {
            var (groups, outputs) = (Divisor(channels), Any(1, 2, 3));
            return draw.Next(14) switch
            {
                0 or 1 => new Conv2d(channels, groups * outputs, Size(1, 3), Stream(), Size(1, 2), Size(0, 1),
                    Size(1, 2), groups, bias: Any(0, 1) == 1),
                2 => new ConvTranspose2d(channels, groups * outputs, Size(1, 3), Stream(), Size(2, 3), Size(0, 1),
                    Size(0, 1), Size(1, 2), groups, bias: Any(0, 1) == 1),
                3 => new MaxPool2d(Size(2, 3), Size(1, 2), Size(0, 1)),
                4 => new AveragePool2d(Size(1, 3), Size(1, 2), Size(0, 1)),
                5 => new BasicBlock(new Conv2d(channels, channels, 3, Stream(), padding: 1), new BatchNorm(channels),
                    new Conv2d(channels, channels, 1, Stream(), bias: false), Any(0, 1) == 1 ? new BatchNorm(channels)
                    : new LayerNorm(channels)),
                6 => new PaddedShortcut(outputs),
                7 => new Flatten(),
                8 => new GlobalAveragePool(),
                9 => new Linear(channels, outputs, Stream()),
                _ => OnAnything(channels),
            };
        }

        Module OnFeatures(int channels) =>
            draw.Next(3) == 0 ? new Linear(channels, Any(2, 5), Stream(), bias: Any(0, 1) == 1) : OnAnything(channels);

        Module OnAnything(int channels) => draw.Next(13) switch
        {
            0 or 1 or 2 => new BatchNorm(channels, affine: Any(0, 1) == 1),
            3 => new GroupNorm(channels, GroupSpec.Count(Divisor(channels)), eps: 0.01, affine: Any(0, 1) == 1),
            4 => new LayerNorm(channels, perPosition: Any(0, 1) == 1, eps: 0.01, affine: Any(0, 1) == 1),
            5 => new InstanceNorm(channels, eps: 0.01),
            6 => new Relu(),
            7 => new LeakyRelu(0.3),
            8 => new Gelu(),
            9 => new Silu(),
            10 => new Softplus(),
            11 => new Dropout(0.5),
            _ => Any(0, 1) == 0 ? new Tanh() : new Sigmoid(),
        };

        int Any(params int[] choices) => choices[draw.Next(choices.Length)];
        int Divisor(int number) => Any([.. Enumerable.Range(1, number).Where(divisor => number % divisor == 0)]);
        Size2d Size(int least, int most) => new(draw.Next(least, most + 1), draw.Next(least, most + 1));
        RandomSource Stream() => new(draw.Next());
    }
}
