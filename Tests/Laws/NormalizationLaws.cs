using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Laws;

/// <summary>
/// The laws of normalization, checked on drawn inputs of 2 to 5 axes, with one pixel, a prime number of channels, no
/// sample, and numbers of every magnitude:
/// <code>
/// NormalizationLaws.Check(channels => new DeviationNorm(channels));
/// NormalizationLaws.Check(channels => new RmsNorm(channels), new() { Except = Law.ShiftInvariance | Law.ConstantInput });
/// NormalizationLaws.Check(channels => new BatchNorm(channels), except: ["BatchIndependence"]);
/// NormalizationLaws.CheckMeanAndVariance(channels => new GroupNorm(channels, GroupSpec.Count(1)));
/// </code>
/// What <see cref="Check"/> promises, on the reference device and on the CPU, with every parameter of the layer
/// drawn at random:
/// <list type="bullet">
/// <item>in training: <see cref="Law.ShiftInvariance"/>, <see cref="Law.ScaleInvariance"/>,
/// <see cref="Law.ConstantInput"/>, <see cref="Law.Magnitudes"/>, <see cref="Law.BatchIndependence"/>,
/// <see cref="Law.BatchPermutation"/>, <see cref="Law.ChannelPermutation"/> (the parameters as they are made);</item>
/// <item>of what training proposes: <see cref="Law.Commits"/>, <see cref="Law.Pooling"/>;</item>
/// <item>in evaluation: <see cref="Law.EvaluationLimit"/>, <see cref="Law.EvaluationIndependence"/>;</item>
/// <item>in both: <see cref="Law.Computes"/>, <see cref="Law.Derivatives"/>, <see cref="Law.RecordedGradient"/>,
/// <see cref="Law.DevicesAgree"/>, <see cref="Law.ThreadsAgree"/>.</item>
/// </list>
/// <see cref="CheckMeanAndVariance"/> adds <see cref="Law.ZeroMean"/>, <see cref="Law.MeanSquare"/>,
/// <see cref="Law.GradientSums"/> and <see cref="Law.SymmetricJacobian"/>, in training, with gamma 1 and beta 0.
/// <see cref="Law"/> says what each law is. A variant that does not obey one of them says so, in
/// <see cref="LawOptions.Except"/> or by name; an exception that is none is reported too.
/// </summary>
/// <remarks>Needs no test runner and prints nothing: a broken law is a <see cref="LawException"/>.</remarks>
public static class NormalizationLaws
{
    private const double Exact = 1e-9;

    // What a set may hold, beside ordinary numbers: all alike, a large mean (1e4 deviations; 1e3 already defeats
    // squares in float), tiny, huge.
    private static readonly (string Name, double Mean, double Deviation)[] Families =
        [("", 0, 1), (" (mean ten thousand deviations)", 1e4, 1), (" (all equal)", 3.7, 0), (" (tiny)", 0, 1e-3)];

    /// <summary>The laws that any normalization obeys which depends on its input up to shift and scale.</summary>
    /// <param name="create">From the number of channels to the layer: a <see cref="Normalization"/> or any module that
    /// keeps the shape of its input.</param>
    /// <param name="options">Exceptions, the highest order, the numbers of channels, how many cases.</param>
    /// <param name="except">More exceptions, by the names of <see cref="Law"/>, as a variant's description lists
    /// them.</param>
    /// <exception cref="ArgumentException">There is no law of that name.</exception>
    /// <exception cref="LawException">A law does not hold, or one that was excepted does.</exception>
    public static void Check(Func<int, Module> create, LawOptions? options = null, IEnumerable<string>? except = null)
    {
        options ??= new LawOptions();
        options = options with
        {
            Except = (except ?? [])
            .Aggregate(options.Except, (laws, name) => laws | Enum.Parse<Law>(name))
        };
        options.Run(Name(create, options), options => CheckAll(create, options));
    }

    private static void CheckAll(Func<int, Module> create, LawOptions options)
    {
        Run(create, options, drawn =>
        {
            CheckSweeps(create, drawn, options);
            foreach (var device in Devices)
            {
                var bench = new NormalizationBench(create, drawn, device);
                CheckInvariances(bench, drawn, options);
                CheckEdges(bench, drawn, options);
                CheckBatch(bench, drawn, options);
                CheckGroups(new NormalizationBench(create, drawn, device, isBare: true), drawn, options);
                CheckCommits(() => new(create, drawn, device), drawn, options);
            }
        });
        if (options.Checks(Law.ThreadsAgree) && options.Replay is null)
            Cases.Run(Name(create, options), seed => NormalizationCase.DrawLarge(options.Channels, seed), drawn =>
            {
                Compare.Threads(() =>
                    new NormalizationBench(create, drawn, Device.Cpu).Sweep(drawn.Values(), order: 1));
                Compare.Threads(() => new NormalizationBench(create, drawn, Device.Cpu).Evaluating(drawn.Batch(3))
                    .Sweep(drawn.Values(), order: 1));
            }, options, count: 2);
    }

    /// <summary>
    /// The further laws of those that subtract a mean and divide by the root of a biased variance plus eps, and nothing
    /// else.
    /// </summary>
    /// <param name="create">From the number of channels to the normalization.</param>
    /// <param name="options">Exceptions, the numbers of channels, how many cases.</param>
    /// <exception cref="LawException">A law does not hold, or one that was excepted does.</exception>
    public static void CheckMeanAndVariance(Func<int, Normalization> create, LawOptions? options = null)
    {
        options ??= new LawOptions();
        options.Run(Name(create, options), options => Run(create, options, drawn =>
        {
            foreach (var device in Devices)
            {
                var bench = new NormalizationBench(create, drawn, device, isBare: true);
                var layer = create(drawn.Channels);
                foreach (var (family, mean, deviation) in Families)
                    CheckSums(bench, layer, drawn, drawn.Values(mean, deviation), $"{bench.Where}{family}", options);
                if (!options.Checks(Law.SymmetricJacobian)) continue;
                var (u, w, x) = (drawn.Covector(1), drawn.Covector(2), drawn.Values());
                double Weighed(double[] of, double[] with) =>
                    with.Zip(bench.Gradient(x, of), (a, b) => a * b).Sum() / Math.Max(1, Norm(u) * Norm(w));
                Compare.Close(Comparison.Jacobian, bench.Where, [Weighed(w, u)], [Weighed(u, w)],
                    Tolerance(bench, options), "of w weighed with u");
            }
        }));
    }

    private static Device[] Devices => [Device.Reference, Device.Cpu];

    private static void Run(Func<int, Module> create, LawOptions options, Action<NormalizationCase> check) =>
        Cases.Run(Name(create, options), seed => NormalizationCase.Draw(options.Channels, seed), check, options,
            options.Cases);

    private static string Name(Func<int, Module> create, LawOptions options) =>
        create(options.Channels[0]).GetType().Name;

    private static double Tolerance(NormalizationBench bench, LawOptions options) =>
        bench.Device == Device.Reference ? Exact : options.CpuTolerance;

    // Derivatives, kernels, devices: with respect to x and all parameters, in training and in evaluation.
    private static void CheckSweeps(Func<int, Module> create, NormalizationCase drawn, LawOptions options)
    {
        foreach (var isTraining in (bool[])[true, false])
        {
            NormalizationBench On(Device device)
            {
                var bench = new NormalizationBench(create, drawn, device);
                return isTraining ? bench : bench.Evaluating(drawn.Batch(4));
            }
            var (reference, cpu) = (On(Device.Reference), On(Device.Cpu));
            if (options.Checks(Law.Derivatives)) reference.CheckDerivatives(options);
            foreach (var (family, mean, deviation) in Families)
            {
                var x = drawn.Values(mean, deviation);
                // Around equal numbers the second derivatives are of the size 1 / eps, and rounding with them.
                var order = deviation == 1 ? options.Order : 1;
                var (exact, rounded) = (reference.Sweep(x, order), cpu.Sweep(x, order));
                var where = $"{(isTraining ? "" : ", in evaluation")}{family}";
                Compare.Alone(exact, Device.Reference, options, where);
                Compare.Alone(rounded, Device.Cpu, options, where);
                Compare.Agree(exact, rounded, options, where);
            }
        }
    }

    // What training proposes, what a commit makes of it, and what evaluation makes of that.
    private static void CheckCommits(Func<NormalizationBench> create, NormalizationCase drawn, LawOptions options)
    {
        var batch = drawn.Batch(5);
        if (options.Checks(Law.Commits))
        {
            var bench = create();
            var before = bench.State;
            bench.Sweep(batch, order: 1);
            Compare.Bits(Comparison.StateAfterTraining, bench.Where, before, bench.State, "before");
            before = bench.Evaluating(batch).State;
            bench.Sweep(batch, order: 1);
            Compare.Bits(Comparison.StateAfterEvaluation, bench.Where, before, bench.State, "before");
        }
        if (options.Checks(Law.Pooling))
        {
            var (whole, parts, first) = (create(), create(), 2 * drawn.SampleSize);
            whole.Commit(batch);
            parts.Commit(batch[..first], batch[first..]);
            Compare.Close(Comparison.Pooled, whole.Where, whole.State, parts.State, Tolerance(whole, options),
                "after those of the whole");
        }
        if (options.Checks(Law.EvaluationLimit)) CheckLimit(create(), drawn, options);
        if (options.Checks(Law.EvaluationIndependence))
            CheckAlone(Comparison.EvaluatedAlone, Comparison.EvaluatedAloneGradient, create().Evaluating(batch), drawn);
    }

    private static void CheckLimit(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        // So many samples that a variance with n - 1 in the denominator is near the other one.
        var elements = drawn.SampleSize / drawn.Channels;
        var batch = drawn.Batch(1 + 64 / elements);
        var trained = bench.Value(batch);
        var (steps, change) = (0, double.PositiveInfinity);
        // A running average that takes a hundredth of each batch needs some seven hundred.
        while (steps++ < 5000 && change > 1e-5)
        {
            var before = bench.State;
            bench.Commit(batch);
            var after = bench.State;
            change = after.Zip(before, (a, b) => Math.Abs(a - b)).Append(0).Max() / after.Select(Math.Abs)
                .Append(1).Max();
        }
        var evaluated = bench.Evaluating(batch).Value(batch);
        var n = batch.Length / drawn.Channels;
        Compare.Close(Comparison.Limit, bench.Where, trained, evaluated,
            Math.Max(1.0 / (n - 1), Tolerance(bench, options)), "in training");
    }

    private static void CheckInvariances(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var x = drawn.Sixteenths();
        if (options.Checks(Law.ShiftInvariance))
            foreach (var shift in (double[])[-3, 4096])
                Compare.Close(Comparison.Shifted, FormattableString.Invariant($"by {shift} {bench.Where}"),
                    bench.Value(x), bench.Value([.. x.Select(value => value + shift)]), Tolerance(bench, options),
                    "without the shift");
        if (!options.Checks(Law.ScaleInvariance)) return;
        // Far above eps: the numbers differ by 2000 at least.
        double[] Stretched(double factor) => bench.Centered([.. x.Select(value => value * 65536 * factor)]);
        foreach (var factor in (double[])[0.5, -4])
            Compare.Close(Comparison.Scaled, FormattableString.Invariant($"by {factor} {bench.Where}"),
                [.. Stretched(1).Select(value => value * Math.Sign(factor))], Stretched(factor),
                Math.Max(1e-6, Tolerance(bench, options)),
                $"as that of x times {Math.Sign(factor)}");
    }

    private static void CheckEdges(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var covector = drawn.Covector();
        if (options.Checks(Law.ConstantInput))
            foreach (var constant in (double[])[0, 1, -3.7f, 1e15f])
            {
                double[] x = [.. covector.Select(_ => constant)];
                var where = FormattableString.Invariant($", {constant:G3}, {bench.Where}");
                Compare.Bits(Comparison.EqualNumbers, where, bench.Betas(), bench.Value(x), "as beta");
                Compare.Finite(Comparison.EqualNumbersGradient, where, bench.Gradient(x, covector));
            }
        if (!options.Checks(Law.Magnitudes)) return;
        foreach (var (mean, deviation) in ((double, double)[])[(0, 1e-15), (0, 1e15), (1e15, 1), (1e-15, 0), (1e4, 1)])
        {
            var x = drawn.Values(mean, deviation);
            var where = FormattableString.Invariant(
                $"for numbers of mean {mean:G1} and deviation {deviation:G1} {bench.Where}");
            Compare.Finite(Comparison.MagnitudesValue, where, bench.Value(x));
            Compare.Finite(Comparison.MagnitudesGradient, where, bench.Gradient(x, covector));
        }
    }

    private static void CheckBatch(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        var (batch, size) = (drawn.Shape[0], drawn.SampleSize);
        if (options.Checks(Law.BatchPermutation))
            CheckPermutation(Comparison.BatchReversed, bench, drawn.Values(0.5), i =>
                (batch - 1 - i / size) * size + i % size, options);
        if (options.Checks(Law.BatchIndependence))
            CheckAlone(Comparison.SampleAlone, Comparison.SampleAloneGradient, bench, drawn);
    }

    private static void CheckAlone(Comparison ofValue, Comparison ofGradient, NormalizationBench bench,
        NormalizationCase drawn)
    {
        var (x, g, size) = (drawn.Values(0.5), drawn.Covector(), drawn.SampleSize);
        var (value, gradient) = (bench.Value(x), bench.Gradient(x, g));
        for (var n = 0; n < drawn.Shape[0]; n++)
        {
            var sample = (n * size)..((n + 1) * size);
            Compare.Bits(ofValue, $"(number {n}) {bench.Where}", value[sample], bench.Value(x[sample]), "in its batch");
            Compare.Bits(ofGradient, $"(number {n}) {bench.Where}", gradient[sample],
                bench.Gradient(x[sample], g[sample]), "in its batch");
        }
    }

    // Each group's channels turned by one: 0 1 2 | 3 4 5 -> 1 2 0 | 4 5 3.
    private static void CheckGroups(NormalizationBench bench, NormalizationCase drawn, LawOptions options)
    {
        if (!options.Checks(Law.ChannelPermutation)) return;
        var size = drawn.Channels / bench.Groups;
        CheckPermutation(Comparison.ChannelsTurned, bench, drawn.Values(0.5), i => i - i % size + (i + 1) % size,
            options);
    }

    private static void CheckPermutation(Comparison comparison, NormalizationBench bench, double[] x,
        Func<int, int> source, LawOptions options)
    {
        double[] Permuted(double[] numbers) => [.. numbers.Select((_, i) => numbers[source(i)])];
        Compare.Close(comparison, bench.Where, Permuted(bench.Value(x)), bench.Value(Permuted(x)),
            Tolerance(bench, options),
            "the output in that order");
    }

    // Sums over each set, from the numbers alone: v is the biased variance, r = 1 / sqrt(v + eps), x^ the output, g the
    // covector.
    private static void CheckSums(NormalizationBench bench, Normalization layer, NormalizationCase drawn, double[] x,
        string where, LawOptions options)
    {
        var eps = layer.Eps;
        var g = drawn.Covector();
        var (value, slope) = (bench.Value(x), bench.Gradient(x, g));
        foreach (var set in drawn.Sets(layer.S.Geometry(drawn.Shape)).Where(set => set.Length > 0))
        {
            var mean = x[set[0]] + set.Average(i => x[i] - x[set[0]]);
            var variance = set.Average(i => Math.Pow(x[i] - mean, 2));
            var inverse = 1 / Math.Sqrt(variance + eps);
            Check(Comparison.SetMean, set.Average(i => value[i]), 0, "by the law");
            Check(Comparison.SetMeanSquare, set.Average(i => value[i] * value[i]), variance / (variance + eps),
                "as v / (v + eps)");
            // In proportion to the terms that cancel.
            var size = Math.Max(1, inverse * Norm(set.Select(i => g[i])) * Math.Sqrt(set.Length));
            Check(Comparison.SetGradientSum, set.Sum(i => slope[i]) / size, 0, "by the law");
            Check(Comparison.SetGradientProduct, set.Sum(i => slope[i] * value[i]) / size,
                eps / (variance + eps) * inverse * set.Sum(i => g[i] * value[i]) / size,
                "as (eps / (v + eps)) r times the sum of g times outputs");
            Check(Comparison.SetGradientLength,
                Math.Max(0, Norm(set.Select(i => slope[i])) - inverse * Norm(set.Select(i => g[i]))) / size, 0,
                "by the law");
        }

        void Check(Comparison comparison, double actual, double expected, string other)
        {
            if (options.Checks(comparison.Law))
                Compare.Close(comparison, where, [expected], [actual], Tolerance(bench, options), other);
        }
    }

    private static double Norm(IEnumerable<double> numbers) => Math.Sqrt(numbers.Sum(number => number * number));
}
