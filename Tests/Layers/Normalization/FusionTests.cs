using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// A normalization that adds and rectifies in its own pass gives what one step after the other gives, and looking on
/// changes nothing.
/// </summary>
public class FusionTests
{
    // An own formula, here that of LayerNorm.
    private sealed class OwnNorm(int channels) : Norm(channels, new Sharing(false, true, 1))
    {
        protected override Tensor Normalize(Tensor x) => S.Center(x) / (S.Variance(x) + Eps).Sqrt();
    }

    public static TheoryData<string> Names =>
        ["batch", "layer", "layer:position", "instance", "group:2", "none", "own"];

    private static Norm Make(string name)
    {
        var norm = name == "own" ? new OwnNorm(4) : Normalizations.Parse(name)(4);
        if (norm.Weight is not null) norm.Weight.Value = Random(1, 4);
        if (norm.Bias is not null) norm.Bias.Value = Random(2, 4);
        return norm;
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Gives_what_one_step_after_the_other_gives(string name) => OnBothDevices(() =>
    {
        var norm = Make(name);
        foreach (var training in (bool[])[true, false])
            foreach (var (adds, relu) in ((bool, bool)[])[(false, false), (true, false), (false, true), (true, true)])
            {
                double[][] Sweep(Func<Tensor, Tensor, Tensor> function)
                {
                    using var tape = training ? Tape.Training(new RandomSource(1)) : Tape.Evaluating();
                    var (x, residual) = (tape.Watch(Random(3, 3, 5, 4) + 1), tape.Watch(Random(4, 3, 5, 4)));
                    var y = function(x, residual);
                    if (training) tape.Gradients(y.Sum()).CommitStatistics();   // so that BatchNorm can evaluate
                    Tensor[] variables = [x, .. adds ? (Tensor[])[residual] : [],
                        .. norm.Parameters.Select(parameter => parameter.Value)];
                    return [y.ToDoubles(), .. tape.Gradients(y, variables, Random(5, 3, 5, 4))
                        .Select(gradient => gradient.ToDoubles())];
                }
                Tensor Stepwise(Tensor x, Tensor residual)
                {
                    var y = norm.Apply(x);
                    if (adds) y += residual;
                    return relu ? y.Relu() : y;
                }
                // both from the same statistics
                var running = norm.State.Select(parameter => parameter.Value * 1).ToArray();
                var together = Sweep((x, residual) => norm.Apply(x, adds ? residual : null, relu));
                foreach (var (parameter, value) in norm.State.Zip(running)) parameter.Value = value;
                foreach (var (actual, expected) in together.Zip(Sweep(Stepwise))) Same(expected, actual, 2e-5);
            }
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void Is_one_record_where_the_kernel_can(string name)
    {
        using var device = Device.Use(Device.Cpu);
        using var tape = Tape.Training(new RandomSource(1));
        Make(name).Apply(tape.Watch(Random(3, 3, 5, 4)), Random(4, 3, 5, 4), relu: true);
        var records = Operations(tape);
        Assert.Equal(name switch
        {
            "none" => ["add", "relu"],
            "own" => [.. records[..^2], "add", "relu"],
            _ =>
            ["normalize"]
        }, records);
    }

    [Fact]
    public void A_ReLU_that_follows_in_a_chain_is_an_operation_of_its_own()
    {
        using var device = Device.Use(Device.Cpu);
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            new Sequential(Make("group:2"), new Relu()).Apply(tape.Watch(Random(3, 3, 5, 4)));
            Assert.Equal(["normalize", "relu"], Operations(tape));
        }
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            new Sequential(new NormalizedRelu(Make("group:2"))).Apply(tape.Watch(Random(3, 3, 5, 4)));
            Assert.Equal(["normalize"], Operations(tape));
        }
    }

    /// <summary>
    /// Whoever looks at layers, or at the tape, sees outputs; the same is computed, to the bit, in the same records.
    /// </summary>
    [Fact]
    public void Looking_changes_nothing() =>
        Prop.ForAll(
            Gen.Elements("resnet8", "wrn10-1").ToArbitrary(),
            Gen.Elements("batch", "group:4", "layer:position+ws", "none").ToArbitrary(), ArbMap.Default.ArbFor<int>(),
            (architecture, normalization, watchers) =>
            {
                (string Tape, float[][] Numbers) Step(bool watched)
                {
                    using var device = Device.Use(Device.Cpu);
                    var model = new ModelSpec(architecture, normalization, Classes: 3).Build(seed: 1);
                    var seen = 0;
                    foreach (var (i, layer) in model.Modules.Index())
                        if (watched && (watchers >> i % 31 & 1) != 0)
                            layer.AfterApply += (_, output) => seen += output.Count;
                    using var tape = Tape.Training(new RandomSource(2));
                    if (watched) tape.Observer = step => seen += step.Value.Count;
                    var x = tape.Watch(Random(5, 2, 8, 8, 3));
                    var logits = model.Apply(x);
                    var gradients = tape.Gradients(logits,
                        [x, .. model.Parameters.Select(parameter => parameter.Value)], Random(6, 2, 3));
                    Assert.Equal(watched, seen > 0);
                    return (tape.Print(), [logits.ToFloats(), .. gradients.Select(gradient => gradient.ToFloats())]);
                }
                var (alone, watched) = (Step(watched: false), Step(watched: true));
                Assert.Equal(alone.Tape, watched.Tape);
                Assert.Equal(alone.Numbers, watched.Numbers);
            }).Check(Config.QuickThrowOnFailure.WithMaxTest(12));

    [Fact]
    public void Whoever_looks_at_a_normalization_sees_what_it_gave() => OnBothDevices(() =>
    {
        var norm = Make("group:2");
        Tensor? seen = null;
        norm.AfterApply += (layer, output) => seen = layer == norm ? output : null;
        var (x, residual) = (Random(3, 3, 5, 4), Random(4, 3, 5, 4));
        Assert.Same(norm.Apply(x, residual, relu: true), seen);
        Assert.DoesNotContain(seen!.ToDoubles(), value => value < 0);
        Assert.Same(norm.Apply(x), seen);
        Assert.Contains(seen!.ToDoubles(), value => value < 0);
    });

    [Theory]
    [MemberData(nameof(Names))]
    public void A_residual_that_does_not_fit_is_named(string name)
    {
        // One number for each channel would be broadcast by a sum.
        foreach (var dimensions in (int[][])[[3, 5, 3], [3, 4], [1, 1, 4], [4]])
        {
            Refuses<ShapeException>(() => Make(name).Apply(Random(3, 3, 5, 4), Random(4, dimensions)), "the residual",
                "[3, 5, 4]");
            Refuses<ShapeException>(() => Make(name).Apply(Random(3, 0, 5, 4), Random(4, dimensions)), "the residual",
                "[0, 5, 4]");
        }
        Assert.Equal(new Shape(0, 5, 4), Make(name).Apply(Random(3, 0, 5, 4), Random(4, 0, 5, 4), relu: true).Shape);
    }

    [Fact]
    public void A_block_names_the_normalization_that_does_not_fit()
    {
        var random = new RandomSource(1);
        var block = new BasicBlock(new Conv2d(2, 4, 1, random), Make("layer"), new Conv2d(4, 4, 1, random),
            Make("layer"));
        var error = Assert.Throws<ShapeException>(() => new Sequential(("block", block)).Apply(Random(1, 1, 3, 3, 2)));
        Assert.EndsWith("(in layer block.bn2)", error.Message);
    }

    private static string[] Operations(Tape tape) =>
        [.. tape.Print().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
        .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])
        .Where(operation => operation is not ("watch" or "parameter"))];
}
