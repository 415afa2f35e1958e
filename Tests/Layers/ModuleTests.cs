using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>Names and order, paths in errors and on the tape, hooks, the printed summary.</summary>
public sealed class ModuleTests
{
    // y = a(b(x) + 1) with a parameter before, between and after its children: the order of files must not depend on
    // that.
    private sealed class Mixed : Module
    {
        private readonly Module a, b;
        private readonly Parameter first, last;

        public Mixed()
        {
            first = Parameter("first", Tensor.Ones(new Shape(1)));
            b = Child("b", new Linear(2, 2, new RandomSource(1)));
            Kept = Parameter("kept", Tensor.Ones(new Shape(3)), trainable: false);
            a = Child("a", new Sequential(("inner", new Linear(2, 3, new RandomSource(2), bias: false))));
            last = Parameter("last", Tensor.Ones(Shape.Scalar));
        }

        public Parameter Kept { get; }

        protected override Tensor Forward(Tensor x) => a.Apply(b.Apply(x) + first) * last;
    }

    // Registers what a test gives it.
    private sealed class Holder : Module
    {
        public T Add<T>(string name, T module) where T : Module => Child(name, module);

        public Parameter AddParameter(string name, int[]? fileAxes = null) =>
            Parameter(name, Tensor.Ones(new Shape(2, 3)), fileAxes: fileAxes);

        protected override Tensor Forward(Tensor x) => x;
    }

    [Fact]
    public void OwnParametersComeFirstThenThoseOfTheChildrenInOrder()
    {
        var model = new Mixed();
        Assert.Equal(["first", "kept", "last", "b.weight", "b.bias", "a.inner.weight"],
            model.State.Select(parameter => parameter.Name));
        Assert.Equal(["first", "last", "b.weight", "b.bias", "a.inner.weight"],
            model.Parameters.Select(parameter => parameter.Name));
        Assert.Equal(["b", "a"], model.Children.Select(child => child.Name));
        Assert.Equal(["", "b", "a", "a.inner"], model.Modules.Select(module => module.Path));
        Assert.Equal(["", "b", "a", "inner"], model.Modules.Select(module => module.Name));
    }

    [Fact]
    public void NamesGrowWithEveryParent()
    {
        var linear = new Linear(1, 1, new RandomSource(1));
        Assert.Equal("weight", linear.Weight.Name);
        var inner = new Sequential(("fc", linear));
        Assert.Equal("fc.weight", linear.Weight.Name);
        _ = new Sequential(new Relu(), new Sequential(("", inner)));   // an empty name adds nothing
        Assert.Equal("1.fc.weight", linear.Weight.Name);
        Assert.Equal("1.fc", linear.Path);
    }

    [Fact]
    public void AFrozenParameterIsNotTrainedButKept()
    {
        var model = new Mixed();
        model.Parameters.Single(parameter => parameter.Name == "b.weight").IsTrainable = false;
        Assert.DoesNotContain("b.weight", model.Parameters.Select(parameter => parameter.Name));
        Assert.Contains("b.weight", model.State.Select(parameter => parameter.Name));
    }

    [Fact]
    public void ImpossibleRegistrationsAreRefused()
    {
        void Refused(string what, Action<Holder> register) =>
            Assert.Contains(what, Assert.ThrowsAny<ArgumentException>(() => register(new Holder())).Message);
        Refused("'x' is given twice", holder => { holder.Add("x", new Relu()); holder.Add("x", new Relu()); });
        Refused("'x' is given twice", holder => { holder.AddParameter("x"); holder.AddParameter("x"); });
        Refused("'a.b' contains a dot", holder => holder.Add("a.b", new Relu()));
        Refused("'a.b' contains a dot", holder => holder.AddParameter("a.b"));
        Refused("has no name", holder => holder.AddParameter(""));
        Refused("already belongs to a module", holder =>
            { var relu = new Relu(); holder.Add("x", relu); holder.Add("y", relu); });
        Refused("cannot contain itself", holder => holder.Add("x", holder));
        Refused("cannot contain itself", holder => holder.Add("x", new Holder()).Add("y", holder));
        Refused("axis 0 is named twice", holder => holder.AddParameter("x", [0, 0]));
        Refused("does not name each of the 2 axes", holder => holder.AddParameter("x", [0]));
    }

    [Fact]
    public void ALayerAppliedTwiceLearnsFromBoth()
    {
        var layer = new Linear(1, 1, new RandomSource(1), bias: false);
        layer.Weight.Value = Tensor.From([3.0], new Shape(1, 1));
        using var tape = Tape.Training(new RandomSource(1));
        var gradients = tape.Gradients(layer.Apply(layer.Apply(Tensor.From([5.0], new Shape(1, 1)))).Sum());
        Assert.Equal(30, gradients[layer.Weight].ToDouble());   // y = 5 w^2, dy/dw = 10 w
        Assert.Single(gradients.Parameters);
    }

    [Fact]
    public void HooksSeeEveryLayerAfterItsChildren()
    {
        var model = new Mixed();
        var seen = new List<(string, Shape)>();
        foreach (var module in model.Modules)
            module.AfterApply += (layer, output) => seen.Add((layer.Path, output.Shape));
        var y = model.Apply(Tensor.Ones(new Shape(4, 2)));
        Assert.Equal([("b", new Shape(4, 2)), ("a.inner", new Shape(4, 3)), ("a", new Shape(4, 3)), ("", y.Shape)],
            seen);
    }

    [Fact]
    public void AHookReceivesTheOutputItself()
    {
        var layer = new Relu();
        Tensor? seen = null;
        layer.AfterApply += (_, output) => seen = output;
        Assert.Same(layer.Apply(Tensor.Ones(new Shape(2))), seen);
    }

    [Fact]
    public void ErrorsAndRecordsNameTheLayer()
    {
        var model = new Mixed();
        var error = Assert.Throws<ShapeException>(() => model.Apply(Tensor.Ones(new Shape(4, 3))));
        Assert.Equal("linear: made for inputs [.., 2], given [4, 3]. (in layer b)", error.Message);
        Assert.Null(LayerContext.Current);   // left, although Forward threw
        using var tape = Tape.Training(new RandomSource(1));
        model.Apply(Tensor.Ones(new Shape(4, 2)));
        Assert.Matches(@"matrix product +a\.inner +\[4, 3\]", tape.Print());
    }

    // A layer remembers the context that it entered last, which another place or name must not get.
    [Fact]
    public void RecordsNameThePlaceWhereALayerIsAppliedNow()
    {
        var layer = new Linear(2, 3, new RandomSource(1));
        Assert.Equal(["", "", "here", "here", "there", ""], ((string[])["", "", "here", "here", "there", ""])
            .Select(Place));
        new Holder().Add("fc", layer);
        Assert.Equal(["fc", "here.fc"], ((string[])["", "here"]).Select(Place));

        string Place(string around)
        {
            using var outer = around == "" ? null : LayerContext.Enter(around);
            using var tape = Tape.Evaluating();
            LayerContext? heard = null;
            tape.Observer = e => heard = e.Layer;
            layer.Apply(Tensor.Ones(new Shape(1, 2)));
            return $"{heard}";
        }
    }

    [Fact]
    public void TheSummaryIsATable()
    {
        var model = new Sequential(("conv", new Conv2d(3, 8, 3, new RandomSource(1), padding: 1, bias: false)),
            ("norm", new BatchNorm(8)),
            ("relu", new Relu()), ("pool", new GlobalAveragePool()), ("fc", new Linear(8, 1000, new RandomSource(2))));
        // 3 * 3 * 3 * 8 = 216; 8 + 8 learned and 8 + 8 kept; 8 * 1000 + 1000 = 9000; 216 + 16 + 9000 = 9232.
        Assert.Equal("""
            path  layer                                                             parameters                                               count
                  Sequential
            conv  Conv2d(3 -> 8, kernel 3, padding 1, no bias)                      weight [3, 3, 3, 8]                                        216
            norm  BatchNorm(batch, 8 channels, eps 1e-5, new weight 0.1, unbiased)  weight [8], bias [8], running_mean [8], running_var [8]     32
            relu  Relu
            pool  GlobalAveragePool
            fc    Linear(8 -> 1000)                                                 weight [8, 1000], bias [1000]                            9,000
            9,232 trainable parameters, 16 numbers that are kept but not trained

            """, model.Summary());
    }
}
