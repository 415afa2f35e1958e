using BenchmarkDotNet.Attributes;

namespace Tapegrad.Benchmarks.Kernels;

/// <summary>The product of two square matrices, and with either one transposed.</summary>
public class MatrixProductBenchmarks
{
    private Tensor a = null!, b = null!;

    /// <summary>Rows and columns.</summary>
    [Params(64, 1024)]
    public int Size { get; set; }

    /// <summary>Fills the matrices.</summary>
    [GlobalSetup]
    public void Fill()
    {
        var shape = new Shape(Size, Size);
        (a, b) = (Tensor.Normal(shape, new RandomSource(1)).Keep(), Tensor.Normal(shape, new RandomSource(2)).Keep());
    }

    /// <summary>a b.</summary>
    [Benchmark]
    public void Plain() => Multiply(false, false);

    /// <summary>a' b, as for the gradient of a linear layer's weight.</summary>
    [Benchmark]
    public void TransposedA() => Multiply(true, false);

    /// <summary>a b', as for the gradient of a linear layer's input.</summary>
    [Benchmark]
    public void TransposedB() => Multiply(false, true);

    private void Multiply(bool transposeA, bool transposeB)
    {
        using var scope = new Scope();
        a.MatrixProduct(b, transposeA, transposeB);
    }
}
