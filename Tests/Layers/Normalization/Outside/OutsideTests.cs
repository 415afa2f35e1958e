using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Layers;
using Tapegrad.Onnx;
using Tapegrad.Optimizers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Normalizations that another assembly brings, by public and protected members alone: nothing in the base class stands
/// in their way. They obey the laws that they do not except, are known by their names, and are saved, rebuilt, frozen
/// and recomputed as those of the library are.
/// </summary>
public sealed class OutsideTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("outside").FullName;

    static OutsideTests() => Normalizations.Register(typeof(OutsideTests).Assembly);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    private static Tensor Images(long seed, int samples, int channels = 3) =>
        Tensor.Normal(new Shape(samples, 6, 5, channels), new RandomSource(seed)) * 2 + 1;

    private static void Step(Module model, Tensor x, double rate = 0.05)
    {
        using var tape = Tape.Training(new RandomSource(1));
        new Sgd(model.Parameters).Step(tape.Gradients(model.Apply(x).Square().Mean()), rate);
    }

    public static TheoryData<string> Names => [.. Own.SelectMany(info => info.Examples)];

    private static IEnumerable<NormalizationInfo> Own
    {
        get
        {
            Normalizations.Register(typeof(OutsideTests).Assembly);   // again, it does nothing
            return Normalizations.All.Where(info =>
                info.Parse(info.Examples[0])!(32).GetType().Namespace == typeof(OutsideTests).Namespace);
        }
    }

    [Fact]
    public void Are_found_by_their_names() =>
        Assert.Equal(["renorm", "evo-s0", "iter", "rms:1", "switchable"], Own.Select(info => info.Examples[0]));

    [Theory]
    [MemberData(nameof(Names))]
    public void Obey_the_laws_that_they_do_not_except(string name)
    {
        var info = Own.Single(info => info.Examples.Contains(name));
        NormalizationLaws.Check(Normalizations.Parse(name),
            new LawOptions { Channels = name == "rms:4" ? [4, 8] : [1, 3, 4] }, info.DisobeyedLaws);
    }

    // At the fused kernel's speed, then: it is the fused operation, with nothing recorded beside it.
    [Fact]
    public void Rms_with_what_follows_it_is_one_operation_of_the_device()
    {
        foreach (var device in (Device[])[Device.Cpu, Device.Reference])
        {
            using var _ = Device.Use(device);
            var (layer, operations) = (new RmsNorm(8, groups: 2), new List<string>());
            layer.Weight!.Value = Tensor.Normal(new Shape(8), new RandomSource(3));
            using var tape = Tape.Training(new RandomSource(2));
            var x = tape.Watch(Images(1, samples: 3, channels: 8));
            tape.Observer = record => operations.Add(record.Operation);
            var y = layer.Apply(x, residual: x, relu: true);
            Assert.Equal(["normalize"], operations);
            tape.Observer = null;
            var plain = (x / (layer.S.MeanSquare(x) + layer.Eps).Sqrt() * layer.Weight + x).Relu();
            Assert.All(plain.ToDoubles().Zip(y.ToDoubles()), pair => Assert.Equal(pair.First, pair.Second, 1e-5));
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Are_trained_saved_and_rebuilt(string name)
    {
        using var device = Device.Use(Device.Cpu);
        foreach (var text in (string[])[name, $"{name}+sws", $"layer2={name},*=group:4+ws"])
        {
            var model = new ModelSpec("resnet8", text, Classes: 2).Build(seed: 1);
            Step(model, Images(1, 4));
            model.Save(FilePath);
            var rebuilt = ModelSpec.Rebuild(FilePath);
            Assert.Equal(model.Summary(), rebuilt.Summary());
            Assert.Equal(model.Apply(Images(2, 2)).ToFloats(), rebuilt.Apply(Images(2, 2)).ToFloats());
            var frozen = model.Modules.OfType<Norm>().First(norm => norm.Variant == name);
            frozen.IsFrozen = true;
            var before = frozen.State.Select(parameter => parameter.Value.ToFloats()).ToArray();
            Step(model, Images(3, 4));
            Assert.Equal(before, frozen.State.Select(parameter => parameter.Value.ToFloats()));
            if (frozen.Running is null) continue;
            frozen.IsFrozen = false;
            model.RecomputeStatistics([Images(3, 3), Images(4, 2)], new RandomSource(1), [frozen]);
            Assert.NotEqual(before[^1], frozen.State[^1].Value.ToFloats());
        }
    }

    // A file says what was typed; what it is built from is compared by what is made of it.
    [Theory]
    [InlineData("rms")]
    [InlineData("rms+scaled")]
    [InlineData("layer2=rms,*=batch+scaled")]
    public void Are_saved_and_rebuilt_by_any_name_that_makes_them(string text)
    {
        using var device = Device.Use(Device.Cpu);
        var model = new ModelSpec("resnet8", text, Classes: 2).Build(seed: 1);
        Step(model, Images(1, 4));
        model.Save(FilePath);
        var rebuilt = ModelSpec.Rebuild(FilePath);
        Assert.Equal((text, model.Summary()), (rebuilt.Metadata["normalization"], rebuilt.Summary()));
        Assert.Equal(model.Apply(Images(2, 2)).ToFloats(), rebuilt.Apply(Images(2, 2)).ToFloats());
        model.Metadata["normalization"] = "rms:4+sws";
        Refuses<InvalidOperationException>(() => model.Save(FilePath), "is 'rms:4+sws', but ");
    }

    [Fact]
    public void Weights_that_are_transformed_so_already_stay_by_whatever_name()
    {
        var model = new ModelSpec("resnet8", "group:8", Classes: 2).Build(seed: 1);
        model.TransformWeights("sws");
        var transforms = model.Modules.OfType<Conv2d>().Select(layer => layer.WeightTransform).ToArray();
        model.TransformWeights("scaled");
        Assert.Equal(transforms, model.Modules.OfType<Conv2d>().Select(layer => layer.WeightTransform));
        model.Save(FilePath);
    }

    // Whatever stands in the way of one of them.
    [Theory]
    [InlineData("transformed already")]
    [InlineData("one number for each output")]
    [InlineData("'gain' is given twice")]
    public void Where_one_convolution_is_refused_none_is_transformed(string why)
    {
        var random = new RandomSource(1);
        Conv2d[] layers = [.. Enumerable.Range(0, 3).Select(_ => new Conv2d(3, 3, 3, random))];
        var model = new Sequential(layers[0], why.Contains("gain") ? new Lender(layers[1]) : layers[1],
            why.Contains("one number") ? new Conv2d(3, 3, 1, random, groups: 3) : layers[2]);
        model.Metadata["normalization"] = "batch";
        if (why.Contains("already")) layers[1].StandardizeWeights();
        var before = (model.Summary(), layers[1].WeightTransform);
        Refuses<ArgumentException>(() => model.TransformWeights(why.Contains("one number") ? "ws" : "sws"), why);
        Assert.Equal(before, (model.Summary(), layers[1].WeightTransform));
        Assert.Null(layers[0].WeightTransform);
        Assert.Equal("batch", model.Metadata["normalization"]);
    }

    // Its convolution has no name, so what belongs to that stands among its own.
    private sealed class Lender : Module
    {
        private readonly Module layer;
        private readonly Parameter gain;

        public Lender(Module layer) =>
            (gain, this.layer) = (Parameter("gain", Tensor.Scalar(1)), Child("", layer));

        protected override Tensor Forward(Tensor x) => layer.Apply(x) * gain;
    }

    [Fact]
    public void A_mean_and_a_variance_are_mixed_of_three_kinds()
    {
        using var device = Device.Use(Device.Reference);
        foreach (var (kind, twin) in ((int, Norm)[])[(0, new InstanceNorm(3)), (1, new LayerNorm(3)),
            (2, new BatchNorm(3, BatchNormConvention.PyTorch with { Unbiased = false }))])
        {
            // Logits of 60 leave the others a weight of e^-60.
            var norm = new SwitchableNorm(3);
            foreach (var parameter in norm.State.Where(parameter => parameter.Name.EndsWith("_weight")))
                parameter.Value = Tensor.From([.. Enumerable.Range(0, 3).Select(k => k == kind ? 60.0 : 0)],
                    new Shape(3));
            using (Tape.Training(new RandomSource(1)))
                Same(twin.Apply(Images(1, 4)).ToDoubles(), norm.Apply(Images(1, 4)).ToDoubles(), 1e-12);
            foreach (var layer in (Norm[])[twin, norm]) Step(layer, Images(2, 4), rate: 0);
            Same(twin.Apply(Images(3, 2)).ToDoubles(), norm.Apply(Images(3, 2)).ToDoubles(), 1e-12);   // in evaluation
        }
    }

    [Fact]
    public void Batch_renormalization_trains_as_it_evaluates_and_within_bounds_of_1_and_0_as_batch_normalization()
    {
        using var device = Device.Use(Device.Reference);
        var norm = new BatchRenorm(3, rmax: 1e9, dmax: 1e9);
        Step(norm, Images(1, 4), rate: 0);
        var evaluated = norm.Apply(Images(2, 4)).ToDoubles();
        using (Tape.Training(new RandomSource(1))) Same(evaluated, norm.Apply(Images(2, 4)).ToDoubles(), 1e-12);
        var (bounded, batch) = (new BatchRenorm(3, rmax: 1, dmax: 0), new BatchNorm(3));
        foreach (var layer in (Norm[])[bounded, batch]) Step(layer, Images(1, 4), rate: 0);
        using (Tape.Training(new RandomSource(1)))
            Same(batch.Apply(Images(2, 4)).ToDoubles(), bounded.Apply(Images(2, 4)).ToDoubles(), 1e-12);
    }

    [Fact]
    public void Whitened_channels_are_uncorrelated_and_covariances_are_pooled_exactly()
    {
        using var device = Device.Use(Device.Reference);
        // Channels that are not far from uncorrelated: five steps of Newton are then close.
        Tensor Correlated(long seed, int samples) =>
            Images(seed, samples).MatrixProduct(Tensor.From([1, 0.3, 0, 0, 1, 0.2, 0.1, 0, 1], new Shape(3, 3)));
        var (norm, x) = (new IterNorm(3), Correlated(1, 8));
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            var rows = norm.Apply(x).Reshape(-1, 3);
            var covariance = rows.MatrixProduct(rows, transposeA: true) * (1.0 / rows.Shape[0]);
            Same([1, 0, 0, 0, 1, 0, 0, 0, 1], covariance.ToDoubles(), 0.02);
        }
        var (whole, parts) = (new IterNorm(3), new IterNorm(3));
        Step(whole, Correlated(2, 3).Concatenate(0, Correlated(3, 5)), rate: 0);
        Tapegrad.Gradients? sum = null;
        foreach (var part in (Tensor[])[Correlated(2, 3), Correlated(3, 5)])
        {
            using var tape = Tape.Training(new RandomSource(1));
            var gradients = tape.Gradients(parts.Apply(part).Mean());
            sum = (sum is null ? gradients : sum + gradients).Keep();
        }
        sum!.CommitStatistics();
        foreach (var (a, b) in whole.State.Zip(parts.State)) Same(a.Value.ToDoubles(), b.Value.ToDoubles(), 1e-12);
    }

    [Fact]
    public void A_style_gives_its_mean_and_deviation() => OnBothDevices(() =>
    {
        var (norm, x, style) = (new AdaIn(3), Images(1, 2), Images(2, 2) * 3 - 1);
        var y = norm.Apply(x, condition: style);
        var perChannel = new Sharing(false, true, 3);
        Same(perChannel.Mean(style).ToDoubles(), perChannel.Mean(y).ToDoubles(), 1e-5);
        Same(perChannel.Variance(style).ToDoubles(), perChannel.Variance(y).ToDoubles(), 1e-4);   // up to eps
        Assert.Empty(norm.State);
    });

    [Fact]
    public void A_weight_that_is_scaled_otherwise_has_no_name()
    {
        var model = new ModelSpec("resnet8", "group:8", Classes: 2).Build(seed: 1);
        foreach (var layer in model.Modules.OfType<Conv2d>().ToArray())
            layer.TransformWeight(new ScaledStandardizedWeight(layer, times: 2));
        model.Metadata["normalization"] = "group:8+sws";
        Refuses<InvalidOperationException>(() => model.Save(FilePath),
            "transformed by 'ScaledStandardizedWeight(scaled 2 times, standardized)'");
    }

    [Fact]
    public void A_scaled_weight_is_its_formula_and_its_gain_is_the_convolutions()
    {
        using var device = Device.Use(Device.Reference);
        var layer = new Conv2d(4, 6, 3, new RandomSource(1));
        layer.TransformWeight(new ScaledStandardizedWeight(layer));
        Assert.Equal(["weight", "bias", "gain"], layer.State.Select(parameter => parameter.Name));
        layer.State[2].Value = Random(2, 6);
        var weight = layer.Weight.Value;
        var (mean, variance) = (weight.Mean([0, 1, 2]), weight.Variance([0, 1, 2]));
        Same((layer.State[2].Value * (weight - mean) / (Math.Sqrt(36) * (variance + 1e-5).Sqrt())).ToDoubles(),
            layer.UsedWeight.ToDoubles(), 1e-12);
        Refuses<ArgumentException>(() => layer.TransformWeight(new ScaledStandardizedWeight(layer)),
            "transformed already");
        Refuses<ArgumentException>(() => layer.StandardizeWeights(), "transformed already, by 'sws'");
    }

    [Fact]
    public void An_activation_of_its_own_is_not_followed_by_another_in_a_model_nor_in_its_file()
    {
        var model = new ModelSpec("wrn10-1", "evo-s0", Classes: 2).Build(seed: 1);
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            model.Apply(tape.Watch(Images(1, 2)));
            Assert.DoesNotContain("relu", tape.Print());
        }
        var exporter = new OnnxExporter();
        exporter.Write(FilePath, model, new Shape(6, 5, 3));
        Assert.DoesNotContain("Relu", System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(FilePath)));
        // what an exporter is told counts
        exporter.Define<EvoNormS0>((graph, _, x) => graph.Add("Softplus", [x]));
        exporter.Write(FilePath, model, new Shape(6, 5, 3));
        Assert.DoesNotContain("Sigmoid", System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(FilePath)));
    }

    // That the nodes compute the same is in OnnxRuntimeTests.
    [Theory]
    [MemberData(nameof(Names))]
    public void Are_exported_by_nodes_of_their_own_or_refused_in_a_line_that_says_what_to_do(string name)
    {
        var model = new ModelSpec("resnet8", name, Classes: 2).Build(seed: 1);
        var kind = model.Modules.OfType<Norm>().First().GetType();
        var error = Record.Exception(() => new OnnxExporter().Write(FilePath, model, new Shape(6, 5, 3)));
        Assert.Equal(kind.IsAssignableTo(typeof(IOnnxLayer)), error is null);
        if (error is null) return;
        Assert.Equal($"the layer bn1 is a {kind.Name}, of which it is not known what it is in ONNX. Say so before "
            + $"writing: exporter.Define<{kind.Name}>((graph, layer, x) => ...), or in the class, as an IOnnxLayer.",
            Assert.IsType<NotSupportedException>(error).Message);
    }
}
