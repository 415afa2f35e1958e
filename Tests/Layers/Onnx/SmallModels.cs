using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>
/// Every other layer with settings that are not the usual ones, on images that are not square, and inputs without
/// positions.
/// </summary>
internal static class SmallModels
{
    private static readonly RandomSource Random = new(7);

    public static IEnumerable<(string Name, Module[] Layers, Shape Sample)> All =>
    [
        ("convolutions",
            [new Conv2d(4, 6, new Size2d(3, 2), Random, new Size2d(2, 1), new Size2d(1, 2), new Size2d(1, 2),
                groups: 2),
            new BatchNorm(6), new LeakyRelu(0.2), new Conv2d(6, 5, 1, Random, bias: false),
            new BatchNorm(5, affine: false), new Gelu()],
            new Shape(9, 8, 4)),
        ("transposed",
            [new ConvTranspose2d(4, 6, new Size2d(3, 2), Random, new Size2d(2, 3), new Size2d(1, 0), new Size2d(0, 2),
                groups: 2),
            new BatchNorm(6), new Silu(), new ConvTranspose2d(6, 2, 2, Random, 2, bias: false, dilation: 2),
            new BatchNorm(2), new Softplus()],
            new Shape(5, 4, 4)),
        ("sequences",
            [new Conv1d(4, 6, 3, Random, stride: 2, padding: 1, dilation: 2, groups: 2), new BatchNorm(6), new Tanh(),
            new GroupNorm(6, GroupSpec.Count(2)), new Linear(6, 8, Random), new LayerNorm(8, perPosition: true),
            new InstanceNorm(8),
            new GlobalAveragePool()], new Shape(11, 4)),
        ("pools", [new MaxPool2d(3, 2, 1), new Sigmoid(), new AveragePool2d(new Size2d(2, 3), 1, new Size2d(1, 0)),
            new PaddedShortcut(3)],
            new Shape(9, 8, 3)),
        ("flatten", [new Conv2d(3, 4, 3, Random), new Flatten(), new Relu(), new Dropout(0.5),
            new Linear(4 * 5 * 4, 7, Random), new BatchNorm(7),
            new Linear(7, 3, Random)], new Shape(7, 6, 3)),
        ("flatten-normalized", [new Flatten(), new Tanh(), new BatchNorm(24), new Linear(24, 3, Random)],
            new Shape(4, 2, 3)),
        ("flatten-last", [new Sequential(new Conv2d(3, 4, 3, Random), new Flatten())], new Shape(4, 5, 3)),
        ("per-position",
            [new Linear(3, 6, Random), new BatchNorm(6), new LayerNorm(6, perPosition: true, affine: false),
            new GroupNorm(6, GroupSpec.Size(2), affine: false)], new Shape(4, 5, 3)),
        ("features", [new Linear(6, 8, Random), new BatchNorm(8), new GroupNorm(8, GroupSpec.Count(2)),
            new LayerNorm(8), new Linear(8, 8, Random),
            new LayerNorm(8, perPosition: true)], new Shape(6)),
        ("one-element", [new InstanceNorm(6)], new Shape(6)),
        ("residual",
            [new BasicBlock(Convolution(2, 3), new BatchNorm(3), Convolution(3, 2),
                new GroupNorm(2, GroupSpec.Count(2))),
            new BasicBlock(Convolution(2, 5, stride: 2), new NoNormalization(5), Convolution(5, 5), new BatchNorm(5),
                new PaddedShortcut(3))], new Shape(3, 4, 2)),
        ("pre-activation",
            [new PreActivationBlock(new BatchNorm(2), Convolution(2, 2), new LayerNorm(2), Convolution(2, 2)),
            new PreActivationBlock(new InstanceNorm(2), Convolution(2, 3), new BatchNorm(3), Convolution(3, 3),
                Convolution(2, 3)),
            new NormalizedRelu(new BatchNorm(3)), new Conv2d(3, 2, 1, Random), new NormalizedRelu(new BatchNorm(2))],
            new Shape(3, 4, 2)),
        ("whitened", [Adapted(new Whitening(3, new Size2d(2, 3))), new Gelu(), new Flatten(), new Scaling(0.3),
            new Linear(36 * 4 * 3, 5, Random), new Scaling(1.0 / 9)], new Shape(5, 5, 3)),
        ("nothing", [new Dropout(0.1)], new Shape(3, 4, 2)),
    ];

    private static Whitening Adapted(Whitening layer)
    {
        layer.AdaptTo([Tensor.Normal(new Shape(3, 5, 5, 3), Random)]);
        return layer;
    }

    private static Conv2d Convolution(int inputs, int outputs, int stride = 1) =>
        new(inputs, outputs, 3, Random, stride: stride, padding: 1);
}
