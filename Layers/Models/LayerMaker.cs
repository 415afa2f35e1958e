namespace Tapegrad.Layers;

/// <summary>
/// Makes the layers of a model: convolutions with or without the normalization that was chosen, each with random numbers of its
/// own.
/// </summary>
internal sealed class LayerMaker(Func<int, Module?>? normalization, int seed)
{
    private readonly RandomSource random = new(seed);
    private int drawn;

    /// <summary>What rebuilds the normalization, once a layer has been made.</summary>
    public string NormalizationName { get; private set; } = "none";

    public RandomSource NextRandom() => random.Split(drawn++);

    /// <summary>A convolution that keeps the size (at stride 1), then the normalization; without one, the convolution has a
    /// bias.</summary>
    public (string, Module)[] Convolution(string name, string normalizationName, int inputs, int outputs, int stride = 1, int kernel = 3)
    {
        var following = Normalization(normalizationName, outputs);
        return [(name, Convolution(inputs, outputs, stride, kernel, bias: following.Length == 0)), .. following];
    }

    /// <summary>A convolution that keeps the size (at stride 1), alone.</summary>
    public Conv2d Convolution(int inputs, int outputs, int stride, int kernel, bool bias) =>
        new(inputs, outputs, kernel, NextRandom(), stride, padding: kernel / 2, bias: bias);

    /// <summary>The normalization of so many channels; nothing where there is none.</summary>
    public (string, Module)[] Normalization(string name, int channels)
    {
        Module? normalizing;
        using (LayerContext.Enter(name)) normalizing = normalization?.Invoke(channels);   // a refusal names the layer
        NormalizationName = Normalizations.NameOf(normalizing);
        return normalizing is null ? [] : [(name, normalizing)];
    }
}
