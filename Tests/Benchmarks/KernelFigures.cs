using Tapegrad.Layers;
using Tapegrad.Training;

namespace Tapegrad.Benchmarks;

/// <summary>
/// What single operations take, forward and with their gradients: convolutions, normalizations, the matrix product.
/// </summary>
internal static class KernelFigures
{
    /// <summary>Channels and side of the images: those of ResNet-20, and of ResNet-18 and VGG.</summary>
    public static readonly (int Channels, int Side)[] Convolutions = [(16, 32), (32, 16), (64, 8), (64, 32), (128, 16),
        (256, 8)];

    private const int Batch = 128;
    private static readonly RandomSource Random = new(1);

    /// <summary>
    /// 3x3, stride 1, as many channels out as in. The rate is that of a direct convolution's work, whatever the
    /// algorithm saves of it.
    /// </summary>
    public static void AddConvolutions(Figures figures, Clock clock)
    {
        foreach (var (channels, side) in Convolutions)
        {
            var shape = new Shape(Batch, side, side, channels);
            var (x, u) = (Tensor.Normal(shape, Random.Split(0)).Keep(), Tensor.Normal(shape, Random.Split(1)).Keep());
            var w = Tensor.Normal(new Shape(3, 3, channels, channels), Random.Split(2)).Keep();
            var flops = 2.0 * shape.Count * 9 * channels;
            var name = $"conv3x3 {channels}x{side}x{side} b{Batch}";
            ConvolutionPaths.ForEach(path =>
            {
                figures.Add($"{name} {path}forward GF/s", flops / 1e9 / clock.Best(() =>
                {
                    using var scope = new Scope();
                    x.Conv2d(w, padding: 1);
                }));
                figures.Add($"{name} {path}forward+backward GF/s", 3 * flops / 1e9 / clock.Best(() =>
                {
                    using var tape = Tape.Training(Random);
                    var (image, weight) = (tape.Watch(x), tape.Watch(w));
                    tape.Gradients(image.Conv2d(weight, padding: 1), [image, weight], seed: u);
                }));
            });
        }
    }

    /// <summary>
    /// With gamma and beta, alone and followed by a ReLU: the value, and the gradients of x, gamma and beta.
    /// </summary>
    public static void AddNormalizations(Figures figures, Clock clock)
    {
        foreach (var (channels, side, groups) in ((int, int, int)[])[(16, 32, 8), (64, 32, 32)])
        {
            var shape = new Shape(Batch, side, side, channels);
            var (x, u) = (Tensor.Normal(shape, Random.Split(0)).Keep(), Tensor.Normal(shape, Random.Split(1)).Keep());
            foreach (var rectified in (bool[])[false, true])
                foreach (var (name, normalization) in ((string, Normalization)[])
                    [("group_norm", new GroupNorm(channels, GroupSpec.Count(groups))),
                        ("batch_norm", new BatchNorm(channels))])
                {
                    Module module = rectified ? new NormalizedRelu(normalization) : normalization;
                    var seconds = clock.Best(() =>
                    {
                        using var tape = Tape.Training(Random);
                        var watched = tape.Watch(x);
                        tape.Gradients(module.Apply(watched), [watched, normalization.Weight!, normalization.Bias!],
                            seed: u);
                    });
                    var what = rectified ? $"{name}+relu" : name;
                    figures.Add($"{what} {channels}x{side}x{side} b{Batch} forward+backward ns/element",
                        1e9 * seconds / shape.Count, digits: 3);
                }
        }
    }

    /// <summary>Two square matrices.</summary>
    public static void AddMatrixProduct(Figures figures, Clock clock)
    {
        const int n = 1024;
        var shape = new Shape(n, n);
        var (a, b) = (Tensor.Normal(shape, Random.Split(0)).Keep(), Tensor.Normal(shape, Random.Split(1)).Keep());
        figures.Add($"sgemm {n} GF/s", 2.0 * n * n * n / 1e9 / clock.Best(() =>
        {
            using var scope = new Scope();
            a.MatrixProduct(b);
        }));
    }
}
