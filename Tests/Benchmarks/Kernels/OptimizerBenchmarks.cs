using BenchmarkDotNet.Attributes;
using Tapegrad.Optimizers;

namespace Tapegrad.Benchmarks.Kernels;

/// <summary>A step of an optimizer over 16 parameters of 256 x 256 numbers: a million.</summary>
public class OptimizerBenchmarks
{
    private readonly Parameter[] parameters =
        [.. Enumerable.Range(0, 16)
            .Select(i => new Parameter($"{i}", Tensor.Normal(new Shape(256, 256), new RandomSource(i))))];

    private Gradients gradients = null!;
    private Optimizer sgd = null!, adam = null!;

    /// <summary>Makes the gradients.</summary>
    [GlobalSetup]
    public void Differentiate()
    {
        using var tape = Tape.Training(default);
        gradients = tape.Gradients(parameters.Select(parameter => parameter.Value.Sum()).Aggregate((a, b) => a + b))
            .Keep();
        (sgd, adam) = (new Sgd(parameters, momentum: 0.9, weightDecay: 5e-4), new Adam(parameters));
    }

    // Gradients can be used once; kept ones share their numbers with those that they were kept from.

    /// <summary>With momentum and weight decay.</summary>
    [Benchmark]
    public void Sgd() => sgd.Step(gradients.Keep(), 1e-6);

    /// <summary>With both moments.</summary>
    [Benchmark]
    public void Adam() => adam.Step(gradients.Keep(), 1e-6);
}
