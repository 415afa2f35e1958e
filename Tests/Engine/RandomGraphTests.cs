using FsCheck.Xunit;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Random expression graphs: each instruction applies an operation to values that were computed before, any of them,
/// any number of times. A failure is shrunk to the shortest list of instructions.
/// </summary>
public sealed class RandomGraphTests : EngineTest
{
    // Three variables whose shapes broadcast with each other, and with everything below.
    private static readonly Shape[] Shapes = [new(2, 3), new(3), new(2, 1)];

    private static readonly double[][] Points = Direction(0);

    // Every operation keeps values near 1, so that differences are exact to many digits, and stays away from kinks.
    private static Tensor Apply(int operation, Tensor a, Tensor b) => (operation % 13) switch
    {
        0 => a + b,
        1 => a - b,
        2 => (a * b).Tanh(),
        3 => a / (b.Square() + 1),
        4 => a.Sigmoid(),
        5 => a.Tanh().Exp() - b,
        6 => (a.Square() + 1).Log(),
        7 => a.Sum(a.Shape.Axes(), keepAxes: true).Tanh(),
        8 => a.Reshape(-1).Reshape(a.Shape),
        9 => a.Shape.Rank == 2 ? a.Permute(1, 0).Tanh().Permute(1, 0) : -a,
        10 => a.Shape.Rank > 0 ? a.Slice(-1, a.Shape[-1] - 1, 1) : a * 2,
        11 => Tape.RecordKernel("kernel", (a.Tanh() * b).Tanh().StopGradient(), [a, b],
            inputs => (inputs[0].Tanh() * inputs[1]).Tanh(), (y, g, wanted) =>
        {
            var (t, slope) = (a.Tanh(), g * (1 - y.Square()));
            return [wanted[0] ? slope * b * (1 - t.Square()) : null, wanted[1] ? slope * t : null];
        }),
        _ => Tape.Record("same", a, (a, (_, g) => g)),
    };

    private static Tensor Evaluate((byte, byte, byte)[] program, Tensor[] variables)
    {
        List<Tensor> values = [.. variables];
        foreach (var (operation, i, j) in program) values.Add(Apply(operation, values[^(i % values.Count + 1)],
            values[^(j % values.Count + 1)]));
        return Weigh(values[^1]) + Weigh(values[^((values.Count + 1) / 2)]);
    }

    private static double Value((byte, byte, byte)[] program, double[][] points) =>
        Evaluate(program, [.. points.Select((p, i) => Tensor.From(p, Shapes[i]))]).ToDouble();

    private static double[][] Move(double[][] points, double[][] direction, double step) =>
        [.. points.Zip(direction, (p, d) => p.Zip(d, (x, v) => x + step * v).ToArray())];

    private static double[][] Direction(int seed) =>
        [.. Shapes.Select((shape, i) =>
        Enumerable.Range(0, shape.Count).Select(j => new RandomSource(seed).Split(i).Normal(j)).ToArray())];

    private static double Difference(Func<double, double> f)
    {
        const double h = 1e-3;
        return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
    }

    // All gradients of a program at a point, in one array for each way to ask for them; and the curvature along a
    // direction.
    private static (double[][] Ways, double Curvature) Sweep((byte, byte, byte)[] program, double[][] points,
        double[][] direction)
    {
        var parameters = points.Select((p, i) => new Parameter($"p{i}", Tensor.From(p, Shapes[i]))).ToArray();
        var ways = new List<double[]>();
        double[] Flat(Tensor[] gradients) => [.. gradients.SelectMany(g => g.ToDoubles())];
        double[] FlatOf(Gradients gradients) =>
            Flat([.. parameters.Select(p => gradients.TryGet(p, out var g) ? g : Tensor.Zeros(p.Shape))]);
        using var tape = Tape.Evaluating();
        Tensor[] variables = [.. points.Select((p, i) => tape.Watch(Tensor.From(p, Shapes[i])))];
        var y = Evaluate(program, variables);
        if (!tape.Recorded(y)) return ([new double[Shapes.Sum(s => s.Count)]], 0);
        ways.Add(Flat(tape.Gradients(y, variables)));
        var slopes = tape.Gradients(y, variables, createGraph: true);
        ways.Add(Flat(slopes));
        // one at a time: other pulls are needed
        ways.Add([.. variables.SelectMany(x => tape.Gradients(y, [x])[0].ToDoubles())]);
        var along = slopes.Select((g, i) => (g * Tensor.From(direction[i], Shapes[i])).Sum())
            .Aggregate((a, b) => a + b);
        var curvature = !tape.Recorded(along) ? 0
            : tape.Gradients(along, variables)
            .Select((g, i) => (g * Tensor.From(direction[i], Shapes[i])).Sum().ToDouble())
                .Sum();
        var loss = Evaluate(program, [.. parameters.Select(p => p.Value)]);
        if (!tape.Recorded(loss)) return ([.. ways], curvature);
        ways.Add(FlatOf(tape.Gradients(loss)));
        using (new Scope()) loss = Evaluate(program, [.. parameters.Select(p => p.Value)]);
        var released = tape.Gradients(loss, release: true);
        for (var i = 0; i < 30; i++)
            foreach (var shape in (Shape[])[.. Shapes, new(1, 1), new(1), new()]) Tensor.Full(shape,
            1e9);   // overwrites what was freed
        ways.Add(FlatOf(released));
        return ([.. ways], curvature);
    }

    [Property(MaxTest = 150, EndSize = 40)]
    public void Gradients_equal_difference_quotients_however_they_are_asked_for((byte, byte, byte)[] program)
    {
        if (program.Length > 40) program = program[..40];
        var direction = Direction(program.Length + 1);
        var (ways, curvature) = Sweep(program, Points, direction);
        var v = direction.SelectMany(d => d).ToArray();
        var slope = Difference(t => Value(program, Move(Points, direction, t)));
        foreach (var way in ways)
        {
            Assert.Equal(ways[0], way, (a, b) => Math.Abs(a - b) <= 1e-9 * (1 + Math.Abs(a)));
            var magnitude = way.Zip(v, (g, d) => Math.Abs(g * d)).Sum();
            Assert.True(Math.Abs(way.Zip(v, (g, d) => g * d).Sum() - slope) <= 1e-6 * (1 + magnitude),
                $"slope {slope}");
        }
        var second = Difference(t =>
            Sweep(program, Move(Points, direction, t), direction).Ways[0].Zip(v, (g, d) => g * d).Sum());
        Assert.True(Math.Abs(curvature - second) <= 1e-5 * (1 + Math.Abs(second) + Math.Abs(curvature)),
            $"curvature {curvature}, difference {second}");
    }
}
