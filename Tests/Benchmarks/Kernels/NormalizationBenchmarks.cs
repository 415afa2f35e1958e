using BenchmarkDotNet.Attributes;
using Tapegrad.Layers;

namespace Tapegrad.Benchmarks.Kernels;

/// <summary>Normalization with gamma, beta and ReLU, batch 128.</summary>
public class NormalizationBenchmarks
{
    private NormalizedRelu module = null!;
    private Normalization normalization = null!;
    private Tensor x = null!, u = null!;

    /// <summary>What <see cref="Normalizations.Parse"/> understands.</summary>
    [Params("batch", "group:8", "layer", "instance")]
    public string Name { get; set; } = "";

    /// <summary>Channels of 32x32 images.</summary>
    [Params(16, 64)]
    public int Channels { get; set; }

    /// <summary>Makes the layers and their input.</summary>
    [GlobalSetup]
    public void Fill()
    {
        normalization = Normalizations.Parse(Name)(Channels);
        module = new NormalizedRelu(normalization);
        var shape = new Shape(128, 32, 32, Channels);
        (x, u) = (Tensor.Normal(shape, new RandomSource(1)).Keep(), Tensor.Normal(shape, new RandomSource(2)).Keep());
    }

    /// <summary>The value, as in training.</summary>
    [Benchmark]
    public void Forward()
    {
        using var tape = Tape.Training(default);
        module.Apply(x);
    }

    /// <summary>The value, and the gradients of x, gamma and beta.</summary>
    [Benchmark]
    public void ForwardAndGradients()
    {
        using var tape = Tape.Training(default);
        var watched = tape.Watch(x);
        tape.Gradients(module.Apply(watched), [watched, normalization.Weight!, normalization.Bias!], seed: u);
    }
}
