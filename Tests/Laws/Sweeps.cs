using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// What a function gives on a device: its value, and the gradients of a random product with it, by each variable.
/// </summary>
/// <param name="Shape">The value's shape.</param>
/// <param name="Value">The value.</param>
/// <param name="Plain">The gradients from a plain sweep, which may use kernels.</param>
/// <param name="Recorded">The gradients from a recorded sweep.</param>
/// <param name="Second">From order 2 on, the gradients of a random product with the recorded ones.</param>
internal sealed record Sweeps(Shape Shape, double[] Value, double[][] Plain, double[][] Recorded, double[][] Second)
{
    /// <summary>Computes on a device.</summary>
    /// <param name="device">The device.</param>
    /// <param name="function">From the open tape to the value and the variables.</param>
    /// <param name="random">Of the step and of the products.</param>
    /// <param name="training">Whether the tape is for training.</param>
    /// <param name="order">1, or more for the second derivatives too.</param>
    public static Sweeps Run(Device device, Func<Tape, (Tensor Value, Tensor[] Variables)> function,
        RandomSource random, bool training, int order)
    {
        using var _ = Device.Use(device);
        using var tape = training ? Tape.Training(random) : Tape.Evaluating();
        var (y, variables) = function(tape);
        if (variables.Length == 0) return new Sweeps(y.Shape, y.ToDoubles(), [], [], []);
        var product = Product([y], random.Split(-3), variables);
        var plain = tape.Gradients(product, variables);
        var recorded = tape.Gradients(product, variables, createGraph: true);
        var second = order < 2 ? [] : tape.Gradients(Product(recorded, random.Split(-4), variables), variables);
        return new Sweeps(y.Shape, y.ToDoubles(), Numbers(plain), Numbers(recorded), Numbers(second));
    }

    // The sum of random numbers times the tensors. The variables join with weight 0, so that the tape knows the result
    // even where a derivative is 0 everywhere.
    private static Tensor Product(Tensor[] tensors, RandomSource random, Tensor[] variables)
    {
        var sum = variables.Aggregate(Tensor.Scalar(0), (sum, x) => sum + (x * 0).Sum());
        return tensors.Select((x, i) => (x * Tensor.Normal(x.Shape, random.Split(i))).Sum())
            .Aggregate(sum, (sum, term) => sum + term);
    }

    private static double[][] Numbers(Tensor[] tensors) => [.. tensors.Select(x => x.ToDoubles())];
}
