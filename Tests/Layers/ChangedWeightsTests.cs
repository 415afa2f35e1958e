using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>
/// A device keeps what it makes of weights. Whatever changes their numbers, a network computes with the new ones: to
/// the bit what a new network computes that was given them.
/// </summary>
public sealed class ChangedWeightsTests
{
    // A direct convolution, two of Winograd's, a depthwise one, and one whose stride leaves pixels out.
    private static Sequential Model(int seed)
    {
        var random = new RandomSource(seed);
        return new(("first", new Conv2d(3, 8, 3, random.Split(0), padding: 1)), ("norm", new BatchNorm(8)),
            ("second", new Conv2d(8, 16, 3, random.Split(1), padding: 1)),
            ("third", new Conv2d(16, 33, 3, random.Split(2), bias: false)),
            ("fourth", new Conv2d(33, 33, 3, random.Split(3), groups: 33)),
            ("fifth", new Conv2d(33, 5, 1, random.Split(4), stride: 2)), ("pool", new GlobalAveragePool()));
    }

    private static readonly Tensor[] Images =
    [
        Tensor.Normal(new Shape(1, 7, 9, 3), new RandomSource(1)),
        Tensor.Normal(new Shape(3, 8, 8, 3), new RandomSource(2)),
    ];

    private static float[] Apply(Module model, Tensor x)
    {
        using var scope = new Scope();
        return model.Apply(x).ToFloats();
    }

    // Of a network that has these numbers, and has kept nothing of them.
    private static float[][] Anew(Sequential model)
    {
        var twin = Model(99);
        foreach (var (own, other) in twin.State.Zip(model.State))
            own.Value = Tensor.From(other.Value.ToFloats(), own.Shape);
        return [.. Images.Select(x => Apply(twin, x))];
    }

    private static void AssertComputesWithItsNumbers(Sequential model)
    {
        var expected = Anew(model);
        for (var time = 0; time < 3; time++)
            for (var i = 0; i < Images.Length; i++) Assert.Equal(expected[i], Apply(model, Images[i]));
        foreach (var layer in model.Children.OfType<Conv2d>())
            if (layer.Configuration.Groups == 1) Assert.IsType<PreparedWeights>(layer.Weight.Kept);
    }

    private static void Step(Sequential model, Optimizer optimizer)
    {
        using var tape = Tape.Training(new RandomSource(5));
        optimizer.Step(tape.Gradients(model.Apply(Images[1]).Sigmoid().Sum()), 0.01);
    }

    // As a formula of a user's own may do, when some numbers are changed already.
    private readonly struct Failing : IUpdate
    {
        [ThreadStatic] private static int calls;

        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
        {
            if (++calls % 3 == 0) throw new InvalidOperationException("the third");
            parameter += gradient;
            first -= gradient;
            second -= gradient;
        }
    }

    private readonly struct Adding : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
        {
            parameter += gradient;
            first -= gradient;
            second += gradient + gradient;
        }
    }

    private static Parameter[] Weights(Sequential model) =>
        [.. model.Children.OfType<Conv2d>().Select(layer => layer.Weight)];

    private static void Written(Action<string> save, Action<string> load)
    {
        var folder = Directory.CreateTempSubdirectory("weights").FullName;
        var path = Path.Combine(folder, "model.safetensors");
        save(path);
        load(path);
        Directory.Delete(folder, recursive: true);
    }

    private static Tensor Noise(Parameter parameter) => Tensor.Normal(parameter.Shape, new RandomSource(6));

    // Each takes a network that has just computed, and says so when it has changed it.
    private static readonly Dictionary<string, Action<Sequential, Action>> Changes = new()
    {
        ["nothing"] = (_, check) => check(),
        ["a step of SGD"] = (model, check) =>
        {
            Step(model, new Sgd(model.Parameters, momentum: 0.9));
            check();
        },
        ["steps of Adam, computing in between"] = (model, check) =>
        {
            var adam = new Adam(model.Parameters);
            for (var step = 0; step < 3; step++)
            {
                Step(model, adam);
                check();
            }
        },
        ["averaged weights in their place, and back"] = (model, check) =>
        {
            var average = new AveragedWeights(model.State, 0.5);
            Step(model, new Sgd(model.Parameters));
            average.Update();
            check();
            using (average.Use()) check();
            check();
        },
        ["slow weights"] = (model, check) =>
        {
            var lookahead = new Lookahead(model.State, 10);
            for (var step = 0; step < 5; step++) Step(model, new Sgd(model.Parameters));
            check();
            lookahead.Update(4);
            check();
        },
        ["a file"] = (model, check) =>
        {
            Written(Trained(7).Save, model.Load);
            check();
        },
        ["a file of PyTorch's names"] = (model, check) =>
        {
            Written(path => StateDict.Save(Trained(8), path), path => StateDict.Load(model, path));
            check();
        },
        ["values by hand"] = (model, check) =>
        {
            foreach (var weight in Weights(model))
            {
                weight.Value = Noise(weight);
                check();
            }
        },
        ["an update by hand"] = (model, check) =>
        {
            foreach (var weight in Weights(model))
            {
                weight.Update(new Adding(), Noise(weight));
                check();
            }
        },
        ["updates of something else, of which they are a state"] = (model, check) =>
        {
            foreach (var weight in Weights(model))
            {
                var (other, another) = (new Parameter("other", weight.Value), new Parameter("another", weight.Value));
                other.Update(new Adding(), Noise(weight), first: weight);
                check();
                other.Update(new Adding(), Noise(weight), another, second: weight);
                check();
            }
        },
        ["an update that fails halfway"] = (model, check) =>
        {
            foreach (var weight in Weights(model))
            {
                var (other, another) = (new Parameter("other", weight.Value), new Parameter("another", weight.Value));
                var before = weight.Value.ToFloats();
                Assert.Throws<InvalidOperationException>(() => weight.Update(new Failing(), Noise(weight)));
                check();
                Assert.Throws<InvalidOperationException>(() => other.Update(new Failing(), Noise(weight), weight));
                check();
                Assert.Throws<InvalidOperationException>(() =>
                    other.Update(new Failing(), Noise(weight), another, weight));
                check();
                Assert.NotEqual(before, weight.Value.ToFloats());
            }
        },
        ["a frozen layer's thawing and a step"] = (model, check) =>
        {
            model.Children[2].IsFrozen = true;
            Step(model, new Sgd(model.Parameters));
            check();
            model.Children[2].IsFrozen = false;
            Step(model, new Sgd(model.Parameters));
            check();
        },
        ["precise statistics"] = (model, check) =>
        {
            using (var tape = Tape.Training(new RandomSource(5)))
            {
                model.Apply(Images[1]);
                foreach (var (owner, pending) in tape.PendingStatistics) ((RunningStatistics)owner).Replace(pending);
            }
            check();
        },
    };

    public static TheoryData<string> Names => [.. Changes.Keys];

    // It has running statistics.
    private static Sequential Trained(int seed)
    {
        var model = Model(seed);
        Step(model, new Sgd(model.Parameters));
        return model;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_changed_network_computes_with_its_new_numbers(string change)
    {
        var model = Trained(1);
        AssertComputesWithItsNumbers(model);
        Changes[change](model, () => AssertComputesWithItsNumbers(model));
    }

    [Fact]
    public void So_it_does_after_changes_in_any_order()
    {
        var (model, changes, random) = (Trained(1), Changes.Values.ToArray(), new RandomSource(3));
        for (var time = 0; time < 30; time++)
            changes[random.Below(changes.Length, time)](model, () => AssertComputesWithItsNumbers(model));
    }

    [Fact]
    public void Training_keeps_nothing_and_evaluating_under_a_tape_neither()
    {
        var model = Model(1);
        for (var step = 0; step < 3; step++) Step(model, new Sgd(model.Parameters));
        using (Tape.Evaluating())
            for (var time = 0; time < 3; time++) model.Apply(Images[0]);
        Assert.All(Weights(model), weight => Assert.Null(weight.Kept));
    }

    [Fact]
    public void What_is_kept_goes_with_the_numbers()
    {
        var model = Trained(1);
        AssertComputesWithItsNumbers(model);
        Step(model, new Sgd(model.Parameters));
        Assert.All(Weights(model), weight => Assert.Null(weight.Kept));
    }
}
