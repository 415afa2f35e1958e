using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Laws;

/// <summary>
/// The laws of normalization, checked on drawn inputs of 2 to 5 axes, with one pixel, a prime number of channels, no sample, and
/// numbers of every magnitude:
/// <code>
/// NormalizationLaws.Check(channels => new DeviationNorm(channels));
/// NormalizationLaws.Check(channels => new RmsNorm(channels), new() { Except = Law.ShiftInvariance | Law.ConstantInput });
/// NormalizationLaws.CheckMeanAndVariance(channels => new GroupNorm(channels, GroupSpec.Count(1)));
/// </code>
/// Everything is computed as in training, with the affine drawn at random. See <see cref="Law"/> for what each law says.
/// </summary>
/// <remarks>Needs no test runner and prints nothing: a broken law is a <see cref="LawException"/>.</remarks>
public static class NormalizationLaws
{
    private const double Exact = 1e-9;

    // What a set may hold, beside ordinary numbers: all alike, a large mean (1e4 deviations; 1e3 already defeats squares in
    // float), tiny, huge.
    private static readonly (string Name, double Mean, double Deviation)[] Families =
        [("", 0, 1), (" (mean ten thousand deviations)", 1e4, 1), (" (all equal)", 3.7, 0), (" (tiny)", 0, 1e-3)];

    /// <summary>The laws that any normalization obeys which depends on its input up to shift and scale.</summary>
    /// <param name="create">From the number of channels to the layer.</param>
    /// <param name="options">Exceptions, the highest order, the numbers of channels, how many cases.</param>
    /// <exception cref="LawException">A law does not hold.</exception>
    public static void Check(Func<int, Normalization> create, LawOptions? options = null)
    {
        options ??= new LawOptions();
        Run(create, options, drawn =>
        {
            CheckSweeps(create, drawn, options);
            foreach (var device in (Device[])[Device.Reference, Device.Cpu])
            {
                var bench = new NormalizationBench(create, drawn, device);
                CheckInvariances(bench, drawn, options);
                CheckEdges(bench, drawn, options);
                CheckBatch(bench, drawn, options);
                CheckGroups(new NormalizationBench(create, drawn, device, isBare: true), drawn, options);
            }
        });
        if (options.Checks(Law.ThreadsAgree) && options.Replay is null)
            Cases.Run(Name(create, options), seed => NormalizationCase.DrawLarge(options.Channels, seed),
                drawn => Compare.Threads(() => new NormalizationBench(create, drawn, Device.Cpu).Sweep(drawn.Values(), order: 1)), options, count: 2);
    }

    /// <summary>The further laws of those that subtract a mean and divide by the root of a biased variance plus eps, and nothing
    /// else.</summary>
    /// <inheritdoc cref="Check"/>
    public static void CheckMeanAndVariance(Func<int, Normalization> create, LawOptions? options = null)
    {
        options ??= new LawOptions();
        Run(create, options, drawn =>
        {
            foreach (var device in (Device[])[Device.Reference, Device.Cpu])
            {
                var bench = new NormalizationBench(create, drawn, device, isBare: true);
                foreach (var (family, mean, deviation) in Families) CheckSums(bench, drawn, drawn.Values(mean, deviation), family, options);
                if (!options.Checks(Law.SymmetricJacobian)) continue;
                var (u, w, x) = (drawn.Covector(1), drawn.Covector(2), drawn.Values());
                double Weighed(double[] of, double[] with) => with.Zip(bench.Gradient(x, of), (a, b) => a * b).Sum() / Math.Max(1, Norm(u) * Norm(w));
                Compare.Close(Law.SymmetricJacobian, $"the gradient of u weighed with w{bench.Where}", [Weighed(w, u)], [Weighed(u, w)],
                    Tolerance(bench, options), "of w weighed with u");
            }
        });
    }

    private static void Run(Func<int, Normalization> create, LawOptions options, Action<NormalizationCase> check) =>
        Cases.Run(Name(create, options), seed => NormalizationCase.Draw(options.Channels, seed), check, options, options.Cases);

    private static string Name(Func<int, Normalization> create, LawOptions options) => create(options.Channels[0]).GetType().Name;

    private static double Tolerance(NormalizationBench bench, LawOptions options) =>
        bench.Device == Device.Reference ? Exact : options.CpuTolerance;

    // Derivatives, kernels, devices: with respect to x, gamma and beta.
    private static void CheckSweeps(Func<int, Normalization> create, NormalizationCase drawn, LawOptions options)
    {
        var (reference, cpu) = (new NormalizationBench(create, drawn, Device.Reference), new NormalizationBench(create, drawn, Device.Cpu));
        if (options.Checks(Law.Derivatives)) reference.CheckDerivatives(options);
        foreach (var (family, mean, deviation) in Families)
        {
            var x = drawn.Values(mean, deviation);
            // Around equal numbers the second derivatives are of the size 1 / eps, and rounding with them.
            var order = deviation == 1 ? options.Order : 1;
            var (exact, rounded) = (reference.Sweep(x, order), cpu.Sweep(x, order));
            Compare.Alone(exact, Device.Reference, reference.VariableShapes, options);
            Compare.Alone(rounded, Device.Cpu, cpu.VariableShapes, options);
            Compare.Agree(exact, rounded, options, family);
        }
    }

    private static void CheckInvariances(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var x = drawn.Sixteenths();
        if (options.Checks(Law.ShiftInvariance))
            foreach (var shift in (double[])[-3, 4096])
                Compare.Close(Law.ShiftInvariance, $"norm(x + {shift}){bench.Where}", bench.Value(x),
                    bench.Value([.. x.Select(value => value + shift)]), Tolerance(bench, options), "without the shift");
        if (!options.Checks(Law.ScaleInvariance)) return;
        // Far above eps: the numbers differ by 2000 at least.
        double[] Stretched(double factor) => bench.Centered([.. x.Select(value => value * 65536 * factor)]);
        foreach (var factor in (double[])[0.5, -4])
            Compare.Close(Law.ScaleInvariance, $"norm({factor} x){bench.Where}", [.. Stretched(1).Select(value => value * Math.Sign(factor))],
                Stretched(factor), Math.Max(1e-6, Tolerance(bench, options)), $"as norm(x) times {Math.Sign(factor)}");
    }

    private static void CheckEdges(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var covector = drawn.Covector();
        if (options.Checks(Law.ConstantInput))
            foreach (var constant in (double[])[0, 1, -3.7f, 1e15f])
            {
                double[] x = [.. covector.Select(_ => constant)];
                Compare.Bits(Law.ConstantInput, $"the value of equal numbers, {constant:G3},{bench.Where}", bench.Betas(), bench.Value(x), "as beta");
                CheckFinite(Law.ConstantInput, $"the gradient at equal numbers, {constant:G3},{bench.Where}", bench.Gradient(x, covector));
            }
        if (!options.Checks(Law.Magnitudes)) return;
        foreach (var (mean, deviation) in ((double, double)[])[(0, 1e-15), (0, 1e15), (1e15, 1), (1e-15, 0), (1e4, 1)])
        {
            var x = drawn.Values(mean, deviation);
            var what = FormattableString.Invariant($"for numbers of mean {mean:G1} and deviation {deviation:G1}{bench.Where}");
            CheckFinite(Law.Magnitudes, $"the value {what}", bench.Value(x));
            CheckFinite(Law.Magnitudes, $"the gradient {what}", bench.Gradient(x, covector));
        }
    }

    private static void CheckFinite(Law law, string what, double[] numbers)
    {
        var index = Array.FindIndex(numbers, number => !double.IsFinite(number));
        if (index >= 0) throw new LawViolation(law, $"{what} is {numbers[index]} at element {index}.");
    }

    private static void CheckBatch(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var (x, g, batch) = (drawn.Values(0.5), drawn.Covector(), drawn.Shape[0]);
        var size = batch == 0 ? 0 : x.Length / batch;
        if (options.Checks(Law.BatchPermutation))
            CheckPermutation(Law.BatchPermutation, "the output of the batch in reverse order", bench, x,
                i => (batch - 1 - i / size) * size + i % size, options);
        if (!options.Checks(Law.BatchIndependence) || bench.Geometry.ShareBatch) return;
        var (value, gradient) = (bench.Value(x), bench.Gradient(x, g));
        for (var n = 0; n < batch; n++)
        {
            var sample = (n * size)..((n + 1) * size);
            Compare.Bits(Law.BatchIndependence, $"the output of sample {n} alone{bench.Where}", value[sample],
                bench.Value(x[sample]), "in its batch");
            Compare.Bits(Law.BatchIndependence, $"the gradient of sample {n} alone{bench.Where}", gradient[sample],
                bench.Gradient(x[sample], g[sample]), "in its batch");
        }
    }

    // Each group's channels turned by one: 0 1 2 | 3 4 5 -> 1 2 0 | 4 5 3.
    private static void CheckGroups(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        if (!options.Checks(Law.ChannelPermutation)) return;
        var size = drawn.Channels / bench.Geometry.Groups;
        CheckPermutation(Law.ChannelPermutation, "the output of channels turned inside their groups", bench, drawn.Values(0.5),
            i => i - i % size + (i + 1) % size, options);
    }

    private static void CheckPermutation(Law law, string what, NormalizationBench bench, double[] x, Func<int, int> source, LawOptions options)
    {
        double[] Permuted(double[] numbers) => [.. numbers.Select((_, i) => numbers[source(i)])];
        Compare.Close(law, $"{what}{bench.Where}", Permuted(bench.Value(x)), bench.Value(Permuted(x)), Tolerance(bench, options),
            "the output in that order");
    }

    // Sums over each set, from the numbers alone: v is the biased variance, r = 1 / sqrt(v + eps), x^ the output, g the covector.
    private static void CheckSums(NormalizationBench bench, NormalizationCase drawn, double[] x, string family, LawOptions options)
    {
        var eps = bench.Eps;
        var g = drawn.Covector();
        var (value, slope) = (bench.Value(x), bench.Gradient(x, g));
        foreach (var set in drawn.Sets(bench.Geometry).Where(set => set.Length > 0))
        {
            var mean = x[set[0]] + set.Average(i => x[i] - x[set[0]]);
            var variance = set.Average(i => Math.Pow(x[i] - mean, 2));
            var inverse = 1 / Math.Sqrt(variance + eps);
            Check(Law.ZeroMean, "the mean of a set's outputs", set.Average(i => value[i]), 0, "by the law");
            Check(Law.MeanSquare, "the mean square of a set's outputs", set.Average(i => value[i] * value[i]), variance / (variance + eps),
                "as v / (v + eps)");
            // In proportion to the terms that cancel.
            var size = Math.Max(1, inverse * Norm(set.Select(i => g[i])) * Math.Sqrt(set.Length));
            Check(Law.GradientSums, "the sum of a set's gradients", set.Sum(i => slope[i]) / size, 0, "by the law");
            Check(Law.GradientSums, "the sum of a set's gradients times outputs", set.Sum(i => slope[i] * value[i]) / size,
                eps / (variance + eps) * inverse * set.Sum(i => g[i] * value[i]) / size, "as (eps / (v + eps)) r times the sum of g times outputs");
            Check(Law.GradientSums, "the length of a set's gradient beyond r times that of g",
                Math.Max(0, Norm(set.Select(i => slope[i])) - inverse * Norm(set.Select(i => g[i]))) / size, 0, "by the law");
        }

        void Check(Law law, string what, double actual, double expected, string other)
        {
            if (options.Checks(law)) Compare.Close(law, $"{what}{family}{bench.Where}", [expected], [actual], Tolerance(bench, options), other);
        }
    }

    private static double Norm(IEnumerable<double> numbers) => Math.Sqrt(numbers.Sum(number => number * number));
}
