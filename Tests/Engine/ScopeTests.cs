using System.Runtime.CompilerServices;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Who owns memory: forget it and it is slower; use it too early or too late and it is an exception; never a leak,
/// never garbage.
/// </summary>
public sealed class ScopeTests : EngineTest
{
    private static void AssertEnded(Tensor tensor)
    {
        Throws<InvalidOperationException>(() => tensor.ToDoubles(), "this tensor's scope has ended", "call Keep()",
            $"{tensor.Shape}");
        Throws<InvalidOperationException>(() => tensor.ToFloats(), "Keep()");
        Throws<InvalidOperationException>(() => tensor.Square(), "Keep()");
        Throws<InvalidOperationException>(() => tensor.Keep(), "Keep()");
        Throws<InvalidOperationException>(() => tensor.Reshape(1, -1), "Keep()");
        Throws<InvalidOperationException>(() => tensor.StopGradient(), "Keep()");
        Assert.Contains("scope has ended", $"{tensor}");
    }

    [Fact]
    public void A_tensor_ends_with_its_scope()
    {
        Tensor x, view;
        using (new Scope())
        {
            x = Tensor.Ones(new(2, 3));
            view = x.Reshape(6).Reshape(3, 2);
            Near([1, 1, 1, 1, 1, 1], view);
        }
        AssertEnded(x);
        AssertEnded(view);
    }

    [Fact]
    public void Keep_takes_it_out_and_the_original_too()
    {
        Tensor x, kept, other;
        using (new Scope())
        {
            x = Vector(1, 2);
            kept = x.Keep();
            other = Vector(3, 4);
        }
        for (var i = 0; i < 10; i++)
            using (new Scope()) Vector(9, 9);
        Near([1, 2], kept);
        Near([1, 2], x);
        AssertEnded(other);
    }

    [Fact]
    public void Keep_outside_any_scope_changes_nothing() => Near([1, 2], Vector(1, 2).Keep().Keep());

    [Fact]
    public void A_kept_result_is_on_no_tape()
    {
        Tensor kept;
        using (var tape = Tape.Training(Random)) kept = tape.Watch(Vector(2)).Square().Keep();
        Assert.Equal(-1, kept.Record);
        using var next = Tape.Training(Random);
        Assert.False(next.Recorded(kept * 2));
        Near([4], kept);
    }

    [Fact]
    public void Scopes_nest()
    {
        Tensor a, b, c;
        using (new Scope())
        {
            a = Vector(1);
            using (new Scope()) b = Vector(2);
            AssertEnded(b);
            Near([1], a);
            c = Vector(3);
        }
        AssertEnded(a);
        AssertEnded(c);
        Near([4], Vector(4));
    }

    [Fact]
    public void Of_what_is_computed_in_a_scope_of_its_own_the_result_belongs_to_the_one_around_it()
    {
        Tensor? inside = null;
        Tensor result;
        using var outer = new Scope();
        var further = Vector(5);
        using (new Scope())
        {
            result = Scope.OnlyResult(() => (inside = Vector(1, 2)) * 2);
            AssertEnded(inside!);
            Near([2, 4], result);
            Assert.Same(further, Scope.OnlyResult(() => further));
        }
        AssertEnded(result);
        Near([5], further);   // it belongs further out
    }

    [Fact]
    public void Scopes_may_end_in_any_order()
    {
        var outer = new Scope();
        var a = Vector(1);
        var inner = new Scope();
        var b = Vector(2);
        outer.Dispose();
        AssertEnded(a);
        Near([2], b);
        var c = Vector(3);
        inner.Dispose();
        AssertEnded(b);
        AssertEnded(c);
        var outside = Vector(4);
        outer.Dispose();   // again: nothing happens
        inner.Dispose();
        Near([4], outside);
        Assert.Null(Scope.Innermost);
    }

    [Fact]
    public void A_scope_belongs_to_its_thread()
    {
        Tensor? other = null;
        using (new Scope())
            OnAnotherThread(() =>
            {
                Assert.Null(Scope.Innermost);
                using (Device.Use(Device.Reference)) other = Vector(5);
            });
        Near([5], other!);
    }

    // A server: a request opens a scope and awaits; meanwhile its thread serves another one; the rest of the first runs
    // elsewhere.
    [Fact]
    public void A_scope_that_ends_on_another_thread_takes_nothing_from_whoever_used_its_own() => OnAnotherThread(() =>
    {
        using var device = Device.Use(Device.Reference);
        var awaiting = new Scope();
        var first = Vector(1, 2);
        var second = Vector(3, 4);   // the other request's, in the scope that is still open here
        OnAnotherThread(awaiting.Dispose);
        Assert.Null(Scope.Innermost);
        for (var i = 0; i < 9; i++)
            using (new Scope()) Vector(7, 7);
        Near([1, 2], first);
        Near([3, 4], second);
    });

    [Fact]
    public void A_scope_apart_owns_only_what_is_given_to_it()
    {
        var apart = Scope.Apart();
        Assert.Null(Scope.Innermost);
        Tensor given, outer;
        using (new Scope())
        {
            (given, outer) = (Vector(1), Vector(2));
            apart.Adopt(given);
        }
        Near([1], given);
        AssertEnded(outer);
        apart.Dispose();
        AssertEnded(given);
    }

    [Fact]
    public void A_parameter_outlives_every_scope()
    {
        Parameter p;
        using (var tape = Tape.Training(Random))
        {
            p = new Parameter("p", Vector(1, 2));
            tape.Gradients((p.Value.Reshape(1, 2) * 2).Sum(), release: true);
            p.Value.Keep();
            using (var scope = new Scope()) scope.Adopt(p.Value);
        }
        for (var i = 0; i < 10; i++)
            using (new Scope()) Vector(9, 9);
        Near([1, 2], p.Value);
    }

    // ---- the collector ----------------------------------------------------------------------------------------------

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference[] Forget(Func<Tensor> make)
    {
        var tensor = make();
        return [new WeakReference(tensor), new WeakReference(tensor.Buffer)];
    }

    private static void AssertCollected(WeakReference[] references) =>
        Waiting.ForTheCollector(() => !references.Any(r => r.IsAlive));

    [Fact]
    public void Outside_any_scope_the_collector_frees() => AssertCollected(Forget(() => Tensor.Ones(new(1013)) * 2));

    [Fact]
    public void A_forgotten_scope_leaks_nothing() => OnAnotherThread(() =>
    {
        AssertCollected(Forget(() =>
        {
            _ = new Scope();   // nobody disposes it
            return Tensor.Ones(new(1013));
        }));
        Assert.Null(Scope.Innermost);
        var outside = Tensor.Ones(new(3));
        Assert.Equal(0, outside.Storage.Owner);
    });

    [Fact]
    public void A_forgotten_scope_inside_another_one_leaks_nothing()
    {
        using var outer = new Scope();
        AssertCollected(Forget(() =>
        {
            _ = new Scope();
            return Tensor.Ones(new(1013));
        }));
        Assert.Same(outer, Scope.Innermost);
    }

    [Fact]
    public void A_kept_tensor_is_freed_by_the_collector() => AssertCollected(Forget(() =>
    {
        using (new Scope()) return Tensor.Ones(new(1013)).Keep();
    }));

    [Fact]
    public void A_remembered_tensor_of_a_tape_that_ended_holds_nothing_else()
    {
        Tensor? loss = null;
        AssertCollected(Forget(() =>
        {
            using var tape = Tape.Training(Random);
            var x = tape.Watch(Tensor.Ones(new(1013)).Keep());
            loss = x.Square().Sum();
            return x;
        }));
        Assert.Contains("scope has ended", $"{loss}");
    }

    [Fact]
    public void An_ended_scope_holds_nothing()
    {
        var scope = new Scope();
        var references = Forget(() => Tensor.Ones(new(1013)).Keep());
        scope.Dispose();
        AssertCollected(references);
        GC.KeepAlive(scope);
    }
}
