using System.Reflection;
using System.Reflection.Emit;
using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>What another assembly brings is found once, in an order that does not depend on the compiler, and refused
/// whole where it cannot be told by its name.</summary>
public sealed class CatalogueTests
{
    // ---- entries of these tests' own ----------------------------------------------------------------------------

    internal sealed record Entry(string Name);

    internal static class Second
    {
        public static Entry Info { get; } = new("second");
    }

    internal static class First
    {
        public static Entry Info { get; } = new("first");

        public static string Other => "no entry";
    }

    // Which type it is of is not said, so it has no entry.
    internal static class Open<T>
    {
        public static Entry Info { get; } = new(typeof(T).Name);
    }

    [Fact]
    public void Entries_are_found_once_in_the_order_of_their_classes_names()
    {
        var (catalogue, seen) = (new Catalogue<Entry>(), new List<string>());
        Assert.Empty(catalogue.All);
        for (var time = 0; time < 2; time++)
            catalogue.All = catalogue.With(typeof(CatalogueTests).Assembly, (carrier, entry, known) =>
                seen.Add($"{carrier.Name} {entry.Name} after {known.Length}"));
        Assert.Equal(["first", "second"], catalogue.All.Select(entry => entry.Name));
        Assert.Equal(["First first after 0", "Second second after 1"], seen);
    }

    [Fact]
    public void An_entry_that_is_refused_leaves_none()
    {
        var catalogue = new Catalogue<Entry>();
        Assert.Throws<ArgumentException>(() => catalogue.With(typeof(CatalogueTests).Assembly,
            (_, entry, _) => Catalogue<Entry>.CheckName(entry.Name == "second" ? "" : entry.Name)));
        Assert.Empty(catalogue.All);
    }

    [Theory]
    [InlineData("group:8", true)]
    [InlineData("", false)]
    [InlineData(",a", false)]
    [InlineData("a=b", false)]
    [InlineData("group:8+ws", false)]
    [InlineData("a ", false)]
    public void A_name_that_others_can_be_made_of_has_none_of_their_signs(string name, bool isOne)
    {
        if (isOne) Catalogue<Entry>.CheckName(name);
        else Refuses<ArgumentException>(() => Catalogue<Entry>.CheckName(name), $"the name '{name}' is empty, or");
    }

    // ---- what cannot be registered ------------------------------------------------------------------------------

    // An assembly with a class for each entry, which carries it, as another's package has.
    private static Assembly AssemblyWith(params object[] infos) => AssemblyWith(typeof(object), infos);

    private static Assembly AssemblyWith(Type parent, params object[] infos)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Brought"), AssemblyBuilderAccess.Run);
        var module = assembly.DefineDynamicModule("Brought");
        foreach (var (i, info) in infos.Index())
        {
            var type = module.DefineType($"Carrier{i}", TypeAttributes.Public, parent);
            var field = type.DefineField("info", info.GetType(), FieldAttributes.Public | FieldAttributes.Static);
            var getter =
                type.DefineMethod("get", MethodAttributes.Public | MethodAttributes.Static, info.GetType(), []);
            var body = getter.GetILGenerator();
            body.Emit(OpCodes.Ldsfld, field);
            body.Emit(OpCodes.Ret);
            type.DefineProperty("Info", PropertyAttributes.None, info.GetType(), null).SetGetMethod(getter);
            type.CreateType().GetField("info")!.SetValue(null, info);
        }
        return assembly;
    }

    private static NormalizationInfo Info(Func<string, Func<int, Norm>?> parse, params string[] examples) =>
        new("brought", parse) { Examples = examples, Formula = "x", Paper = "none" };

    [Fact]
    public void A_normalization_that_is_not_made_by_its_name_is_refused_and_none_is_added()
    {
        var before = Normalizations.All;
        void Refused(NormalizationInfo info, string words) =>
            Refuses<ArgumentException>(() => Normalizations.Register(AssemblyWith(info)), words);
        Refused(Info(name => channels => new LayerNorm(channels), "layer"), "there is a normalization 'layer' already");
        Refused(Info(name => null, "brought,twice"), "the name 'brought,twice' is empty, or contains one of");
        const string NoLayer = "the example 'brought' in Carrier0 makes no layer whose Variant is this name";
        Refused(Info(name => null, "brought"), NoLayer);
        Refused(Info(name => name == "brought" ? channels => new LayerNorm(channels) : null, "brought"), NoLayer);
        Assert.Equal(before, Normalizations.All.Take(before.Count));
        Assert.False(Normalizations.IsKnown("brought"));
    }

    private static WeightTransformInfo Transform(string example, string made = "") =>
        new("brought", name => name == example && made != "" ? layer => new Halved(made, "by 2") : null)
        {
            Examples = [example],
            Formula = "W",
            Paper = "none",
        };

    [Fact]
    public void A_weight_transform_whose_name_is_taken_or_none_is_refused()
    {
        static void Refused(string example, string words) => Refuses<ArgumentException>(() =>
            Normalizations.Register(AssemblyWith(Transform(example, made: "halved"))), words);
        Refused("ws", "there is a weight transform 'ws' already");
        Refused("w s", "the name 'w s' is empty, or contains one of");
        Refused("brought", "the example 'brought' in Carrier0 makes no layer whose Variant is this name");
        Assert.False(WeightTransforms.IsKnown("w s"));
    }

    [Fact]
    public void One_transform_for_two_convolutions_is_refused_before_either_has_it()
    {
        var shared = new Halved("shared", "by 2");
        Normalizations.Register(AssemblyWith(
            new WeightTransformInfo("shared", name => name == "shared" ? _ => shared : null)
            {
                Examples = ["shared"],
                Formula = "W / 2",
                Paper = "none",
            }));
        Conv2d[] layers = [.. Enumerable.Range(0, 2).Select(i => new Conv2d(2, 2, 3, new RandomSource(i)))];
        Refuses<ArgumentException>(() => new Sequential(layers).TransformWeights("shared"), "each needs its own");
        Assert.All(layers, layer => Assert.Null(layer.WeightTransform));
        layers[0].TransformWeights("shared");
        Assert.Same(shared, layers[0].WeightTransform);
    }

    /// <summary>A normalization as it should be brought.</summary>
    public class Brought(int channels) : Norm(channels, new Sharing(Batch: false, Positions: true, Groups: 1))
    {
        /// <summary>As a subclass makes it.</summary>
        public Brought() : this(1) { }

        /// <inheritdoc/>
        public override string Variant => "brought";
    }

    private static NormalizationInfo Right =>
        Info(name => name == "brought" ? channels => new Brought(channels) : null, "brought");

    [Fact]
    public void Of_two_that_have_one_name_neither_is_added()
    {
        Refuses<ArgumentException>(() => Normalizations.Register(AssemblyWith(Right, Right)),
            "there is a normalization 'brought' already");
        Refuses<ArgumentException>(() => Normalizations.Register(AssemblyWith(Transform("brought", "brought"),
            Transform("brought", "brought"))), "there is a weight transform 'brought' already");
        Assert.False(Normalizations.IsKnown("brought") || WeightTransforms.IsKnown("brought"));
    }

    [Fact]
    public void All_of_an_assembly_is_added_or_nothing()
    {
        foreach (var infos in (object[][])[[Right, Transform("brought")], [Transform("brought", "brought"),
            Info(name => null, "brought")]])
            Assert.ThrowsAny<ArgumentException>(() => Normalizations.Register(AssemblyWith(infos)));
        Assert.False(Normalizations.IsKnown("brought") || WeightTransforms.IsKnown("brought"));
    }

    [Fact]
    public void A_normalization_that_carries_the_entry_of_another_is_refused()
    {
        Refuses<ArgumentException>(() => Normalizations.Register(AssemblyWith(typeof(Brought), Right)),
            "the example 'brought' in Carrier0 makes a Brought");
        Assert.False(Normalizations.IsKnown("brought"));
    }

    // ---- names of what no name makes ----------------------------------------------------------------------------

    private sealed class Halved(string variant, string settings) : WeightTransform
    {
        public override string Variant => variant;

        public override string Settings => settings;

        protected override Tensor Forward(Tensor weight) => weight * 0.5;
    }

    [Theory]
    [InlineData("ws", "standardized", "Halved(standardized)")]   // all but the type
    [InlineData("halved", "by 2", "Halved(by 2)")]
    public void A_transform_that_no_name_makes_is_called_by_its_type(string variant, string settings, string name)
    {
        var layer = new Conv2d(2, 3, 3, new RandomSource(1));
        Assert.Null(WeightTransforms.NameOf(layer));
        layer.TransformWeight(new Halved(variant, settings));
        Assert.Equal(name, WeightTransforms.NameOf(layer));
        var standardized = new Conv2d(2, 3, 3, new RandomSource(1));
        standardized.StandardizeWeights();
        Assert.Equal("ws", WeightTransforms.NameOf(standardized));
    }
}
