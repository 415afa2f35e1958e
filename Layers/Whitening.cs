using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>
/// A convolution without padding that whitens the patches of images: its weight is computed from some of them and then
/// stays; only the bias is learned. x [N, H, W, C] -> [N, H - KH + 1, W - KW + 1, 2 D], with D = KH KW C and
/// <code>
/// S = mean over the patches of p p^T = sum over i of lambda_i v_i v_i^T     p a patch [KH, KW, C] as a vector
/// y_i       =  v_i p / sqrt(lambda_i + eps) + b_i                           the largest lambda first
/// y_(D + i) = -v_i p / sqrt(lambda_i + eps) + b_(D + i)                     for an activation that passes one sign
/// </code>
/// So the first D outputs are uncorrelated, each with the mean square lambda / (lambda + eps), about 1. No mean is
/// subtracted: normalized images have none. The derivative is the convolution's. Until <see cref="AdaptTo"/> was
/// called, S is the identity and y the pixels of the patch. In files the weight and the bias are a
/// <see cref="Conv2d"/>'s. (Page, "How to train your ResNet 8: bag of tricks", 2019; Jordan, 2024, arXiv:2404.00498.)
/// </summary>
public sealed class Whitening : Convolution
{
    /// <summary>A whitening of patches that are uncorrelated already.</summary>
    /// <param name="channels">C, those of x.</param>
    /// <param name="kernel">Height and width of a patch.</param>
    /// <param name="eps">Added to the eigenvalues, inside the root: what varies less than this stays small.</param>
    public Whitening(int channels, Size2d kernel, double eps = 5e-4)
        : base(Checked(new ConvolutionSettings(channels, checked(2 * kernel.Height * kernel.Width * channels), kernel),
            nameof(Whitening)), new Shape(kernel.Height, kernel.Width, channels,
            2 * kernel.Height * kernel.Width * channels), [3, 2, 0, 1], default, (shape, _) => Identity(shape))
    {
        if (!(eps > 0 && double.IsFinite(eps)))
            throw new ArgumentOutOfRangeException(nameof(eps), eps, "eps is a finite number above 0.");
        Eps = eps;
        Weight.IsTrainable = false;
    }

    /// <summary>Added to the eigenvalues, inside the root.</summary>
    public double Eps { get; }

    /// <inheritdoc/>
    public override string Settings => FormattableString.Invariant($"{base.Settings}, eps {Eps:0.#####e-0}");

    /// <summary>Computes the weight from images, as the network will see them; the bias stays.</summary>
    /// <param name="batches">Images [N, H, W, C], a few thousand of them.</param>
    /// <exception cref="ShapeException">The images have other channels, or there is no patch in them.</exception>
    /// <exception cref="ArgumentException">An image holds NaN, or something too large to be squared; the weight is as
    /// it was.</exception>
    public void AdaptTo(IEnumerable<Tensor> batches)
    {
        var (values, vectors) = SymmetricEigen.Of(MeanProduct(batches));
        var (half, outputs) = (values.Length, 2 * values.Length);
        var weight = new double[half * outputs];   // [patch, outputs]
        for (var i = 0; i < half; i++)
            for (var k = 0; k < half; k++)
            {
                var number = vectors[i][k] / Math.Sqrt(Math.Max(values[i], 0) + Eps);
                (weight[k * outputs + i], weight[k * outputs + half + i]) = (number, -number);
            }
        using var device = Device.Use(Weight.Device);
        Weight.Value = Tensor.From(weight, Weight.Shape);
    }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Conv2d(Weight, Bias?.Value);

    // S, [D, D], one patch after the other, in double: the same numbers on every machine.
    private double[,] MeanProduct(IEnumerable<Tensor> batches)
    {
        var (kernel, channels) = (Configuration.Kernel, Configuration.Inputs);
        var (row, size) = (kernel.Width * channels, kernel.Height * kernel.Width * channels);
        var (sums, patch, count, before) = (new double[size * size], new double[size], 0L, 0L);
        foreach (var images in batches)
        {
            if (images.Shape.Rank != 4 || images.Shape[3] != channels)
                throw new ShapeException($"whitening: made for images [N, H, W, {channels}], given {images.Shape}.");
            var (pixels, height, width) = (images.ToDoubles(), images.Shape[1], images.Shape[2]);
            if (Array.FindIndex(pixels, pixel => !double.IsFinite(pixel * pixel)) is >= 0 and var at)
                throw new ArgumentException($"whitening: image {before + at / (height * width * channels)}, counted from "
                    + FormattableString.Invariant($"0, holds the number {pixels[at]}. ")
                    + "No weight can be made of NaN, nor of what is too large to be squared.");
            before += images.Shape[0];
            for (var n = 0; n < images.Shape[0]; n++)
                for (var y = 0; y + kernel.Height <= height; y++)
                    for (var x = 0; x + kernel.Width <= width; x++, count++)
                    {
                        for (var k = 0; k < kernel.Height; k++)
                            pixels.AsSpan(((n * height + y + k) * width + x) * channels, row)
                                .CopyTo(patch.AsSpan(k * row));
                        Add(patch, sums);
                    }
        }
        if (count == 0)
            throw new ShapeException($"whitening: there is no patch of {kernel} in the images to adapt to.");
        var means = new double[size, size];
        for (var i = 0; i < size; i++)
            for (var j = i; j < size; j++) means[i, j] = means[j, i] = sums[i * size + j] / count;
        return means;
    }

    // The upper triangle of p p^T.
    private static void Add(ReadOnlySpan<double> patch, Span<double> sums)
    {
        for (var i = 0; i < patch.Length; i++)
        {
            var row = sums.Slice(i * patch.Length, patch.Length);
            for (var j = i; j < row.Length; j++) row[j] += patch[i] * patch[j];
        }
    }

    private static Tensor Identity(Shape shape)
    {
        var (outputs, half) = (shape[-1], shape[-1] / 2);
        var weight = new double[half * outputs];
        for (var i = 0; i < half; i++) (weight[i * outputs + i], weight[i * outputs + half + i]) = (1, -1);
        return Tensor.From(weight, shape);
    }
}
