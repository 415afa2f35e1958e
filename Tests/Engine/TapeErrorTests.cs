using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Wrong use of the tape: each error says what happened, the likely cause, and what to do.</summary>
public sealed class TapeErrorTests : EngineTest
{
    [Fact]
    public void A_second_tape_on_the_thread_is_refused_and_the_first_goes_on()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        var y = x.Square();
        Throws<InvalidOperationException>(() => Tape.Training(Random), "already open on this thread", "2 records",
            "using var tape");
        Throws<InvalidOperationException>(() => Tape.Evaluating(), "already open");
        Assert.Same(tape, Tape.Current);
        var after = Vector(1);
        Near([4], tape.Gradients(y, [x])[0]);
        tape.Dispose();
        // the refused tapes left no scope behind: this belonged to the first one
        Throws<InvalidOperationException>(() => after.ToDoubles(), "Keep()");
    }

    [Fact]
    public void A_forgotten_tape_shows_at_once() => OnAnotherThread(() =>
    {
        ForgetATape();
        GC.Collect();
        Throws<InvalidOperationException>(() => Tape.Training(Random), "already open", "using");
    });

    [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
    private static void ForgetATape() => Tape.Training(Random);

    [Fact]
    public void Each_thread_has_a_tape_of_its_own()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        OnAnotherThread(() =>
        {
            Assert.Null(Tape.Current);
            using var device = Device.Use(Device.Reference);
            using var other = Tape.Evaluating();
            var z = other.Watch(Vector(5));
            Near([10], other.Gradients(z.Square(), [z])[0]);
            Assert.False(other.Recorded(x.Square()));   // a variable of another tape is a constant here
        });
        Near([4], tape.Gradients(x.Square(), [x])[0]);
    }

    [Fact]
    public void The_tape_of_another_thread_is_refused()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        var y = x.Square().Sum();
        OnAnotherThread(() =>
        {
            using var device = Device.Use(Device.Reference);
            Throws<InvalidOperationException>(() => tape.Gradients(y), "another thread", "await");
            Throws<InvalidOperationException>(() => tape.Gradients(y, [x]), "another thread");
            Throws<InvalidOperationException>(() => tape.Watch(Vector(1)), "another thread");
        });
        Near([4], tape.Gradients(y, [x])[0]);
    }

    [Fact]
    public void A_tape_disposed_by_another_thread_does_not_stand_in_the_way() => OnAnotherThread(() =>
    {
        // As after an await: 'using' ends on whatever thread the rest runs on.
        using var device = Device.Use(Device.Reference);
        var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        OnAnotherThread(tape.Dispose);
        Assert.Null(Tape.Current);
        var outside = Vector(3);
        GC.Collect();
        Assert.Equal([3], outside.ToDoubles());
        Near([2], x);   // the collector has it now: see ScopeTests
        Throws<InvalidOperationException>(() => tape.Watch(outside), "disposed");
        using var next = Tape.Training(Random);
        Assert.Same(next, Tape.Current);
    });

    [Fact]
    public void A_disposed_tape_is_refused()
    {
        var tape = Tape.Training(Random);
        var y = tape.Watch(Vector(2)).Sum();
        tape.Dispose();
        tape.Dispose();   // a second time changes nothing
        Throws<InvalidOperationException>(() => tape.Gradients(y, []), "disposed");
        Throws<InvalidOperationException>(() => tape.Watch(Vector(1)), "disposed");
    }

    [Fact]
    public void What_was_not_recorded_is_refused_with_the_three_usual_reasons()
    {
        var early = Vector(2).Sum();
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        var y = x.Square().Sum();
        foreach (var ask in (Action[])[() => tape.Gradients(early), () => tape.Gradients(early, [x]),
            () => tape.Gradients(y, [early])])
            Throws<InvalidOperationException>(ask, "did not record the tensor []", "before the tape was opened",
                "another thread",
                "after an await", "no variable", "Watch");
    }

    [Fact]
    public void A_tensor_of_an_earlier_tape_is_not_recorded_by_this_one()
    {
        Tensor old;
        using (var tape = Tape.Training(Random)) old = tape.Watch(Tensor.Scalar(2)).Square().Keep();
        using var next = Tape.Training(Random);
        var x = next.Watch(Tensor.Scalar(3));
        Throws<InvalidOperationException>(() => next.Gradients(old, [x]), "did not record");
    }

    [Fact]
    public void A_loss_must_be_one_number()
    {
        var p = new Parameter("p", Vector(1, 2));
        using var tape = Tape.Training(Random);
        Throws<ShapeException>(() => tape.Gradients(p.Value.Square()), "[2]", "one number", "mean", "seed");
        Throws<ShapeException>(() => tape.Gradients(p.Value.Slice(0, 0, 0)), "[0]", "one number");
        Near([4, 0], tape.Gradients((p.Value.Square() * 2).Slice(0, 0, 1))[p]);   // [1] is one number
    }

    [Fact]
    public void A_seed_must_have_the_shape_of_y()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(1, 2));
        Throws<ShapeException>(() => tape.Gradients(x, [x], Vector(1)), "seed", "[1]", "[2]");
    }

    [Fact]
    public void A_pull_with_a_wrong_shape_is_named()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Zeros(new(2, 3)));
        foreach (var shape in (Shape[])[new(3, 2), new(3), new(1, 3), new(2, 4), new()])
        {
            Tensor y;
            using (LayerContext.Enter("block1"))
                y = Tape.Record("my operation", Tensor.Zeros(new(3, 2)), (Vector(1), (_, g) => g),
                    (x, (_, _) => Tensor.Zeros(shape)));
            Throws<ShapeException>(() => tape.Gradients(y, [x]), "my operation", "input 1", "[2, 3]", $"{shape}",
                "in layer block1");
        }
    }

    [Fact]
    public void A_paused_tape_cannot_record_a_sweep()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        var y = x.Square();
        using (tape.Pause())
            Throws<InvalidOperationException>(() => tape.Gradients(y, [x], createGraph: true), "paused",
            "createGraph");
        Near([4], tape.Gradients(y, [x], createGraph: true)[0]);
    }

    [Fact]
    public void After_a_pull_has_thrown_the_tape_is_as_before()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2));
        var fails = true;
        var y = Tape.Record("moody", x.Square().StopGradient(),
            (x, (_, g) => fails ? throw new NotSupportedException("not today")
            : g * 4)).Square();
        Throws<NotSupportedException>(() => tape.Gradients(y, [x]), "not today");
        Assert.True(tape.Recorded(x.Square()));   // not left paused
        var made = Vector(9);
        fails = false;
        Near([2 * 4 * 4], tape.Gradients(y, [x])[0]);
        Near([9], made);
        Near([4], x.Square());
    }

    // ---- not finite -------------------------------------------------------------------------------------------------

    [Fact]
    public void Stop_at_the_first_value_that_is_not_finite()
    {
        var weight = new Parameter("conv1.weight", Vector(1, 0, 2));
        using var tape = Tape.Training(Random, stopAtNonFinite: true);
        using (LayerContext.Enter("block1"))
        using (LayerContext.Enter("conv1"))
            Throws<NonFiniteException>(() => weight.Value.Log(), "the value of 'log' [3]", "at element 1",
                "in layer block1.conv1", "parameter conv1.weight");
        Throws<NonFiniteException>(() => new Parameter("fc.bias", Vector(1, double.NaN)).Value.Square(),
            "the value of 'parameter' [2] is NaN at element 1", "parameter fc.bias");
        Throws<NonFiniteException>(() => tape.Watch(Vector(double.NegativeInfinity)),
            "the value of 'watch' [1] is -Infinity");
        var x = tape.Watch(Vector(-1));
        var message = Throws<NonFiniteException>(() => x.Sqrt(), "the value of 'sqrt' [1] is NaN at element 0");
        Assert.DoesNotContain("layer", message);
        Assert.DoesNotContain("parameter", message);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Stop_at_the_first_gradient_that_is_not_finite(bool createGraph)
    {
        var (weight, other) = (new Parameter("norm.gamma", Vector(4, 0)), new Parameter("other", Vector(1, 1)));
        using var tape = Tape.Training(Random, stopAtNonFinite: true);
        Tensor y;
        // the slope of the root is infinite at 0
        using (LayerContext.Enter("norm")) y = other.Value.Square() * weight.Value.Sqrt();
        var loss = (y * 3).Sum();
        // A recorded sweep writes the root's pull, g / 2y, on the tape, so that the division stops first.
        var parts = createGraph ? (string[])["the value of 'divide' [2]"]
            : ["the gradient of input 0 of 'sqrt' [2]", "parameter norm.gamma"];
        Throws<NonFiniteException>(() => tape.Gradients(loss, [weight.Value], createGraph: createGraph),
            [.. parts, "at element 1", "in layer norm"]);
        Assert.Null(LayerContext.Current);
        // nobody asks for the other one
        Near([2 * 2 * 3, 0], tape.Gradients(loss, [other.Value], createGraph: createGraph)[0]);
    }

    [Fact]
    public void A_gradient_that_is_no_parameters_is_not_called_one()
    {
        var weight = new Parameter("conv1.weight", Vector(1e200));
        using var tape = Tape.Training(Random, stopAtNonFinite: true);
        var x = tape.Watch(Vector(1e-300));
        var loss = (x * weight.Value * 1e150).Sum();
        var message = Throws<NonFiniteException>(() => tape.Gradients(loss, [x]),
            "the gradient of input 0 of 'multiply' [1] is Infinity");
        Assert.DoesNotContain("conv1.weight", message);
    }

    [Fact]
    public void Without_the_option_infinities_flow()
    {
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(0));
        Assert.Equal(double.NegativeInfinity, x.Log().At(0));
        Assert.Equal(double.PositiveInfinity, tape.Gradients(x.Sqrt(), [x])[0].At(0));
    }

    [Fact]
    public void An_evaluating_tape_stops_too()
    {
        using var tape = Tape.Evaluating(stopAtNonFinite: true);
        var x = tape.Watch(Vector(0));
        Throws<NonFiniteException>(() => x.Log(), "'log'");
    }
}
