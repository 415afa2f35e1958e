using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>
/// Everything that squares or accumulates, in float, over magnitudes from 1e-30 to 1e30: either it agrees with double,
/// or it is refused and nothing has changed. Never a number that is silently another one.
/// </summary>
public sealed class MagnitudesTests
{
    private const double Decades = 30;

    private static double Magnitude(RandomSource random, int draw) =>
        Math.Pow(10, Decades * (2 * random.Uniform(draw) - 1));

    // Numbers of one magnitude; a quarter of them of another one.
    private static double[] Numbers(RandomSource random, int count)
    {
        var (most, others) = (Magnitude(random, 0), Magnitude(random, 1));
        return [.. Enumerable.Range(0, count)
            .Select(i => (double)(float)((random.Below(4, 100 + i) == 0 ? others : most) * random.Normal(i)))];
    }

    private static void ForAll(int tests, Action<RandomSource> property) =>
        Prop.ForAll(ArbMap.Default.ArbFor<int>(), seed => property(new RandomSource(seed)))
        .Check(Config.QuickThrowOnFailure.WithMaxTest(tests));

    private static Optimizer Create(int kind, Parameter[] parameters) => kind switch
    {
        0 => new Sgd(parameters) { OnNonFinite = NonFinite.Skip },
        1 => new Sgd(parameters, momentum: 0.9, weightDecay: 0.1) { OnNonFinite = NonFinite.Skip },
        2 => new Sgd(parameters, momentum: 0.9, nesterov: true) { OnNonFinite = NonFinite.Skip },
        3 => new Adam(parameters) { OnNonFinite = NonFinite.Skip },
        4 => new Adam(parameters, weightDecay: 0.1) { OnNonFinite = NonFinite.Skip },
        _ => new AdamW(parameters) { OnNonFinite = NonFinite.Skip },
    };

    // A step beside the same step in double, from the same numbers, many times.
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_step_agrees_with_double_or_changes_nothing(int kind)
    {
        var (taken, refused) = (0, 0);
        ForAll(60, random =>
        {
            int[] counts = [1 + random.Below(20, 1), 1 + random.Below(20, 2)];
            Parameter[] Make(Device device)
            {
                using var _ = Device.Use(device);
                return [.. counts.Select((count, i) =>
                    new Parameter($"p{i}", Tensor.From(Numbers(random.Split(i), count), new Shape(count))))];
            }
            var (parameters, twins) = (Make(Device.Cpu), Make(Device.Reference));
            var (optimizer, twin) = (Create(kind, parameters), Create(kind, twins));
            Parameter[] state = [.. parameters, .. optimizer.State], twinState = [.. twins, .. twin.State];
            var statistics = new Recorder();
            for (var step = 0; step < 12; step++)
            {
                var (slopes, draw) = (counts.Select((count, i) => Numbers(random.Split(100 * step + i), count))
                    .ToArray(), random.Split(-1 - step));
                var rate = Math.Pow(10, 4 * draw.Uniform(0) - 4);
                foreach (var (own, other) in state.Zip(twinState))
                    using (Device.Use(Device.Reference)) other.Value = Tensor.From(own.Value.ToDoubles(), own.Shape);
                twin.Counters = optimizer.Counters;
                var (before, counters) = (state.Select(p => p.Value.ToDoubles()).ToArray(), optimizer.Counters);
                bool Take(Device device, Optimizer which, Parameter[] of, Recorder seen)
                {
                    using var _ = Device.Use(device);
                    using var tape = Tape.Training(random);
                    tape.Propose(seen, new Moments(4, Tensor.Scalar(1), Tensor.Scalar(2)));
                    var loss = of.Select((p, i) => (p.Value * Tensor.From(slopes[i], p.Shape)).Sum())
                        .Aggregate((a, b) => a + b);
                    return which.Step(tape.Gradients(loss), rate);
                }
                var committed = statistics.Committed.Count;
                var isTaken = Take(Device.Cpu, optimizer, parameters, statistics);
                Assert.True(Take(Device.Reference, twin, twins, new Recorder()));
                var (after, wanted) = (state.Select(p => p.Value.ToDoubles()).ToArray(),
                    twinState.Select(p => p.Value.ToDoubles()).ToArray());
                if (isTaken)
                {
                    taken++;
                    Assert.Equal(committed + 1, statistics.Committed.Count);
                    for (var i = 0; i < after.Length; i++) AssertNear(before[i], wanted[i], after[i], state[i].Name);
                }
                else
                {
                    refused++;
                    Assert.Equal(before, after);
                    Assert.Equal(counters, optimizer.Counters);
                    Assert.Equal(committed, statistics.Committed.Count);
                    // There is a reason: a number, or the square behind a root, that a float does not hold.
                    var largest = wanted.SelectMany(numbers => numbers).Max(Math.Abs);
                    var squares = kind < 3 ? 0
                        : twin.State.Where(p => p.Name.EndsWith("square", StringComparison.Ordinal))
                        .SelectMany(p => p.Value.ToDoubles()).Max() / (1 - Math.Pow(0.999, twin.Steps));
                    Assert.True(Math.Max(largest, squares) > float.MaxValue / 1.001,
                        $"refused, though the largest is {largest} and {squares}");
                }
            }
        });
        Assert.True(taken > 100, "hardly a step was taken");
        // 1e30 squared is beyond floats; SGD squares nothing
        Assert.True(refused > 20 || kind < 3, "hardly a step was refused");
    }

    // A few roundings of the larger of what was and what is; what is below 1e-37 has no digits in float, and its square
    // none at all.
    private static void AssertNear(double[] before, double[] wanted, double[] got, string name)
    {
        for (var i = 0; i < wanted.Length; i++)
            Assert.True(Math.Abs(wanted[i] - got[i]) <= 1e-5 * Math.Max(Math.Abs(before[i]), Math.Abs(wanted[i]))
                + 1e-37,
                $"{name}[{i}]: {before[i]:R} should become {wanted[i]:R}, and became {got[i]:R}");
    }

    // One gradient that is large, but finite, must not end the training.
    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public void After_a_huge_gradient_steps_go_on(int kind) => ForAll(50, random =>
    {
        using var device = Device.Use(Device.Cpu);
        var (parameter, twin) = (new Parameter("p", Tensor.Zeros(new Shape(1))),
            new Parameter("p", Tensor.Zeros(new Shape(1))));
        var (optimizer, untroubled) = (Create(kind, [parameter]), Create(kind, [twin]));
        bool Step(Optimizer which, Parameter p, double slope)
        {
            using var tape = Tape.Training(random);
            return which.Step(tape.Gradients((p.Value * slope).Sum()), 0.01);
        }
        var huge = Math.Pow(10, 21 + 17 * random.Uniform(0));   // its square is beyond all floats
        for (var step = 0; step < 10; step++)
        {
            Assert.False(Step(optimizer, parameter, huge));
            Assert.True(Step(optimizer, parameter, 1));
            Assert.True(Step(untroubled, twin, 1));
        }
        Assert.Equal(twin.Value.ToDoubles(), parameter.Value.ToDoubles());
    });

    [Fact]
    public void What_would_not_stay_finite_is_named()
    {
        using var device = Device.Use(Device.Cpu);
        var (weight, bias) = (new Parameter("weight", Tensor.Ones(new Shape(2))),
            new Parameter("bias", Tensor.Ones(new Shape(1))));
        void Throws(Optimizer optimizer, double rate, params double[] slopes)
        {
            using var tape = Tape.Training(new RandomSource(1));
            var loss = (weight.Value * Tensor.From(slopes, new Shape(2))).Sum() + bias.Value.Sum();
            var message = Assert.Throws<NonFiniteException>(() => optimizer.Step(tape.Gradients(loss), rate)).Message;
            Assert.Contains(optimizer is Adam ? "weight.mean_square [2] would become Infinity at element 1"
                : "weight [2] would become -Infinity at element 1",
                message);
            Assert.Contains("the step was not taken", message);
            Assert.Equal(0, optimizer.Steps);
        }
        Throws(new Adam([bias, weight]), 0.1, 1, 1e21);
        Throws(new Sgd([bias, weight]), 1e20, 1, 1e20);
    }

    // The norm of any gradients; what is clipped has the limit's length and the same direction.
    [Fact]
    public void Norms_are_measured_and_clipped_at_every_magnitude() => ForAll(200, random =>
    {
        using var device = Device.Use(Device.Cpu);
        Parameter[] parameters = [.. Enumerable.Range(0, 1 + random.Below(3, 0)).Select(i =>
            new Parameter($"p{i}", Tensor.Zeros(new Shape(1 + random.Below(20, 1 + i)))))];
        double[][] slopes = [.. parameters.Select((p, i) => Numbers(random.Split(i), p.Count))];
        using var tape = Tape.Training(random);
        var gradients = tape.Gradients(parameters.Select((p, i) => (p.Value * Tensor.From(slopes[i], p.Shape)).Sum())
            .Aggregate((a, b) => a + b));
        // double holds these squares
        var norm = Math.Sqrt(slopes.SelectMany(numbers => numbers).Sum(value => value * value));
        Assert.InRange(gradients.Norm() / norm, 1 - 1e-6, 1 + 1e-6);

        var limit = Magnitude(random, 50);
        var clipped = gradients.ClipByNorm(limit);
        var length = Math.Min(limit, norm);
        Assert.InRange(clipped.Norm() / length, 1 - 1e-5, 1 + 1e-5);
        for (var i = 0; i < parameters.Length; i++)
            foreach (var (slope, got) in slopes[i].Zip(clipped[parameters[i]].ToDoubles()))
                Assert.True(Math.Abs(slope / norm - got / length) < 1e-5,
                    $"{slope} of {norm} became {got} of {length}");
    });

    [Fact]
    public void Ordinary_norms_keep_every_bit() => ForAll(100, random =>
    {
        using var device = Device.Use(Device.Cpu);
        Parameter[] parameters = [.. Enumerable.Range(0, 3)
            .Select(i => new Parameter($"p{i}", Tensor.Zeros(new Shape(1 + random.Below(5000, i)))))];
        using var tape = Tape.Training(random);
        var loss = parameters.Select((p, i) =>
            (p.Value * Tensor.Normal(p.Shape, random.Split(i)) * Math.Pow(10, 20 * random.Uniform(9 + i) - 10)).Sum());
        var gradients = tape.Gradients(loss.Aggregate((a, b) => a + b));
        Assert.Equal(Math.Sqrt(parameters.Sum(p => gradients[p].Square().Sum().ToDouble())), gradients.Norm());
    });

    [Fact]
    public void Gradients_that_are_not_finite_are_not_clipped_but_named()
    {
        using var device = Device.Use(Device.Cpu);
        var p = new Parameter("p", Tensor.Ones(new Shape(2)));
        using var tape = Tape.Training(new RandomSource(1));
        var gradients = tape.Gradients((p.Value * Tensor.From([1, double.PositiveInfinity], new Shape(2))).Sum());
        Assert.Equal(double.PositiveInfinity, gradients.Norm());
        Assert.Equal("the gradient of p [2] is Infinity at element 1", gradients.ClipByNorm(1).FindNonFinite());
        var odd = tape.Gradients((p.Value * Tensor.From([1, double.NaN], new Shape(2))).Sum());
        Assert.Equal(double.NaN, odd.Norm());
        Assert.Equal([1, double.NaN], odd.ClipByNorm(0.5)[p].ToDoubles());   // as they are
    }

    [Fact]
    public void A_norm_spans_devices_and_is_not_lost_beside_zeros()
    {
        static Gradients Of(Device device, params double[] numbers)
        {
            using var _ = Device.Use(device);
            using var tape = Tape.Training(new RandomSource(1));
            var p = new Parameter("p", Tensor.Ones(new Shape(numbers.Length)));
            return tape.Gradients((p.Value * Tensor.From(numbers, p.Shape)).Sum()).Keep();
        }
        Assert.Equal(13, (Of(Device.Cpu, 3, 4) + Of(Device.Reference, 12)).Norm(), 1e-6);
        Assert.Equal(13, (Of(Device.Reference, 12) + Of(Device.Cpu, 3, 4)).Norm(), 1e-6);
        Assert.Equal(5, (Of(Device.Reference, 0, 0) + Of(Device.Reference, 3e-200, 4e-200)).Norm() * 1e200, 1e-12);
    }

    // Two batches of any magnitudes, pooled: the running statistics are those of double, or the step is refused and
    // they stay.
    [Fact]
    public void Statistics_agree_with_double_or_stay() => ForAll(150, random =>
    {
        double[][] batches = [Numbers(random.Split(0), 6), Numbers(random.Split(1), 6)];
        (bool, double[][]) Train(Device device)
        {
            using var _ = Device.Use(device);
            var norm = new BatchNorm(1);
            var sgd = new Sgd(norm.Parameters) { OnNonFinite = NonFinite.Skip };
            Gradients? sum = null;
            foreach (var batch in batches)
            {
                using var tape = Tape.Training(random);
                var gradients = tape.Gradients(norm.Apply(tape.Watch(Tensor.From(batch, new Shape(6, 1)))).Sum())
                    .Keep();
                sum = sum is null ? gradients : (sum + gradients).Keep();
            }
            return (sgd.Step(sum!, 0), [.. norm.State.Where(p => !p.IsTrainable).Select(p => p.Value.ToDoubles())]);
        }
        var ((isTaken, got), (_, wanted)) = (Train(Device.Cpu), Train(Device.Reference));
        if (!isTaken)
        {
            Assert.Equal([[0.0], [1.0]], got);
            return;
        }
        var largest = batches.SelectMany(batch => batch).Max(Math.Abs);
        Assert.True(Math.Abs(wanted[0][0] - got[0][0]) <= 1e-6 * largest,
            $"the mean {wanted[0][0]} became {got[0][0]}");
        Assert.True(Math.Abs(wanted[1][0] - got[1][0]) <= 1e-5 * wanted[1][0],
            $"the variance {wanted[1][0]} became {got[1][0]}");
    });

    // Each batch has a variance of 0; that of both together is beyond all floats.
    [Fact]
    public void Statistics_that_are_finite_alone_but_not_together_are_refused()
    {
        using var device = Device.Use(Device.Cpu);
        var norm = new BatchNorm(1);
        Gradients Of(double value)
        {
            using var tape = Tape.Training(new RandomSource(1));
            return tape.Gradients(norm.Apply(tape.Watch(Tensor.Full(new Shape(4, 1), value))).Sum()).Keep();
        }
        var both = (Of(1e25) + Of(-1e25)).Keep();
        Assert.Contains("the batch statistics of",
            Assert.Throws<NonFiniteException>(() => new Sgd(norm.Parameters).Step(both, 0.1)).Message);
        Assert.True(new Sgd(norm.Parameters).Step(Of(1e25), 0.1));
        Assert.True(norm.State.All(p => p.Value.ToDoubles().All(double.IsFinite)));
    }

    [Fact]
    public void Averages_agree_with_double() => ForAll(100, random =>
    {
        using var device = Device.Use(Device.Cpu);
        var p = new Parameter("p", Tensor.From(Numbers(random, 5), new Shape(5)));
        var (average, wanted) = (new AveragedWeights([p], decay: 0.5), p.Value.ToDoubles());
        for (var step = 0; step < 10; step++)
        {
            p.Value = Tensor.From(Numbers(random.Split(step), 5), new Shape(5));
            average.Update();
            var decay = Math.Min(0.5, (1.0 + step) / (10 + step));
            var before = wanted;
            wanted = [.. wanted.Zip(p.Value.ToDoubles(), (old, value) => decay * old + (1 - decay) * value)];
            var got = average.State[0].Value.ToDoubles();
            for (var i = 0; i < 5; i++)
                Assert.True(Math.Abs(wanted[i] - got[i]) <= 1e-5 * (Math.Abs(before[i]) + Math.Abs(p.Value.At(i))),
                    $"{wanted[i]} became {got[i]}");
            wanted = got;
        }
    });

    // Of logits and errors of any magnitude: the value of double where a float can hold it, the gradient always.
    [Fact]
    public void Losses_and_their_gradients_agree_with_double() => ForAll(100, random =>
    {
        double[] x = Numbers(random.Split(0), 12), t = Numbers(random.Split(1), 12);
        foreach (var loss in (Func<Tensor, Tensor>[])[x => x.Reshape(3, 4).CrossEntropy([0, 3, 1]), x =>
            x.Reshape(3, 4).CrossEntropy([0, 3, 1], 0.1),
            x => x.MeanSquaredError(Tensor.From(t, new Shape(12))), x => x.Mean(), x => x.Norm()])
        {
            (double, double[]) Run(Device device)
            {
                using var _ = Device.Use(device);
                using var tape = Tape.Training(random);
                var v = tape.Watch(Tensor.From(x, new Shape(12)));
                var value = loss(v);
                return (value.ToDouble(), tape.Gradients(value, [v])[0].ToDoubles());
            }
            var ((got, gradient), (wanted, wantedGradient)) = (Run(Device.Cpu), Run(Device.Reference));
            // the sum, before it is a mean
            Assert.True(double.IsPositiveInfinity(got) ? wanted * x.Length > float.MaxValue / 1.001
                : Math.Abs(got - wanted) <= 1e-5 * Math.Abs(wanted) + 1e-6 * x.Max(Math.Abs) + 1e-37,
                $"{wanted} became {got}");
            var largest = wantedGradient.Max(Math.Abs);
            for (var i = 0; i < x.Length; i++)
                Assert.True(Math.Abs(wantedGradient[i] - gradient[i]) <= 1e-5 * largest + 1e-37,
                    $"gradient {i}: {wantedGradient[i]} became {gradient[i]}");
        }
    });
}
