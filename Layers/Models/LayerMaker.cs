namespace Tapegrad.Layers;

/// <summary>
/// Makes the layers of a model: convolutions, and the normalization of their outputs, each with random numbers of its
/// own.
/// </summary>
/// <param name="normalization">From a layer's path and its channels to the normalization; null for none.</param>
/// <param name="seed">Of all random numbers.</param>
internal sealed class LayerMaker(Func<string, int, Normalization?> normalization, int seed)
{
    private readonly RandomSource random = new(seed);
    private int drawn;
    private string path = "";

    public RandomSource NextRandom() => random.Split(drawn++);

    /// <summary>Enters a part of the model; disposing the result leaves it. A refusal names the part.</summary>
    public IDisposable Enter(string name)
    {
        var inside = new Inside(this, path, LayerContext.Enter(name));
        path = path == "" ? name : $"{path}.{name}";
        return inside;
    }

    /// <summary>
    /// A convolution that keeps the size (at stride 1), and the normalization of its outputs, of this name; where there
    /// is none, the convolution has a bias.
    /// </summary>
    public (Conv2d, Normalization) Convolution(string name, int inputs, int outputs, int stride = 1, int kernel = 3,
        Initializer? initializer = null)
    {
        var norm = Normalization(name, outputs);
        return (Convolution(inputs, outputs, stride, kernel, bias: norm is NoNormalization, initializer), norm);
    }

    /// <summary>A convolution that keeps the size (at stride 1), alone.</summary>
    public Conv2d Convolution(int inputs, int outputs, int stride, int kernel, bool bias,
        Initializer? initializer = null) =>
        new(inputs, outputs, kernel, NextRandom(), stride, padding: kernel / 2, bias: bias, initializer: initializer);

    /// <summary>The normalization of so many channels, of this name.</summary>
    public Normalization Normalization(string name, int channels)
    {
        using var _ = Enter(name);
        return normalization(path, channels) ?? new NoNormalization(channels);
    }

    private sealed class Inside(LayerMaker maker, string outer, LayerContext context) : IDisposable
    {
        public void Dispose()
        {
            maker.path = outer;
            context.Dispose();
        }
    }
}
