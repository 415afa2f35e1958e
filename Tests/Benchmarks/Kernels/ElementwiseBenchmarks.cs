using BenchmarkDotNet.Attributes;

namespace Tapegrad.Benchmarks.Kernels;

/// <summary>
/// Operations on single elements and on rows of channels, and a sum: 2 million numbers, [128, 32, 32, 16].
/// </summary>
public class ElementwiseBenchmarks
{
    private static readonly Shape Images = new(128, 32, 32, 16);

    private readonly Tensor a = Tensor.Normal(Images, new RandomSource(1)).Keep(),
        b = Tensor.Normal(Images, new RandomSource(2)).Keep();
    private readonly Tensor channels = Tensor.Normal(new Shape(16), new RandomSource(3)).Keep();

    /// <summary>a + b.</summary>
    [Benchmark]
    public void Add() => InScope(() => a + b);

    /// <summary>a times a number for each channel.</summary>
    [Benchmark]
    public void MultiplyChannels() => InScope(() => a * channels);

    /// <summary>max(a, 0).</summary>
    [Benchmark]
    public void Relu() => InScope(() => a.Relu());

    /// <summary>e^a.</summary>
    [Benchmark]
    public void Exp() => InScope(() => a.Exp());

    /// <summary>A sum for each channel, as for the gradient of what was broadcast.</summary>
    [Benchmark]
    public void SumToChannels() => InScope(() => a.SumTo(channels.Shape));

    private static void InScope(Func<Tensor> compute)
    {
        using var scope = new Scope();
        compute();
    }
}
