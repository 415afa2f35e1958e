using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>
/// Every parameter has a name of its own in a file, whatever was registered where and in which order.
/// </summary>
public sealed class RegistrationTests
{
    private sealed class Holder : Module
    {
        public List<string> Own { get; } = [];

        public Module? Around { get; set; }

        public void Add(string name, Module module) => Child(name, module);

        public void AddParameter(string name)
        {
            Parameter(name, Tensor.Scalar(1));
            Own.Add(name);
        }

        protected override Tensor Forward(Tensor x) => x;
    }

    private sealed record Registration(int To, bool OfParameter, string Name, int Other);

    private static readonly Gen<Registration[]> Courses =
        (from to in Gen.Choose(0, 5)
         from ofParameter in Gen.Elements(true, false)
         from name in Gen.Elements("", "", "a", "b")
         from other in Gen.Choose(0, 5)
         select new Registration(to, ofParameter, name, other)).ArrayOf(14);

    [Fact]
    public void Only_a_name_that_would_stand_twice_in_a_file_is_refused_and_nothing_is_changed_then() =>
        Prop.ForAll(Courses.ToArbitrary(), course =>
        {
            Holder[] holders = [.. Enumerable.Range(0, 6).Select(_ => new Holder())];
            foreach (var (to, ofParameter, name, other) in course)
            {
                var (holder, module) = (holders[to], holders[other]);
                if (ofParameter ? name == "" : module.Around is not null || Outermost(holder) == module) continue;
                string[] added = ofParameter ? [name] : name == "" ? [.. Names(module)] : [$"{name}."];
                var (clashes, before) = (Names(Shared(holder)).Intersect(added).Any(), Print(holders));
                try
                {
                    if (ofParameter) holder.AddParameter(name);
                    else
                    {
                        holder.Add(name, module);
                        module.Around = holder;
                    }
                    Assert.False(clashes);
                }
                catch (ArgumentException error)
                {
                    Assert.True(clashes, error.Message);
                    Assert.Contains("is given twice", error.Message);
                    Assert.Equal(before, Print(holders));
                }
                foreach (var each in holders)
                {
                    var names = each.State.Select(parameter => parameter.Name).ToArray();
                    Assert.Equal(names.Distinct(), names);
                }
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    // What the names in a file begin with: of parameters, of children, and of what a child without a name lends.
    private static IEnumerable<string> Names(Module module) =>
        [.. ((Holder)module).Own, .. module.Children.SelectMany(child =>
            child.Name == "" ? Names(child) : [$"{child.Name}."])];

    // The module in whose names those of another stand.
    private static Module Shared(Holder holder) =>
        holder is { Name: "", Around: Holder around } ? Shared(around) : holder;

    private static Module Outermost(Holder holder) => holder.Around is Holder around ? Outermost(around) : holder;

    private static string Print(Holder[] holders) => string.Join('\n', holders.Select(holder =>
        $"{holder.Path}: {string.Join(' ', holder.State.Select(parameter => parameter.Name))}; "
        + string.Join(' ', holder.Children.Select(child => $"{child.Name}={Array.IndexOf(holders, child)}"))));

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\u0001")]
    public void A_name_that_no_file_holds_is_refused(string name)
    {
        Worked.Refuses<ArgumentException>(() => new Holder().AddParameter(name), "control character");
        Worked.Refuses<ArgumentException>(() => new Holder().Add(name, new Relu()), "control character");
    }

    [Fact]
    public void A_layer_that_was_refused_can_be_registered_elsewhere()
    {
        var (holder, linear) = (new Holder(), new Linear(1, 1, new RandomSource(1)));
        holder.AddParameter("bias");
        Worked.Refuses<ArgumentException>(() => holder.Add("", linear), "'bias' is given twice in Holder");
        Assert.Equal(["weight", "bias"], linear.State.Select(parameter => parameter.Name));
        holder.Add("fc", linear);
        Assert.Equal(["bias", "fc.weight", "fc.bias"], holder.State.Select(parameter => parameter.Name));
    }
}
