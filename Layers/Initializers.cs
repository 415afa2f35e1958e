namespace Tapegrad.Layers;

/// <summary>Makes the initial value of a weight.</summary>
public delegate Tensor Initializer(Shape shape, RandomSource random);

/// <summary>
/// How weights start. A weight is [.., in, out]: [in, out] of a linear layer, [KH, KW, C / groups, O] of a convolution.
/// Its fan-in is the number of inputs that meet in one output, its fan-out, as PyTorch counts it, the window's size
/// times O (whatever the groups).
/// </summary>
public static class Initializers
{
    /// <summary>
    /// Normal, standard deviation sqrt(2 / fan-in): keeps the size of activations through ReLUs (He, Zhang, Ren and
    /// Sun, 2015).
    /// </summary>
    public static Tensor HeNormal(Shape shape, RandomSource random) =>
        Tensor.Normal(shape, random) * Math.Sqrt(2.0 / FanIn(shape));

    /// <summary>Normal, standard deviation sqrt(2 / fan-out): keeps the size of gradients through ReLUs.</summary>
    public static Tensor HeNormalFanOut(Shape shape, RandomSource random) =>
        Tensor.Normal(shape, random) * Math.Sqrt(2.0 / FanOut(shape));

    /// <summary>Evenly spread over +-sqrt(6 / (fan-in + fan-out)) (Glorot and Bengio, 2010).</summary>
    public static Tensor XavierUniform(Shape shape, RandomSource random) =>
        Uniform(shape, Math.Sqrt(6.0 / (FanIn(shape) + FanOut(shape))), random);

    /// <summary>Evenly spread over +-1 / sqrt(fan-in): where PyTorch's linear and convolution weights start.</summary>
    public static Tensor UniformFanIn(Shape shape, RandomSource random) =>
        Uniform(shape, 1 / Math.Sqrt(FanIn(shape)), random);

    /// <summary>
    /// Of a convolution, as <see cref="UniformFanIn"/> but for its first outputs, as many as there are inputs: output o
    /// begins as input o, 1 in the middle of the window and 0 elsewhere, so that a layer begins by passing on what it
    /// is given ("dirac"; Zagoruyko and Komodakis, 2017).
    /// </summary>
    public static Tensor Dirac(Shape shape, RandomSource random)
    {
        if (shape.Rank < 3) throw new ShapeException($"initializer: the weight {shape} must be [.., KW, in, out].");
        var (inputs, outputs) = (shape[-2], shape[-1]);
        var (numbers, middle) = (UniformFanIn(shape, random).ToDoubles(), 0);
        foreach (var length in shape.Dimensions[..^2]) middle = middle * length + length / 2;
        for (var at = 0; at < numbers.Length; at++)
            if (at % outputs is var o && o < inputs)
                numbers[at] = at / outputs == middle * inputs + o ? 1 : 0;
        return Tensor.From(numbers, shape);
    }

    /// <summary>Evenly spread over [-bound, bound).</summary>
    public static Tensor Uniform(Shape shape, double bound, RandomSource random) =>
        (Tensor.Uniform(shape, random) * 2 - 1) * bound;

    private static double FanIn(Shape shape) => Window(shape) * shape[-2];

    private static double FanOut(Shape shape) => Window(shape) * shape[-1];

    private static double Window(Shape shape)
    {
        if (shape.Rank < 2) throw new ShapeException($"initializer: the weight {shape} must be [.., in, out].");
        var product = 1.0;
        foreach (var length in shape.Dimensions[..^2]) product *= length;
        return product;
    }
}
