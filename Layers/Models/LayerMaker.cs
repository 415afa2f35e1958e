namespace Tapegrad.Layers;

/// <summary>
/// Makes the layers of a model: convolutions, and the normalization that was chosen, each with random numbers of its own.
/// </summary>
internal sealed class LayerMaker(Func<int, Normalization?>? normalization, int seed)
{
    private readonly RandomSource random = new(seed);
    private int drawn;

    /// <summary>What rebuilds the normalization, once a layer has been made.</summary>
    public string NormalizationName { get; private set; } = "none";

    public RandomSource NextRandom() => random.Split(drawn++);

    /// <summary>A convolution that keeps the size (at stride 1), and the normalization of its outputs, of this name; where there is none, the
    /// convolution has a bias.</summary>
    public (Conv2d, Normalization) Convolution(string name, int inputs, int outputs, int stride = 1, int kernel = 3)
    {
        var norm = Normalization(name, outputs);
        return (Convolution(inputs, outputs, stride, kernel, bias: norm is NoNormalization), norm);
    }

    /// <summary>A convolution that keeps the size (at stride 1), alone.</summary>
    public Conv2d Convolution(int inputs, int outputs, int stride, int kernel, bool bias) =>
        new(inputs, outputs, kernel, NextRandom(), stride, padding: kernel / 2, bias: bias);

    /// <summary>The normalization of so many channels, of this name.</summary>
    public Normalization Normalization(string name, int channels)
    {
        using var _ = LayerContext.Enter(name);   // a refusal names the layer
        var norm = normalization?.Invoke(channels) ?? new NoNormalization(channels);
        NormalizationName = Normalizations.NameOf(norm);
        return norm;
    }
}
