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
        Module? normalizing;
        using (LayerContext.Enter(normalizationName)) normalizing = normalization?.Invoke(outputs);   // a refusal names the layer
        NormalizationName = Normalizations.NameOf(normalizing);
        var convolution = new Conv2d(inputs, outputs, kernel, NextRandom(), stride, padding: kernel / 2, bias: normalizing is null);
        return normalizing is null ? [(name, convolution)] : [(name, convolution), (normalizationName, normalizing)];
    }
}
