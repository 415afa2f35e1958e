using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers;

/// <summary>
/// A module has the same file wherever it hangs: its names begin at the module that is saved or loaded.
/// </summary>
public sealed class AttachedModuleTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("attached").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string PathOf(string name) => Path.Combine(folder, name);

    private static readonly Tensor Images = Tensor.Normal(new Shape(2, 8, 8, 3), new RandomSource(5)).Keep();

    private static double[][] Values(Module model) => [.. model.State.Select(parameter => parameter.Value.ToDoubles())];

    // How often each layer's statistics changed: 0 where there are none yet.
    private static long[] Counts(Module model) =>
        [.. model.Modules.OfType<Norm>().Select(layer => Math.Min(1, layer.Running?.Count ?? -1))];

    private static Module Model(string normalization, int seed, bool isTrained)
    {
        var model = new ModelSpec("resnet8", normalization, Classes: 2, Width: 4).Build(seed);
        if (!isTrained) return model;
        using var tape = Tape.Training(new RandomSource(1));
        tape.Gradients(model.Apply(Images).Square().Mean()).CommitStatistics();
        return model;
    }

    private static Module Attached(Module model, params IEnumerable<string> names)
    {
        var outer = model;
        foreach (var name in names) outer = new Sequential((name, outer));
        return model;
    }

    private static readonly Gen<(string Normalization, string[] Names, bool IsTrained)> Cases =
        from normalization in Gen.Elements("batch", "group:4+ws", "layer1=batch,*=group:4", "layer2.0=layer,*=batch+ws")
        from names in Gen.Elements("", "net", "layer1", "backbone").ArrayOf()
        from isTrained in Gen.Elements(true, false)
        select (normalization, names.Take(3).ToArray(), isTrained);

    [Fact]
    public void A_file_is_the_same_wherever_its_model_hangs_and_fits_it_there() =>
        Prop.ForAll(Cases.ToArbitrary(), drawn =>
        {
            using var device = Device.Use(Device.Cpu);   // FsCheck's thread may be another one
            var (normalization, names, isTrained) = drawn;
            var (alone, attached) = (Model(normalization, 1, isTrained),
                Attached(Model(normalization, 1, isTrained), names));
            alone.Save(PathOf("alone.safetensors"));
            attached.Save(PathOf("attached.safetensors"));
            Assert.Equal(File.ReadAllBytes(PathOf("alone.safetensors")),
                File.ReadAllBytes(PathOf("attached.safetensors")));
            Assert.Equal(Values(alone), Values(ModelSpec.Rebuild(PathOf("attached.safetensors"))));

            var other = Attached(Model(normalization, 2, isTrained: true), names);
            other.Load(PathOf("alone.safetensors"));
            Assert.Equal(Values(alone), Values(other));
            Assert.Equal(Counts(alone), Counts(other));

            StateDict.Save(attached, PathOf("attached.npz"));
            Assert.Equal(ArrayFile.Read(PathOf("alone.safetensors")).Select(array => array.Name),
                ArrayFile.Read(PathOf("attached.npz")).Select(array => array.Name));
            var third = Attached(Model(normalization, 3, isTrained), names);
            var report = StateDict.Load(third, PathOf("attached.npz"));
            Assert.Equal(("", true), (report.Prefix, report.IsComplete));
            Assert.Equal(Values(alone), Values(third));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(30));

    [Fact]
    public void A_part_of_a_model_is_saved_by_its_own_names()
    {
        Module Part(Module model) => model.Modules.First(layer => layer.Path == "layer2.0");
        var (model, other) = (Model("batch", 1, isTrained: true), Model("batch", 2, isTrained: false));
        Part(model).Save(PathOf("part.safetensors"));
        Assert.Equal("conv1.weight", ArrayFile.Read(PathOf("part.safetensors"))[0].Name);
        Part(other).Load(PathOf("part.safetensors"));
        Assert.Equal(Values(Part(model)), Values(Part(other)));
        // One that is all of what is saved has no name in it.
        var norm = other.Modules.OfType<BatchNorm>().First();
        norm.Save(PathOf("norm.safetensors"));
        norm.RunningMean.Value = Tensor.Ones(norm.RunningMean.Shape);
        norm.Load(PathOf("norm.safetensors"));
        Assert.Equal(0, norm.Running!.Count);
    }

    // An affine beside the usual one, with a name.
    private sealed class Twice : Norm
    {
        private readonly Affine second;

        public Twice(int channels) : base(channels, new Sharing(Batch: false, Positions: true, Groups: 1)) =>
            second = Child("second", new Affine(channels));

        protected override Tensor Normalize(Tensor x) => second.Apply(S.Center(x));
    }

    [Fact]
    public void What_belongs_to_a_layer_by_a_name_keeps_it()
    {
        var model = Attached(new Sequential(("norm", new Twice(3))), "net");
        model.Save(PathOf("twice.safetensors"));
        Assert.Equal(["norm.weight", "norm.bias", "norm.second.weight", "norm.second.bias"],
            ArrayFile.Read(PathOf("twice.safetensors")).Select(array => array.Name));
    }

    [Fact]
    public void Weights_that_are_no_numbers_are_named_as_the_file_names_them()
    {
        var model = Attached(new Sequential(("fc", new Linear(1, 2, new RandomSource(1)))), "net");
        model.State[1].Value = Tensor.Full(new Shape(2), double.NaN);
        StateDict.Save(model, PathOf("odd.npz"));
        using var notices = HeardNotices.BeginningWith(PathOf("odd.npz"));
        StateDict.Load(model, PathOf("odd.npz"));
        Assert.Contains("NaN: fc.bias.", Assert.Single(notices.All));
    }
}
