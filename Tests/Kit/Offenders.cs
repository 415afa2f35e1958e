using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Layers;
using Base = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// For each comparison of the kit something that is wrong in what it compares, and in nothing else: on each device, in
/// each mode.
/// </summary>
internal static class Offenders
{
    /// <summary>What a comparison is called, where it is to be found, and the check that must find it there.</summary>
    public sealed record Offender(string Comparison, string Where, Action Check);

    private static LawOptions Only(Law law) => new() { Skip = ~law, Order = 2 };

    // ---- operations -------------------------------------------------------------------------------------------------

    private static IEnumerable<Offender> Operations()
    {
        static Offender Of(string comparison, Func<Tensor, Tensor> operation, string where = "") =>
            new(comparison, where,
            () => OperationLaws.Check(operation, Input.Of("M N"), Only(Comparison.All[comparison].Law)));
        static bool IsLarge(Tensor x) => x.Count > 10_000;
        static bool IsCpu(Tensor x) => x.Device == Device.Cpu;

        yield return Of("Computing", x => x.Shape[0] == 3 ? throw new InvalidOperationException() : x);
        yield return new("Repeating", "", () =>
        {
            var calls = 0;
            OperationLaws.Check(x => calls++ == 0 ? throw new InvalidOperationException() : x, Input.Of("M N"));
        });
        yield return Of("FirstDerivative", x => Tape.Record("wrong", x.Square().StopGradient(), (x, (_, g) => g * x)),
            "order 1");
        // by little
        yield return Of("FirstDerivative", x =>
            Tape.Record("wrong", (x * 2).StopGradient(), (x, (_, g) => g * 2.00004)), "order 1");
        yield return new("FirstDerivative", "input 0, 1", () =>
            OperationLaws.Check((a, b) => Tape.Record("wrong", (a * b).StopGradient(), [a, b],
            // where both vary
            (_, g, wanted) => [g * b * (wanted[0] && wanted[1] ? 2 : 1), g * a]), Input.Of("n"), Input.Of("n")));
        yield return Of("HigherDerivatives", x =>
            Tape.Record("cut", x.Square().StopGradient(), (x, (_, g) => g * x.StopGradient() * 2)), "order 2");
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
            yield return Of("RecordedGradient", x =>
                Tape.RecordKernel("wrong", (x * 2).StopGradient(), [x], inputs => inputs[0] * 2,
                (_, g, _) => [g * (g.Device == device ? 3 : 2)]), $"on the {device} device");
        // By more than double explains, and less than float does.
        yield return Of("RecordedGradient", x =>
            Tape.RecordKernel("wrong", (x * 2).StopGradient(), [x], inputs => inputs[0] * 2,
            (_, g, _) => [g * (2 + 6e-8)]), $"on the {Device.Reference} device");
        yield return Of("DevicesShape", x => IsCpu(x) ? x.Reshape(-1) : x);
        yield return Of("DevicesValue", x => IsCpu(x) ? x * 1.01 : x);
        yield return Of("DevicesValue", x => x * double.NaN, "NaN");   // on both: no two of them are alike
        yield return Of("DevicesGradient", x =>
            Tape.Record("wrong", (x * 2).StopGradient(), (x, (_, g) => g * (IsCpu(x) ? 2.01 : 2))));
        yield return Of("DevicesSecondDerivative", x =>
        {
            Tensor Slope(Tensor g) => Tape.Record("slope", (g * x * 2).StopGradient(), (g, (_, u) => u * x * 2),
                (x, (_, u) => u * g * (IsCpu(x) ? 2.01 : 2)));
            return Tape.Record("square", (x * x).StopGradient(), (x, (_, g) => Slope(g)));
        });
        foreach (var threads in (int[])[1, 2, 3])   // each number of threads alone
        {
            double Off(Tensor x) => IsLarge(x) && Workers.Threads == threads ? 1e-6 : 0;
            yield return Of("ThreadsValue", x => x * (1 + Off(x)), $"on {Math.Max(2, threads)} threads");
            yield return Of("ThreadsGradient", x =>
                Tape.Record("wrong", (x * 2).StopGradient(), (x, (_, g) => g * (2 + Off(x)))),
                $"of variable 0 on {Math.Max(2, threads)} threads");
        }

        // In training alone.
        static bool IsTraining() => Tape.Current is { IsTraining: true };
        yield return new("DevicesValue", "", () =>
            OperationLaws.Check(x => IsCpu(x) && IsTraining() ? x * 1.01 : x, Input.Any,
            new() { Training = true, Skip = ~Law.DevicesAgree }));
        yield return new("FirstDerivative", "", () =>
            OperationLaws.Check(x => Tape.Record("wrong", (x * 2).StopGradient(),
            (x, (_, g) => g * (IsTraining() ? 3 : 2))), Input.Any, new() { Training = true, Skip = ~Law.Derivatives }));

        // The first of two inputs is not all that is compared.
        static Offender OfSecond(string comparison, Func<Tensor, Tensor> pulled) =>
            new(comparison, "of variable 1", () => OperationLaws.Check(
            (x, y) => x + Tape.RecordKernel("wrong", (y * 2).StopGradient(), [y], inputs => inputs[0] * 2, (_, g, _) =>
                [pulled(g)]),
            Input.Of("M N"), Input.Of("M N"), Only(Comparison.All[comparison].Law)));
        yield return OfSecond("RecordedGradient", g => g * 3);
        yield return OfSecond("DevicesGradient", g => g * (IsCpu(g) ? 2.01 : 2));
        yield return new("DevicesSecondDerivative", "of variable 1", () =>
            OperationLaws.Check((x, y) => x + Bent(y, IsCpu(y) ? 0.1 : 0),
            Input.Of("M N"), Input.Of("M N"), Only(Law.DevicesAgree)));
        yield return OfSecond("ThreadsGradient", g => g * (IsLarge(g) ? 2 + 1e-6 * Workers.Threads : 2));
    }

    // ---- normalizations in training ---------------------------------------------------------------------------------

    /// <summary>A normalization over the positions of two groups, if the channels are even, by any formula.</summary>
    public sealed class Variant(int channels, Func<Variant, Tensor, Tensor> formula)
        : Base(channels, new Sharing(false, true, channels % 2 == 0 ? 2 : 1))
    {
        protected override Tensor Normalize(Tensor x) => formula(this, x);
    }

    /// <summary>What is right.</summary>
    public static Tensor Right(Base n, Tensor x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Sqrt();

    // Right in value, and another gradient: that of what is right, changed.
    private static Tensor WithGradient(Variant n, Tensor x, Func<Tensor, Tensor> change) =>
        Right(n, Tape.Record("changed", x.StopGradient(), (x, (_, g) => change(g))));

    // x, whose gradient is the gradient of x, whose derivative is wrong by a multiple of it.
    private static Tensor Bent(Tensor x, double by) => Tape.Record("bent", x.StopGradient(), (x, (_, g) =>
        Tape.Record("slope", g.StopGradient(), (g, (_, u) => u), (x, (_, u) => u * g * by))));

    private static IEnumerable<(string Comparison, Func<Variant, Tensor, Tensor> Formula)> Formulas()
    {
        yield return ("Shifted", (n, x) => x / (n.S.MeanSquare(x) + n.Eps).Sqrt());
        yield return ("Scaled", (n, x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Power(0.25));
        yield return ("EqualNumbers", (n, x) => Right(n, x) + 1e-3);
        // infinity times 0 at 0
        yield return ("EqualNumbersGradient", (n, x) => Right(n, x) + n.S.Center(x).Abs().Power(0.5) * 0);
        yield return ("MagnitudesValue", (n, x) => Right(n, x) + x.Power(25) * 0);
        yield return ("MagnitudesGradient", (n, x) => WithGradient(n, x, g => g + x.Power(25) * 0));
        yield return ("SampleAlone", (n, x) => Right(n, x) + 0.1 * Right(n, x).Mean([0], keepAxes: true));
        // Right for one of the samples.
        yield return ("SampleAlone", (n, x) => x.Shape[0] < 2 ? Right(n, x)
            : Right(n, x.Slice(0, 0, 1)).Concatenate(0, Right(n, x.Slice(0, 1, x.Shape[0] - 1)) + 0.1));
        yield return ("SampleAlone", (n, x) => x.Shape[0] < 2 ? Right(n, x)
            : (Right(n, x.Slice(0, 0, x.Shape[0] - 1)) + 0.1).Concatenate(0, Right(n, x.Slice(0, x.Shape[0] - 1, 1))));
        yield return ("SampleAloneGradient", (n, x) => WithGradient(n, x, g => g + g.Mean([0], keepAxes: true)));
        yield return ("BatchReversed", (n, x) => x.Shape[0] == 1 ? Right(n, x)
            : (Right(n, x.Slice(0, 0, 1)) * 2).Concatenate(0, Right(n, x.Slice(0, 1, x.Shape[0] - 1))));
        yield return ("ChannelsTurned", (n, x) => Right(n, x)
            * Tensor.From([.. Enumerable.Range(1, n.Channels).Select(c => (double)c)], new Shape(n.Channels)));
    }

    private static IEnumerable<(string Comparison, Func<Variant, Tensor, Tensor> Formula)> FormulasOfMeanAndVariance()
    {
        yield return ("SetMean", (n, x) => Right(n, x) + 1e-3);
        foreach (var first in (bool[])[true, false])   // in the first sample's sets alone, or in all others
            yield return ("SetMean", (n, x) =>
                x.Shape[0] < 2 ? Right(n, x) : (Right(n, x.Slice(0, 0, 1)) + (first ? 1e-3 : 0))
                .Concatenate(0, Right(n, x.Slice(0, 1, x.Shape[0] - 1)) + (first ? 0 : 1e-3)));
        yield return ("SetMeanSquare", (n, x) => Right(n, x) * 1.001);
        yield return ("SetGradientSum", (n, x) => (x - n.S.Mean(x).StopGradient()) / (n.S.Variance(x) + n.Eps).Sqrt());
        yield return ("SetGradientProduct", (n, x) => n.S.Center(x) / (n.S.Variance(x) + n.Eps).Sqrt().StopGradient());
        // Three times as long where it is at right angles to what the other two sums look at.
        yield return ("SetGradientLength", (n, x) => WithGradient(n, x, g =>
        {
            var y = Right(n, x);
            return g + 2 * (g - n.S.Mean(g) - y * (n.S.Mean(g * y) / (n.S.Mean(y * y) + 1e-30)));
        }));
        // The channels are turned by one on the way back.
        yield return ("Jacobian", (n, x) => Tape.Record("turned", Right(n, x).StopGradient(),
            (x, (_, g) => g.Slice(-1, 1, n.Channels - 1).Concatenate(-1, g.Slice(-1, 0, 1)))));
    }

    private static IEnumerable<Offender> OnEachDevice()
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            Func<int, Base> Of(Func<Variant, Tensor, Tensor> formula) =>
                channels => new Variant(channels, (n, x) => x.Device == device ? formula(n, x) : Right(n, x));
            foreach (var (comparison, formula) in Formulas())
                yield return new(comparison, $"on the {device} device", () =>
                    NormalizationLaws.Check(Of(formula), Only(Comparison.All[comparison].Law)));
            foreach (var (comparison, formula) in FormulasOfMeanAndVariance())
                yield return new(comparison, $"on the {device} device", () =>
                    NormalizationLaws.CheckMeanAndVariance(Of(formula), Only(Comparison.All[comparison].Law)));
        }
    }

    // ---- on one kind of numbers alone -------------------------------------------------------------------------------

    private static IEnumerable<Offender> OnNumbers()
    {
        static Offender Of(string comparison, string where, Func<double[], bool> isSuch, Func<Tensor, Tensor> spoil,
            Device? device = null) => new(comparison, where,
            () => NormalizationLaws.Check(channels => new Variant(channels, (n, x) =>
                (device ?? x.Device) == x.Device && isSuch(x.ToDoubles()) ? spoil(Right(n, x)) : Right(n, x)),
                Only(Comparison.All[comparison].Law)));
        static bool AreEqual(double[] x, double value) => x.All(number => (float)number == (float)value);
        static double Largest(double[] x) => x.Max(Math.Abs);

        yield return Of("Shifted", "by -3", x => Largest(x) is > 33 and < 36, y => y + 0.5);
        yield return Of("Shifted", "by 4096", x => Largest(x) > 4000, y => y + 0.5);
        yield return Of("Scaled", "by 0.5", x => Largest(x) is > 0.9e6 and < 1.2e6, y => y * 2);
        yield return Of("Scaled", "by -4", x => Largest(x) > 7e6, y => y * 2);
        // By more than double explains, and less than float does.
        yield return Of("Shifted", "by 4096", x => Largest(x) > 4000, y => y + 2e-8, Device.Reference);
        yield return Of("Scaled", "by -4", x => Largest(x) > 7e6, y => y * (1 + 2e-5), Device.Reference);
        foreach (var constant in (double[])[0, 1, -3.7f, 1e15f])
            yield return Of("EqualNumbers", FormattableString.Invariant($", {constant:G3},"), x =>
                AreEqual(x, constant), y => y + 1);
        Offender OfMagnitude(string where, Func<double[], bool> isSuch) =>
            Of("MagnitudesValue", $"for numbers of {where}", isSuch, y => y * double.NaN);
        yield return OfMagnitude("mean 0 and deviation 1E-15", x => Largest(x) < 1e-13 && x.Distinct().Count() > 1);
        yield return OfMagnitude("mean 0 and deviation 1E+15", x => Largest(x) > 1e12 && x.Distinct().Count() > 1);
        yield return OfMagnitude("mean 1E+15 and deviation 1", x => x.All(number => number > 0.9e15));
        yield return OfMagnitude("mean 1E-15 and deviation 0", x => AreEqual(x, 1e-15));
        yield return OfMagnitude("mean 1E+04 and deviation 1", x => x.All(number => number is > 9e3 and < 1.1e4));
        // Right in value and in gradients, and another second derivative.
        Offender OfSecond(string where, Func<Tensor, bool> isSuch) =>
            new("DevicesSecondDerivative", where, () => NormalizationLaws.Check(
            channels => new Variant(channels, (n, x) =>
                Right(n, Bent(x, isSuch(x) && x.Device == Device.Cpu ? 0.1 : 0))), Only(Law.DevicesAgree)));
        yield return OfSecond("on the CPU device, of variable", x => Largest(x.ToDoubles()) < 100);
        yield return OfSecond("(mean ten thousand deviations)", x => Largest(x.ToDoubles()) > 9e3);
        foreach (var (where, isSuch) in ((string, Func<double[], bool>)[])[
            ("device is", x => Largest(x) is > 0.01 and < 100 && !AreEqual(x, 3.7)),
            ("(mean ten thousand deviations)", x => Largest(x) > 9e3),
            ("(all equal)", x => AreEqual(x, 3.7)), ("(tiny)", x => Largest(x) < 0.01)])
        {
            yield return Of("DevicesValue", where, isSuch, y => y + 0.01, Device.Cpu);
            yield return new("SetMean", where, () =>
                NormalizationLaws.CheckMeanAndVariance(channels => new Variant(channels,
                (n, x) => isSuch(x.ToDoubles()) ? Right(n, x) + 0.01 : Right(n, x)), Only(Law.ZeroMean)));
        }
    }

    // ---- on one parameter alone -------------------------------------------------------------------------------------

    private static IEnumerable<Offender> OnParameters()
    {
        static Offender Of(string comparison, string where, Func<Variant, Tensor> wrong) =>
            new(comparison, where, () => NormalizationLaws.Check(channels =>
            new Variant(channels, (n, x) => x.Device == Device.Cpu ? Right(n, x) + wrong(n) : Right(n, x)),
            Only(Law.DevicesAgree)));
        yield return Of("DevicesValue", "", n => (n.Weight!.Value - 1) * 0.1);   // right as long as gamma is 1
        yield return Of("DevicesValue", "", n => n.Bias!.Value * 0.1);
        static Tensor Pulled(Parameter parameter) =>
            Tape.Record("wrong", Tensor.Zeros(parameter.Shape), (parameter.Value, (_, g) => g * 0.1));
        foreach (var parameterOf in (Func<Variant, Parameter>[])[n => n.Weight!, n => n.Bias!])
            yield return new("FirstDerivative", "with respect to x, weight, bias", () =>
                NormalizationLaws.Check(channels => new Variant(channels,
                (n, x) => Right(n, x) + Pulled(parameterOf(n))), Only(Law.Derivatives)));
        yield return Of("DevicesGradient", "of variable 1,", n => Pulled(n.Weight!));
        yield return Of("DevicesGradient", "of variable 2,", n => Pulled(n.Bias!));
    }

    // ---- evaluation, and what is committed --------------------------------------------------------------------------

    private static IEnumerable<Offender> WithRunningStatistics()
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            Offender Of(string comparison, Func<int, Running> create) => new(comparison, $"on the {device} device",
                () => NormalizationLaws.Check(channels =>
                {
                    var layer = create(channels);
                    layer.Device = device;
                    return layer;
                }, Only(Comparison.All[comparison].Law)));
            // no root
            yield return Of("Limit", channels =>
                new(channels) { Evaluate = (n, x) => (x - n.Mean) / (n.Variance + 1e-5) });
            yield return Of("Limit", channels => new(channels) { Evaluate = (n, x) => x / (n.Variance + 1e-5).Sqrt() });
            yield return Of("Limit", channels => new(channels) { Evaluate = (n, x) => n.Right(x) * 1.05 });
            yield return Of("EvaluatedAlone", channels =>
                new(channels) { Evaluate = (n, x) => n.Right(x) + 0.1 * x.Mean([0], keepAxes: true) });
            yield return Of("EvaluatedAloneGradient", channels => new(channels)
            {
                Evaluate = (n, x) =>
                    n.Right(Tape.Record("changed", x.StopGradient(), (x, (_, g) => g + g.Mean([0], keepAxes: true)))),
            });
            yield return Of("StateAfterTraining", channels =>
                new(channels) { InTraining = (n, moments) => n.Commit(moments) });
            // One of the two that are kept.
            yield return Of("StateAfterTraining", channels =>
                new(channels) { InTraining = (n, m) => n.Commit(m with { Variance = n.Variance }) });
            yield return Of("StateAfterTraining", channels =>
                new(channels) { InTraining = (n, m) => n.Commit(m with { Mean = n.Mean }) });
            yield return Of("StateAfterEvaluation", channels => new(channels)
            {
                Evaluate = (n, x) =>
                {
                    n.Commit(new Moments(1, x.Reshape(-1, x.Shape[-1]).Mean([0]), n.Variance));
                    return n.Right(x);
                },
            });
            // as if all parts were alike
            yield return Of("Pooled", channels => new(channels) { Propose = moments => moments with { Count = 1 } });
        }
        static Offender InEvaluation(string comparison, string where, Func<Running, Tensor, Tensor> evaluate) =>
            new(comparison, where,
            () => NormalizationLaws.Check(channels => new Running(channels) { Evaluate = evaluate },
                Only(Comparison.All[comparison].Law)));
        yield return InEvaluation("FirstDerivative", "in evaluation", (n, x) =>
            n.Right(Tape.Record("wrong", (x * 2).StopGradient(), (x, (_, g) => g * 3))));
        yield return InEvaluation("RecordedGradient", "in evaluation", (n, x) =>
            n.Right(Tape.RecordKernel("wrong", (x * 2).StopGradient(), [x], inputs => inputs[0] * 2, (_, g, _) =>
                [g * 3])));
        yield return InEvaluation("DevicesValue", "in evaluation", (n, x) => x.Device == Tapegrad.Devices.Device.Cpu
            ? n.Right(x) * 1.01 : n.Right(x));
        // Right as long as nothing was committed.
        yield return InEvaluation("DevicesValue", "in evaluation", (n, x) =>
            x.Device == Tapegrad.Devices.Device.Cpu ? n.Right(x) + n.Mean * 0.1 : n.Right(x));
        yield return InEvaluation("ThreadsValue", "", (n, x) =>
            x.Count > 10_000 ? n.Right(x) * (1 + 1e-6 * Workers.Threads) : n.Right(x));
    }

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Offender> All { get; } =
        [.. Operations(), .. OnEachDevice(), .. OnNumbers(), .. OnParameters(), .. WithRunningStatistics()];
}
