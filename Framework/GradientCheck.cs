using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// Compares gradients with central differences, in double, to any order. With a random covector u and random directions
/// v, let s0(x) = &lt;u, f(x)&gt; and s_k(x) = &lt;ds_(k-1)/dx, v_k&gt;: for k = 1 .. order the tape's s_k must equal
/// the difference quotient of s_(k-1) along v_k.
/// </summary>
/// <remarks>
/// A random covector, never the sum of the outputs: the sum of a normalized set is constant, so its gradient says
/// nothing. The quotient has four points, so its error falls with the fourth power of the step; keep the inputs away
/// from kinks, such as 0 for relu. Everything runs on the reference device.
/// </remarks>
public static class GradientCheck
{
    /// <summary>Checks a function of some tensors.</summary>
    /// <param name="function">Written with recorded operations.</param>
    /// <param name="inputs">Where to check. Any device: the numbers are copied to the reference device.</param>
    /// <param name="order">The highest order of derivative to check.</param>
    /// <param name="seed">Of the covector and the directions; the message of a failure names it.</param>
    /// <param name="variables">Which inputs are variables; all when not given. The others are constants.</param>
    /// <param name="parameters">Parameters on the reference device that the function reads, to be checked too. Their
    /// values are restored.</param>
    /// <param name="training">Whether layers behave as in training.</param>
    /// <param name="tolerance">The largest error, in proportion to the sum of the magnitudes of what is added
    /// up.</param>
    /// <param name="step">The step of the difference quotient.</param>
    /// <exception cref="GradientCheckException">A derivative is wrong: the order, both numbers, the shapes, the worst
    /// element and the seed.</exception>
    public static void Run(Func<Tensor[], Tensor> function, Tensor[] inputs, int order = 1, long seed = 0,
        bool[]? variables = null, IReadOnlyList<Parameter>? parameters = null, bool training = false,
        double tolerance = 1e-6, double step = 1e-3)
    {
        using var _ = Device.Use(Device.Reference);
        var checker = new Checker(function, inputs, variables, parameters ?? [], new RandomSource(seed),
            training, step);
        for (var k = 1; k <= order; k++)
        {
            var numeric = checker.Quotient(k, checker.Directions(k));
            foreach (var createGraph in (bool[])[false, true])   // a kernel's own pull, then its composite
            {
                var (analytic, magnitude) = checker.Derivative(k, createGraph);
                // The quotient divides differences by the step, so it cannot be better than the rounding of s over the
                // step.
                var allowed = tolerance * (magnitude + Math.Abs(numeric))
                    + 1e-13 / step * (1 + Math.Abs(checker.Value(k - 1)));
                // false for NaN; an infinite gradient would allow itself
                if (Math.Abs(analytic - numeric) <= allowed && double.IsFinite(allowed)) continue;
                throw new GradientCheckException($"order {k}{(createGraph ? ", with createGraph" : "")}: the tape says "
                    + $"{analytic:G10}, the difference quotient {numeric:G10} (allowed error {allowed:G3}); inputs "
                    + $"{string.Join(", ", inputs.Select(x => x.Shape))}, seed {seed}."
                    + (k == 1 ? checker.WorstElement(createGraph) : ""));
            }
        }
    }

    private sealed class Checker
    {
        private readonly Func<Tensor[], Tensor> function;
        private readonly double[][] points;
        private readonly Shape[] shapes;
        private readonly bool[] isVariable;
        private readonly IReadOnlyList<Parameter> parameters;
        private const int MostElements = 100;   // of an input, one by one, for the message

        private readonly RandomSource random;
        private readonly bool training;
        private readonly double step;
        private Tensor[] inputs = [];   // on the tape that is open

        public Checker(Func<Tensor[], Tensor> function, Tensor[] inputs, bool[]? variables,
            IReadOnlyList<Parameter> parameters, RandomSource random, bool training, double step)
        {
            foreach (var p in parameters)
                if (p.Device != Device.Reference)
                    throw new ArgumentException($"{p.Name} is on the {p.Device} device; gradients are checked on the "
                        + $"{Device.Reference} device.", nameof(parameters));
            (this.function, this.parameters, this.random) = (function, parameters, random);
            (this.training, this.step) = (training, step);
            points = [.. inputs.Select(x => x.ToDoubles()), .. parameters.Select(p => p.Value.ToDoubles())];
            shapes = [.. inputs.Select(x => x.Shape), .. parameters.Select(p => p.Shape)];
            isVariable = [.. variables ?? [.. inputs.Select(_ => true)], .. parameters.Select(_ => true)];
        }

        private int InputCount => points.Length - parameters.Count;

        /// <summary>The direction of order k, one array for each input and parameter; zero for constants.</summary>
        public double[][] Directions(int k) => [.. points.Select((point, i) =>
            Enumerable.Range(0, point.Length).Select(j => isVariable[i] ? random.Split(k).Split(i).Normal(j) : 0)
            .ToArray())];

        /// <summary>s_k at the given point.</summary>
        public double Value(int k) => At(points, tape => Scalar(tape, k).ToDouble());

        /// <summary>The tape's derivative of s_(k-1) along v_k, and the sum of the magnitudes of its terms.</summary>
        public (double Value, double Magnitude) Derivative(int k, bool createGraph) => At(points, tape =>
        {
            var terms = Terms(tape, k, createGraph);
            return (terms.Sum(t => t.Sum().ToDouble()), terms.Sum(t => t.Abs().Sum().ToDouble()));
        });

        /// <summary>The four-point central difference of s_(k-1) along a direction.</summary>
        public double Quotient(int k, double[][] direction)
        {
            double[] Move(double[] point, int i, double t) => [.. point.Zip(direction[i], (x, d) => x + t * d)];
            double S(double t) =>
                At([.. points.Select((point, i) => Move(point, i, t))], tape => Scalar(tape, k - 1).ToDouble());
            return (8 * (S(step) - S(-step)) - (S(2 * step) - S(-2 * step))) / (12 * step);
        }

        /// <summary>Where the first derivative is most wrong, element by element.</summary>
        public string WorstElement(bool createGraph)
        {
            var gradients = At(points, tape => Slopes(tape, 1, createGraph).Select(g => g.ToDoubles()).ToArray());
            var worst = (Error: -1.0, Text: "");
            var variable = 0;
            for (var i = 0; i < points.Length; i++)
            {
                if (!isVariable[i]) continue;
                for (var j = 0; j < Math.Min(points[i].Length, MostElements); j++)
                {
                    var unit = Array.ConvertAll(points, p => new double[p.Length]);
                    unit[i][j] = 1;
                    var (tape, quotient) = (gradients[variable][j], Quotient(1, unit));
                    var error = Math.Abs(tape - quotient);
                    var name = i < InputCount ? $"input {i}" : parameters[i - InputCount].Name;
                    if (error <= worst.Error || double.IsNaN(worst.Error)) continue;   // nothing is worse than NaN
                    var among = points[i].Length > MostElements ? $" (of the first {MostElements})" : "";
                    worst = (error, $" Worst at element {j} of {name}{among}: {tape:G10} instead of {quotient:G10}.");
                }
                variable++;
            }
            return worst.Text;
        }

        // Opens a tape, makes the inputs variables at a point, sets the parameters, computes, and restores the
        // parameters.
        private T At<T>(double[][] at, Func<Tape, T> compute)
        {
            for (var i = InputCount; i < at.Length; i++)
                parameters[i - InputCount].Value = Tensor.From(at[i], shapes[i]);
            try
            {
                using var tape = training ? Tape.Training(random) : Tape.Evaluating();
                inputs = [.. at.Take(InputCount).Select((values, i) => Tensor.From(values, shapes[i]))
                    .Select((x, i) => isVariable[i] ? tape.Watch(x) : x)];
                return compute(tape);
            }
            finally
            {
                for (var i = InputCount; i < at.Length; i++)
                    parameters[i - InputCount].Value = Tensor.From(points[i], shapes[i]);
            }
        }

        private Tensor Scalar(Tape tape, int k)
        {
            if (k > 0)
                return Terms(tape, k, createGraph: true).Aggregate(Tensor.Scalar(0), (sum, term) => sum + term.Sum());
            var y = function(inputs);
            return (y * Tensor.Normal(y.Shape, random.Split(0))).Sum();
        }

        private Tensor[] Terms(Tape tape, int k, bool createGraph)
        {
            var direction = Directions(k).Select((d, i) => Tensor.From(d, shapes[i])).Where((_, i) => isVariable[i]);
            return [.. Slopes(tape, k, createGraph).Zip(direction, (g, d) => g * d)];
        }

        private Tensor[] Slopes(Tape tape, int k, bool createGraph)
        {
            Tensor[] variables = [.. inputs.Where((_, i) => isVariable[i]), .. parameters.Select(p => p.Value)];
            var s = Scalar(tape, k - 1);
            // it does not depend on the variables any more
            return !tape.Recorded(s) ? [.. variables.Select(x => Tensor.Zeros(x.Shape))]
                : tape.Gradients(s, variables, createGraph: createGraph);
        }
    }
}

/// <summary>A gradient that differs from the difference quotient.</summary>
public sealed class GradientCheckException(string message) : Exception(message);
