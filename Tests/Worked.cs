using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests;

/// <summary>Worked examples: small numbers in, numbers computed by hand out, on both devices.</summary>
internal static class Worked
{
    /// <summary>Runs an example on the reference device, then on the CPU device.</summary>
    public static void OnBothDevices(Action example)
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
            using (Device.Use(device)) example();
    }

    /// <summary>A tensor of one axis.</summary>
    public static Tensor Vector(params double[] values) => Tensor.From(values, new Shape(values.Length));

    /// <summary>A tensor of a shape.</summary>
    public static Tensor Of(int[] dimensions, params double[] values) => Tensor.From(values, new Shape(dimensions));

    /// <summary>0, 1, 2, ... in a shape.</summary>
    public static Tensor Counting(params int[] dimensions)
    {
        var shape = new Shape(dimensions);
        return Tensor.From([.. Enumerable.Range(0, shape.Count).Select(i => (double)i)], shape);
    }

    /// <summary>Numbers of the standard normal distribution.</summary>
    public static Tensor Random(long seed, params int[] dimensions) =>
        Tensor.Normal(new Shape(dimensions), new RandomSource(seed));

    /// <summary>
    /// The shape and every number are as expected, to the rounding of the tensor's device; NaN and infinities must be
    /// equal.
    /// </summary>
    public static void Gives(Tensor actual, Shape shape, params double[] expected)
    {
        Assert.Equal(shape, actual.Shape);
        Same(expected, actual.ToDoubles(), actual.Device == Device.Reference ? 1e-12 : 2e-6);
    }

    /// <summary>Like <see cref="Gives(Tensor, Shape, double[])"/> for one axis.</summary>
    public static void Gives(Tensor actual, params double[] expected) =>
        Gives(actual, new Shape(expected.Length), expected);

    /// <summary>Each number differs by at most the tolerance, in proportion to the largest magnitude or 1.</summary>
    public static void Same(double[] expected, double[] actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Where(double.IsFinite).Select(Math.Abs).Append(1).Max();
        for (var i = 0; i < expected.Length; i++)
            if (!expected[i].Equals(actual[i]) && !(Math.Abs(expected[i] - actual[i]) <= tolerance * scale))
                Assert.Fail($"element {i} is {actual[i]:R} instead of {expected[i]:R}; all: {string.Join(", ", actual)}");
    }

    /// <summary>The gradient of the function's value times a covector (ones when not given).</summary>
    public static Tensor Gradient(Func<Tensor, Tensor> function, Tensor x, params double[] covector) =>
        Gradients(inputs => function(inputs[0]), [x], covector)[0];

    /// <summary>The gradients with respect to each input.</summary>
    public static Tensor[] Gradients(Func<Tensor[], Tensor> function, Tensor[] inputs, params double[] covector)
    {
        using var tape = Tape.Evaluating();
        Tensor[] variables = [.. inputs.Select(tape.Watch)];
        var y = function(variables);
        var gradients = tape.Gradients(y, variables, covector.Length == 0 ? null : Tensor.From(covector, y.Shape));
        return [.. gradients.Select(gradient => gradient.Keep())];
    }

    /// <summary>It throws, and the message holds each of these words.</summary>
    public static void Refuses<TException>(Action attempt, params string[] words) where TException : Exception
    {
        var message = Assert.ThrowsAny<TException>(attempt).Message;
        foreach (var word in words) Assert.Contains(word, message);
    }
}
