using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers;

/// <summary>A normalization takes the residual and the ReLU behind it, and nobody sees a difference but in the number of records.</summary>
public class FollowingTests
{
    // An own formula, here that of LayerNorm: it takes nothing.
    private sealed class OwnNorm(int channels) : Norm(channels, new Sharing(false, true, 1))
    {
        protected override Tensor Normalize(Tensor x) => S.Center(x) / (S.Variance(x) + Eps).Sqrt();
    }

    public static TheoryData<string> Names => ["batch", "layer", "layer:position", "instance", "group:2", "own"];

    private static Norm Make(string name)
    {
        var norm = name == "own" ? new OwnNorm(4) : (Norm)Normalizations.Parse(name)(4)!;
        norm.Weight!.Value = Random(1, 4);
        norm.Bias!.Value = Random(2, 4);
        return norm;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void GivesWhatOneStepAfterTheOtherGives(string name) => OnBothDevices(() =>
    {
        var (norm, last) = (Make(name), Make(name));
        var module = new Sequential(("first", norm), ("relu", new Relu()),
            ("block", new Residual(new Sequential(("inner", new Sequential(("last", last)))), relu: true)), ("end", new Relu()));
        foreach (var training in (bool[])[true, false])
        {
            double[][] Sweep(Func<Tensor, Tensor> function)
            {
                using var tape = training ? Tape.Training(new RandomSource(1)) : Tape.Evaluating();
                var x = tape.Watch(Random(3, 3, 5, 4) + 1);
                var y = function(x);
                Parameter[] parameters = [.. module.Parameters];
                if (training) tape.Gradients(y.Sum()).CommitStatistics();   // so that BatchNorm can evaluate
                return [y.ToDoubles(), .. tape.Gradients(y, [x, .. parameters.Select(p => p.Value)], Random(4, 3, 5, 4)).Select(g => g.ToDoubles())];
            }
            Tensor Stepwise(Tensor x)
            {
                var between = norm.Apply(x).Relu();
                return (last.Apply(between) + between).Relu().Relu();
            }
            var (together, stepwise) = (Sweep(module.Apply), Sweep(Stepwise));
            foreach (var (actual, expected) in together.Zip(stepwise)) Same(expected, actual, 2e-5);
        }
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void IsOneRecordUnderTheNormalizationsName(string name)
    {
        using var device = Tapegrad.Devices.Device.Use(Tapegrad.Devices.Device.Cpu);
        var module = new Residual(new Sequential(("one", Make(name)), ("relu", new Relu()), ("two", Make(name))), relu: true);
        using var tape = Tape.Training(new RandomSource(1));
        module.Apply(tape.Watch(Random(3, 3, 5, 4)));
        var records = tape.Print().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(row => row[1] != "watch" && row[1] != "parameter").ToArray();
        if (name != "own")
        {
            Assert.Equal([("normalize", "one"), ("normalize", "two")], records.Select(row => (row[1], row[2])));
            return;
        }
        // One's own formula leaves the others their records and their names.
        Assert.Equal("relu", Assert.Single(records, row => row[1] == "relu" && row[2] == "relu")[1]);
        Assert.Equal(["add", "relu"], records[^2..].Select(row => row[1]));
        Assert.DoesNotContain(records[^2..], row => row[2] == "two");
    }

    [Fact]
    public void WhoWatchesSeesEachLayersOwnOutput() => OnBothDevices(() =>
    {
        var (norm, relu, last) = (Make("group:2"), new Relu(), Make("instance"));
        var module = new Residual(new Sequential(norm, relu, last), relu: true);
        var x = Random(3, 3, 5, 4);
        var y = module.Apply(x).ToDoubles();
        var seen = new Dictionary<Module, double[]>();
        foreach (var layer in (Module[])[norm, last]) layer.AfterApply += (layer, output) => seen[layer] = output.ToDoubles();
        Same(y, module.Apply(x).ToDoubles(), 1e-6);
        Assert.Contains(seen[norm], value => value < 0);   // before the ReLU
        Same((last.Apply(norm.Apply(x).Relu()) + x).Relu().ToDoubles(), y, 1e-6);
        Same(last.Apply(norm.Apply(x).Relu()).ToDoubles(), seen[last], 1e-6);   // before the sum

        var other = new Sequential(Make("group:2"), relu = new Relu());
        relu.AfterApply += (layer, output) => seen[layer] = output.ToDoubles();
        var rectified = other.Apply(x).ToDoubles();
        Assert.Equal(rectified, seen[relu]);
        Assert.DoesNotContain(rectified, value => value < 0);
    });

    [Fact]
    public void AResidualThatDoesNotFitIsNamedByTheBlock()
    {
        var block = new Residual(new Sequential(new Linear(2, 4, new RandomSource(1)), Make("layer")), relu: true);
        var error = Assert.Throws<ShapeException>(() => new Sequential(("block", block)).Apply(Tensor.Ones(new Shape(1, 2))));
        Assert.Contains("the branch gives [1, 4], but the shortcut [1, 2]", error.Message);
        Assert.EndsWith("(in layer block)", error.Message);
    }
}
