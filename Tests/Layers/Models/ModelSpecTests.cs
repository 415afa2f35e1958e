using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Models;

/// <summary>One record that parses, prints, builds and counts; and mixtures of normalizations.</summary>
public sealed class ModelSpecTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("models").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    [Fact]
    public void ArchitecturesAreKnownByName()
    {
        string[] known = ["vgg", "fast", "resnet8", "resnet18", "resnet20", "resnet32", "resnet110", "resnet1202"];
        Assert.All(known, name => Assert.True(ModelSpec.IsArchitecture(name)));
        string[] unknown = ["", "VGG", "resnet", "resnet2", "resnet21", "resnet-20", "resnet 20", "resnet20 ",
            "resnet020", "wrn016-4", "wrn16-04", "resnet1208", "alexnet"];
        Assert.All(unknown, name => Assert.False(ModelSpec.IsArchitecture(name)));
        foreach (var (spec, what) in ((ModelSpec, string)[])[(new("alexnet", "none"), "no architecture 'alexnet'"),
            (new("vgg", "none", ZeroGamma: true), "vgg has neither"),
            (new("vgg", "none", Width: 8), "vgg has neither")])
            Assert.Contains(what, Assert.Throws<ArgumentException>(() => spec.Build(seed: 1)).Message);
    }

    private static readonly string[] Named = ["batch", "batch:keras", "layer", "layer:position", "instance", "group:4",
        "size:4", "none"];

    private static readonly Gen<ModelSpec> Specs =
        from architecture in Gen.Elements("resnet8", "resnet14", "wrn10-1")
        from normalization in Gen.Elements(Named)
        from standardized in Gen.Elements(true, false)
        from classes in Gen.Choose(1, 12)
        from inputs in Gen.Choose(1, 4)
        from width in Gen.Elements(4, 8, 16)
        from zeroGamma in Gen.Elements(true, false)
        let widths = architecture.StartsWith("resnet", StringComparison.Ordinal)
        let suffix = standardized && normalization != "none" ? "+ws" : ""
        select new ModelSpec(architecture, normalization + suffix, classes, inputs, widths ? width : 16,
            widths && normalization != "none" && zeroGamma);

    [Fact]
    public void What_is_printed_is_parsed_and_what_is_built_says_what_it_is_and_has_as_many_weights() =>
        Prop.ForAll(Specs.ToArbitrary(), spec =>
        {
            Assert.Equal(spec, ModelSpec.Parse(spec.ToString()));
            var model = spec.Build(seed: 1);
            Assert.Equal(spec, ModelSpec.Of(model));
            Assert.Equal(spec.CountWeights(), model.State.Where(parameter => parameter.Shape.Rank > 1)
                .Sum(parameter => (double)parameter.Count));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(30));

    [Theory]
    [InlineData("resnet18", 1)]
    [InlineData("vgg", 3)]
    [InlineData("fast", 2)]
    public void The_large_ones_are_counted_too(string architecture, int inputs)
    {
        var spec = new ModelSpec(architecture, "layer", Classes: 7, Inputs: inputs);
        Assert.Equal(spec.CountWeights(),
            spec.Build(seed: 1).State.Where(parameter => parameter.Shape.Rank > 1)
            .Sum(parameter => (double)parameter.Count));
    }

    [Theory]
    [InlineData("", "does not say its architecture")]
    [InlineData("architecture=resnet8 normalization=batch", "does not say its classes")]
    [InlineData("architecture=resnet8 normalization=batch classes=2 classes=3", "classes is said twice")]
    [InlineData("resnet8", "what is 'resnet8'")]
    [InlineData("architecture=resnet8 normalization=batch classes=2 format_version=2", "what is 'format_version=2'")]
    [InlineData("architecture=resnet8 normalization=batsch classes=2", "normalization 'batsch' has no name here")]
    public void A_line_that_says_something_else_is_refused(string line, string what) =>
        Assert.Contains(what, Assert.Throws<FormatException>(() => ModelSpec.Parse(line)).Message);

    /// <summary>
    /// Whatever the layers' normalizations, a file gives back what was saved, to the bit, or says that it cannot.
    /// </summary>
    [Fact]
    public void A_file_gives_back_what_was_saved_or_says_why_not() =>
        Prop.ForAll((from spec in Specs from seed in Gen.Choose(0, int.MaxValue) select (spec, seed)).ToArbitrary(),
            drawn =>
        {
            var (spec, seed) = drawn;
            var random = new Random(seed);
            var anonymous = random.Next(3) == 0;
            Norm? Draw(int channels) => random.Next(anonymous ? 3 : 2) switch
            {
                0 => Normalizations.Parse(spec.Normalization.Replace("+ws", ""))(channels),
                1 => random.Next(5) == 0 ? null : Normalizations.Parse(Named[random.Next(Named.Length)])(channels),
                _ => new GroupNorm(channels, GroupSpec.Count(4), eps: 1e-3),
            };
            using var device = Device.Use(Device.Cpu);
            var model = spec.Architecture == "wrn10-1" ? WideResNet.Cifar(10, 1, Draw, spec.Classes, 1, spec.Inputs)
                : ResNet.Cifar(spec.Architecture == "resnet8" ? 8 : 14, Draw, spec.Classes, 1, width: spec.Width,
                    inputs: spec.Inputs);
            var standardized = spec.Normalization.EndsWith("+ws", StringComparison.Ordinal);
            if (standardized && model.Metadata["normalization"] != "none") model.StandardizeWeights();
            var named = model.Modules.OfType<GroupNorm>().All(norm => norm.Eps != 1e-3);
            var x = Tensor.Normal(new Shape(2, 9, 8, spec.Inputs), new RandomSource(3));
            using (var tape = Tape.Training(new RandomSource(4)))
                tape.Gradients(model.Apply(x).Square().Mean()).CommitStatistics();
            model.Save(FilePath);
            if (!named)
            {
                Assert.Contains("has no name here",
                    Assert.Throws<InvalidDataException>(() => ModelSpec.Rebuild(FilePath)).Message);
                return;
            }
            var rebuilt = ModelSpec.Rebuild(FilePath);
            Assert.Equal(model.Apply(x).ToFloats(), rebuilt.Apply(x).ToFloats());
            Assert.Equal(model.Summary(), rebuilt.Summary());
            Assert.Equal(model.Metadata, rebuilt.Metadata);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void A_mixture_is_called_by_the_parts_that_differ()
    {
        static string NameOf(int depth, Func<int, Norm?> make) =>
            ResNet.Cifar(depth, make, 10, 1).Metadata["normalization"];
        Assert.Equal("layer3=group:8,*=group:4",
            NameOf(8, channels => new GroupNorm(channels, GroupSpec.Count(channels < 64 ? 4 : 8))));
        Assert.Equal("layer2=instance,layer3=layer,*=batch", NameOf(14, channels => channels switch
        {
            16 => new BatchNorm(channels),
            32 => new InstanceNorm(channels),
            _ => new LayerNorm(channels),
        }));
        var made = 0;
        Assert.Equal("bn1=none,*=layer", NameOf(8, channels => ++made == 1 ? null : new LayerNorm(channels)));
        made = 0;
        Assert.Equal("layer1.0.bn2=layer,*=batch",
            NameOf(8, channels => ++made == 3 ? new LayerNorm(channels) : new BatchNorm(channels)));
        // One that no name makes is no rule for anything: it is called by its settings.
        made = 0;
        var name = NameOf(8, channels => ++made == 3 ? new LayerNorm(channels, eps: 1e-3) : new BatchNorm(channels));
        Assert.Equal("layer1.0.bn2=LayerNorm(layer, eps 1e-3),*=batch", name);
        Assert.False(ModelSpec.IsNormalization(name));
    }

    [Theory]
    [InlineData("layer1=batch,*=group:8", "layer1.0.bn1 layer1.0.bn2 layer1.1.bn1 layer1.1.bn2")]
    [InlineData("*.0.bn1=batch,*=group:8", "layer1.0.bn1 layer2.0.bn1 layer3.0.bn1")]
    [InlineData("bn1=batch,*=group:8", "bn1")]
    [InlineData("layer*.1=batch,*=group:8",
        "layer1.1.bn1 layer1.1.bn2 layer2.1.bn1 layer2.1.bn2 layer3.1.bn1 layer3.1.bn2")]
    [InlineData("layer2.0=group:8,layer2=batch,*=group:8+ws", "layer2.1.bn1 layer2.1.bn2")]
    public void The_first_pattern_decides_that_begins_a_layers_path(string text, string batch)
    {
        var model = new ModelSpec("resnet14", text).Build(seed: 1);
        Assert.Equal(batch, string.Join(' ', model.Modules.OfType<BatchNorm>().Select(norm => norm.Path)));
        Assert.Equal(13, model.Modules.Count(layer => layer is BatchNorm or GroupNorm));
        foreach (var layer in model.Modules.OfType<Conv2d>())
            Assert.Equal(text.EndsWith("+ws") && !layer.Path.StartsWith("layer2"),
                layer.WeightTransform is StandardizedWeight);
        model.Save(FilePath);   // it is what it says
    }

    [Theory]
    [InlineData("layer1=batch", "what all other layers have")]
    [InlineData("*=group:8,layer1=batch", "what all other layers have")]
    [InlineData("layer1=batsch,*=batch", "no normalization 'batsch'")]
    [InlineData("layer1=batch,*=batch,", "no normalization ''")]
    [InlineData("group:8,batch", "no layer's path")]
    [InlineData("layer1.=batch,*=layer", "no layer's path")]
    [InlineData("layer 1=batch,*=layer", "no layer's path")]
    [InlineData("=batch,*=layer", "no layer's path")]
    [InlineData("layer4=batch,*=layer", "no layer is left for 'layer4'")]
    [InlineData("layer1=batch,layer1.0.bn1=layer,*=layer", "no layer is left for 'layer1.0.bn1'")]
    [InlineData("none+ws", "not for none")]
    [InlineData("Layer1=batch,*=group:8", "no layer is left for 'Layer1'")]
    public void A_mixture_that_says_something_else_is_refused(string text, string what) =>
        Assert.Contains(what,
            Assert.Throws<ArgumentException>(() => new ModelSpec("resnet8", text).Build(seed: 1)).Message);

    // Called as another one is.
    private sealed class Impostor : WeightTransform
    {
        public override string Variant => "ws";

        public override string Settings => "standardized";

        protected override Tensor Forward(Tensor weight) => weight * 2;
    }

    [Fact]
    public void A_model_that_is_not_what_it_says_is_not_saved()
    {
        Module Model() => new ModelSpec("resnet8", "group:8").Build(seed: 1);
        void Refuses(Module model, string what)
        {
            Assert.Contains(what, Assert.Throws<InvalidOperationException>(() => model.Save(FilePath)).Message);
            Assert.False(File.Exists(FilePath));
        }
        var model = Model();
        model.Modules.First(layer => layer.Path == "layer2.0.conv1").StandardizeWeights();
        Refuses(model, "the weight of layer2.0.conv1 is transformed by 'ws'");
        model = Model();
        foreach (var layer in model.Modules.OfType<Conv2d>().ToArray()) layer.TransformWeight(new Impostor());
        model.Metadata["normalization"] = "group:8+ws";
        Refuses(model, "transformed by 'Impostor(standardized)'");
        foreach (var other in (string[])["layer", "layer3=batch,*=group:8", "group:4", "size:2", "group:5"])
        {
            model = Model();
            model.Metadata["normalization"] = other;
            Refuses(model, $"is '{other}', but ");
        }
        var depthwise = new Conv2d(3, 3, 1, new RandomSource(1), groups: 3);
        depthwise.TransformWeight(new Impostor());
        Refuses(new Sequential(depthwise) { Metadata = { ["architecture"] = "own", ["normalization"] = "batch+ws" } },
            "the weight of 0 is transformed by 'Impostor(standardized)'");
        model.Metadata["normalization"] = "a name of my own";   // nothing is built from it
        model.Save(FilePath);
    }
}
