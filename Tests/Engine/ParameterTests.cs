using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>The one mutable thing: values that were taken before an update refuse to be read after it.</summary>
public sealed class ParameterTests : EngineTest
{
    private readonly struct Subtracting : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T>
        {
            parameter -= gradient;
            first += T.One;
            second += T.Of(2);
        }
    }

    private static void AssertUpdated(Tensor old, string name) =>
        Throws<InvalidOperationException>(() => old.ToDoubles(), $"{name} was updated", "forward pass");

    [Fact]
    public void A_parameter_copies_its_initial_value()
    {
        Parameter p;
        using (new Scope()) p = new Parameter("p", Vector(1, 2).Reshape(2, 1));
        Assert.Equal(new Shape(2, 1), p.Shape);
        Assert.Equal(2, p.Count);
        Assert.True(p.IsTrainable);
        Assert.Same(Device.Reference, p.Device);
        Near([1, 2], p.Value);
        Assert.StartsWith("p: Tensor [2, 1]", $"{p}");
    }

    [Fact]
    public void Setting_copies_and_older_tensors_refuse()
    {
        var p = new Parameter("conv1.weight", Vector(1, 2));
        var old = p.Value;
        var view = old.Reshape(1, 2);
        var source = Vector(3, 4);
        p.Value = source;
        Near([3, 4], p.Value);
        AssertUpdated(old, "conv1.weight");
        Throws<InvalidOperationException>(() => view.ToDoubles(), "was updated", "[1, 2]");
        Assert.Contains("updated", $"{old}");
        Near([3, 4], source);
        Assert.NotSame(source.Buffer, p.Value.Buffer);
    }

    [Fact]
    public void Setting_its_own_value_changes_nothing_and_an_older_one_is_refused()
    {
        var p = new Parameter("p", Vector(1, 2));
        var old = p.Value;
        p.Value = p.Value;
        Near([1, 2], old);
        p.Value = Vector(3, 4);
        Throws<InvalidOperationException>(() => p.Value = old, "p was updated");
        Near([3, 4], p.Value);
    }

    [Fact]
    public void What_does_not_fit_is_refused_and_nothing_has_changed()
    {
        var p = new Parameter("fc.bias", Vector(1, 2));
        Throws<ShapeException>(() => p.Value = Vector(1, 2, 3), "fc.bias", "[2]", "[3]");
        Throws<ShapeException>(() => p.Update(new Subtracting(), Vector(1, 2, 3)), "fc.bias", "[2]", "[3]");
        var (state, wide) = (new Parameter("state", Vector(0, 0)), new Parameter("wide", Vector(0, 0, 0)));
        var verdict = Tensor.Scalar(0);
        foreach (var (first, second) in (ReadOnlySpan<(Parameter?, Parameter?)>)[(wide, null), (state, wide)])
        {
            Throws<ShapeException>(() => p.Update(new Subtracting(), Vector(1, 2), first, second), "fc.bias", "a state",
                "[3]");
            Throws<ShapeException>(() => p.CheckUpdate(new Subtracting(), Vector(1, 2), first, second, verdict),
                "fc.bias", "a state", "[3]");
        }
        Throws<ShapeException>(() => p.CheckUpdate(new Subtracting(), Vector(1, 2), null, null, Vector(0, 0)),
            "fc.bias", "verdict", "[2]");
        using (Device.Use(Device.Cpu))
        {
            var elsewhere = Tensor.Ones(new(2));
            Throws<InvalidOperationException>(() => p.Update(new Subtracting(), Vector(1, 2),
                new Parameter("moved", elsewhere)), "fc.bias", "reference", "CPU");
            Throws<InvalidOperationException>(() => p.CheckUpdate(new Subtracting(), Vector(1, 2), null, null,
                Tensor.Scalar(0)), "fc.bias", "reference", "CPU");
            Throws<InvalidOperationException>(() => p.Value = elsewhere, "fc.bias", "reference", "CPU");
            Throws<InvalidOperationException>(() => p.Update(new Subtracting(), elsewhere), "fc.bias",
                "reference", "CPU");
        }
        Near([1, 2], p.Value);
    }

    [Fact]
    public void An_update_changes_parameter_and_states_and_raises_every_stamp()
    {
        var (p, first, second) = (new Parameter("p", Vector(1, 2)), new Parameter("first", Vector(0, 10)),
            new Parameter("second", Vector(0, 20)));
        var old = new[] { p.Value, first.Value, second.Value };
        p.Update(new Subtracting(), Vector(10, 100), first, second);
        Near([-9, -98], p.Value);
        Near([1, 11], first.Value);
        Near([2, 22], second.Value);
        foreach (var (tensor, name) in old.Zip(["p", "first", "second"])) AssertUpdated(tensor, name);
        p.Update(new Subtracting(), Vector(1, 1));
        Near([-10, -99], p.Value);
        Near([1, 11], first.Value);
    }

    [Fact]
    public void A_sweep_after_the_update_names_the_parameter()
    {
        var weight = new Parameter("conv1.weight", Vector(2));
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(3));
        var loss = (x * weight.Value).Sum();
        weight.Value = Vector(5);
        Throws<InvalidOperationException>(() => tape.Gradients(loss, [x]), "conv1.weight was updated",
            "before the optimizer's step");
        // computed again with the new value: 2 x w = 30
        Near([10], tape.Gradients((x * x * weight.Value).Sum(), [weight.Value, x])[1] / 3);
    }

    [Fact]
    public void A_gradient_with_respect_to_the_new_value_after_an_update()
    {
        var p = new Parameter("p", Vector(2));
        using var tape = Tape.Training(Random);
        var before = p.Value.Square();
        p.Value = Vector(3);
        var loss = p.Value.Square().Sum();
        Near([6], tape.Gradients(loss)[p]);
        Near([4], before);
    }

    [Fact]
    public void A_parameter_stands_for_its_value()
    {
        var p = new Parameter("p", Vector(2));
        Tensor value = p;
        Assert.Same(p.Value, value);
    }
}
