using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>What an operation gives on a device: its value, and gradients of random products with it.</summary>
internal sealed record Sweeps(Shape Shape, double[] Value, Shape[] GradientShapes, double[][] Plain, double[][] Recorded, double[][] Second)
{
    /// <summary>Computes on a device. The gradients are those of each input that may vary: plain, recorded, and (from order 2 on) of the recorded ones again.</summary>
    public static Sweeps Run(Device device, Func<Tensor[], Tensor> operation, Case drawn, LawOptions options)
    {
        using var _ = Device.Use(device);
        using var tape = options.Training ? Tape.Training(drawn.Random) : Tape.Evaluating();
        var mayVary = drawn.MayVary;
        Tensor[] inputs = [.. drawn.Tensors().Select((x, i) => mayVary[i] ? tape.Watch(x) : x)];
        Tensor[] variables = [.. inputs.Where((_, i) => mayVary[i])];
        var y = operation(inputs);
        // Nothing is added that counts, but the sum is a record of this tape even where the operation's gradient is 0 everywhere.
        Tensor Scalar(IEnumerable<Tensor> terms) => terms.Aggregate(Tensor.Scalar(0), (sum, term) => sum + term.Sum()) + variables.Aggregate(Tensor.Scalar(0), (sum, x) => sum + (x * 0).Sum());
        var weighed = Scalar([y * Tensor.Normal(y.Shape, drawn.Random.Split(-3))]);
        if (variables.Length == 0) return new Sweeps(y.Shape, y.ToDoubles(), [], [], [], []);
        var plain = tape.Gradients(weighed, variables);
        var recorded = tape.Gradients(weighed, variables, createGraph: true);
        Tensor[] second = [];
        if (options.Order >= 2)
            second = tape.Gradients(Scalar(recorded.Select((gradient, i) => gradient * Tensor.Normal(gradient.Shape, drawn.Random.Split(-4 - i)))), variables);
        return new Sweeps(y.Shape, y.ToDoubles(), [.. plain.Select(g => g.Shape)], Numbers(plain), Numbers(recorded), Numbers(second));
    }

    private static double[][] Numbers(Tensor[] tensors) => [.. tensors.Select(x => x.ToDoubles())];
}

/// <summary>Compares sweeps, and says what differs.</summary>
internal static class Compare
{
    public static void Shapes(Sweeps sweeps, Case drawn, LawOptions options)
    {
        if (!options.Checks(Law.GradientShape)) return;
        var expected = drawn.Shapes.Where((_, i) => drawn.MayVary[i]).ToArray();
        for (var i = 0; i < expected.Length; i++)
            if (sweeps.GradientShapes[i] != expected[i])
                throw new LawViolation(Law.GradientShape, $"the gradient of variable {i} has the shape {sweeps.GradientShapes[i]} instead of {expected[i]}.");
    }

    public static void Recorded(Sweeps sweeps, LawOptions options, double tolerance)
    {
        if (options.Checks(Law.RecordedGradient)) All(Law.RecordedGradient, "the recorded gradient", sweeps.Plain, sweeps.Recorded, tolerance, "the plain one");
    }

    public static void Devices(Sweeps reference, Sweeps cpu, LawOptions options)
    {
        if (!options.Checks(Law.DevicesAgree)) return;
        if (cpu.Shape != reference.Shape) throw new LawViolation(Law.DevicesAgree, $"the shape on the CPU device is {cpu.Shape}, on the reference device {reference.Shape}.");
        const string Other = "the reference device";
        Close(Law.DevicesAgree, "the value on the CPU device", reference.Value, cpu.Value, options.CpuTolerance, Other);
        All(Law.DevicesAgree, "the gradient on the CPU device", reference.Plain, cpu.Plain, options.CpuTolerance, Other);
        All(Law.DevicesAgree, "the second derivative on the CPU device", reference.Second, cpu.Second, options.CpuTolerance, Other);
    }

    public static void Bits(Sweeps one, Sweeps other, string what)
    {
        for (var i = 0; i < one.Value.Length; i++)
            if (!one.Value[i].Equals(other.Value[i])) throw new LawViolation(Law.ThreadsAgree, $"on {what}, element {i} is {other.Value[i]:R}; on one thread it is {one.Value[i]:R}.");
        for (var k = 0; k < one.Plain.Length; k++)
            for (var i = 0; i < one.Plain[k].Length; i++)
                if (!one.Plain[k][i].Equals(other.Plain[k][i]))
                    throw new LawViolation(Law.ThreadsAgree, $"on {what}, the gradient of variable {k} is {other.Plain[k][i]:R} at element {i}; on one thread it is {one.Plain[k][i]:R}.");
    }

    private static void All(Law law, string what, double[][] expected, double[][] actual, double tolerance, string other)
    {
        for (var i = 0; i < expected.Length; i++) Close(law, $"{what} (variable {i})", expected[i], actual[i], tolerance, other);
    }

    /// <summary>Throws unless each element differs by at most the tolerance times the largest magnitude, which counts as 1 if it is smaller.</summary>
    public static void Close(Law law, string what, double[] expected, double[] actual, double tolerance, string other)
    {
        var scale = expected.Select(Math.Abs).Where(double.IsFinite).Append(1).Max();
        for (var i = 0; i < expected.Length; i++)
            if (!expected[i].Equals(actual[i]) && !(Math.Abs(expected[i] - actual[i]) <= tolerance * scale))
                throw new LawViolation(law, FormattableString.Invariant($"{what} is {actual[i]:G9} at element {i}; {other} says {expected[i]:G9} (allowed error {tolerance * scale:G3})."));
    }
}
