using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// What a sweep frees and what it must not: with <c>release: true</c> the recorded values that it has passed, always
/// the gradients that it made on its way; never what somebody else made or will read.
/// </summary>
public sealed class ReleaseTests : SweepTest
{
    private static void AssertFreed(Tensor tensor) =>
        Throws<InvalidOperationException>(() => tensor.ToDoubles(), "sweep with release", "Keep()");

    [Fact]
    public void Release_gives_the_same_numbers_and_frees_the_values()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var y = square * square.Exp();
        var loss = Loss(y);
        Near([4 * 5 * Math.Exp(4), 10 * 6 * 10 * Math.Exp(9)], tape.Gradients(loss, release: true)[p]);
        AssertFreed(square);
        AssertFreed(y);
        Near(4 * Math.Exp(4) + 90 * Math.Exp(9), loss.ToDouble());
        Near([2, 3], p.Value);
    }

    [Fact]
    public void Without_release_every_value_stays()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var reshaped = square.Reshape(1, 2);
        var y = reshaped * reshaped;
        var loss = Loss(y.Reshape(2));
        Near([4 * 8, 10 * 4 * 27], tape.Gradients(loss)[p]);
        Near([4, 9], square);
        Near([4, 9], reshaped);
        Near([16, 81], y);
        Near(16 + 810, loss.ToDouble());
    }

    [Fact]
    public void The_loss_stays_even_when_it_shares_the_numbers_of_an_earlier_value()
    {
        using var tape = Tape.Training(Random);
        var sum = Loss(p.Value.Square());
        var loss = sum.Reshape(1);
        tape.Gradients(loss, release: true);
        Near([4 + 90], loss);
        Near(4 + 90, sum.ToDouble());   // the same numbers
    }

    [Fact]
    public void What_was_kept_stays()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var kept = square.Keep();
        var view = (square * 2).Reshape(1, 2);
        var keptView = view.Keep();
        Near([4, 60], tape.Gradients(Loss(view.Reshape(2)), release: true)[p], 1);
        tape.Dispose();
        Near([4, 9], kept);
        Near([8, 18], keptView);
    }

    [Fact]
    public void Values_after_the_loss_stay()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var loss = Loss(square);
        var later = square * 5;
        tape.Gradients(loss, release: true);
        AssertFreed(square);
        Near([20, 45], later);
    }

    [Fact]
    public void Values_that_the_loss_does_not_depend_on_are_freed_too()
    {
        using var tape = Tape.Training(Random);
        var aside = p.Value * 7;
        tape.Gradients(Loss(p.Value.Square()), release: true);
        AssertFreed(aside);
    }

    [Fact]
    public void A_view_that_stops_gradients_is_freed_with_its_numbers()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var view = square.StopGradient();
        tape.Gradients(Loss(square * view), release: true);
        AssertFreed(view);
    }

    [Fact]
    public void Reshaped_and_handed_through_values_share_their_numbers_and_survive_until_the_last_needs_them()
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        var reshaped = square.Reshape(1, 2);
        var same = Tape.Record("same", reshaped, (reshaped, (_, g) => g));
        var loss = Loss((same * reshaped).Reshape(2) * square);   // p^6: each pull reads the shared numbers
        Near([6 * 32, 10 * 6 * 243], tape.Gradients(loss, release: true)[p]);
        AssertFreed(square);
        AssertFreed(reshaped);
        AssertFreed(same);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_pull_may_hand_back_its_own_value(bool release)
    {
        using var tape = Tape.Training(Random);
        var square = p.Value.Square();
        // gradient e^s whatever comes
        var y = Tape.Record("hand back", square.Exp().StopGradient(), (square, (value, _) => value));
        var gradients = tape.Gradients(Loss(y), release);
        Near([4 * Math.Exp(4), 6 * Math.Exp(9)], gradients[p]);
        if (release) AssertFreed(y);
        else Near([Math.Exp(4), Math.Exp(9)], y);
    }

    [Fact]
    public void A_gradient_that_shares_the_numbers_of_a_released_value_stays()
    {
        using var tape = Tape.Training(Random);
        var y = Tape.Record("hand back", p.Value.Exp().StopGradient(), (p.Value, (value, _) => value));
        Near([Math.Exp(2), Math.Exp(3)], tape.Gradients(Loss(y), release: true)[p]);
    }

    [Fact]
    public void Gradients_that_share_numbers_stay_both()
    {
        var (a, b) = (new Parameter("a", Vector(1, 2)), new Parameter("b", Vector(3, 4)));
        using var tape = Tape.Training(Random);
        // a sum hands the same gradient to both
        var gradients = tape.Gradients(Loss((a.Value + b.Value) * 3), release: true);
        for (var i = 0; i < 20; i++) Vector(i, i);   // whatever was freed by mistake is now overwritten
        Near([3, 30], gradients[a]);
        Near([3, 30], gradients[b]);
    }

    [Fact]
    public void A_shared_gradient_is_not_freed_while_the_other_input_waits()
    {
        using var tape = Tape.Training(Random);
        var early = p.Value * 2;
        var late = early.Square().Square();   // (2p)^4
        var loss = Loss(late + early);         // early's share of the gradient waits while late's is swept
        Near([2 * (4 * 64 + 1), 10 * 2 * (4 * 216 + 1)], tape.Gradients(loss, release: true)[p]);
    }

    [Theory]
    [InlineData("outside")]
    [InlineData("tape")]
    [InlineData("inner scope")]
    [InlineData("y")]
    [InlineData("earlier gradient")]
    public void The_sweep_does_not_free_a_seed(string whose)
    {
        var outside = Vector(1, 10);
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Vector(2, 3));
        var y = (x.Square() + 1) * 2;
        using var scope = whose == "inner scope" ? new Scope() : null;
        var seed = whose switch
        {
            "outside" => outside,
            "y" => y,
            "earlier gradient" => tape.Gradients(y, [x])[0],
            _ => Vector(1, 10),
        };
        var before = seed.ToDoubles();
        var expected = new[] { 8 * before[0], 12 * before[1] };
        for (var sweep = 0; sweep < 3; sweep++)
        {
            Near(expected, tape.Gradients(y, [x], seed)[0]);
            Near(expected, tape.Gradients(y, [x], seed, createGraph: true)[0]);
            Assert.Equal(before, seed.ToDoubles());
        }
        Near(before, tape.Gradients(y, [y], seed)[0]);   // the seed itself comes back
        Assert.Equal(before, seed.ToDoubles());
    }

    [Theory]
    [InlineData("outside")]
    [InlineData("tape")]
    [InlineData("inner scope")]
    public void The_sweep_does_not_free_a_constant_that_a_pull_hands_back(string whose)
    {
        var outside = Vector(5, 7);
        using var tape = Tape.Training(Random);
        using var scope = whose == "inner scope" ? new Scope() : null;
        var constant = whose == "outside" ? outside : Vector(5, 7);
        var inner = p.Value * 2;
        var loss = Tape.Record("constant slope", Tensor.Scalar(1), (inner, (_, _) => constant),
            (inner, (_, _) => constant));
        for (var sweep = 0; sweep < 3; sweep++) Near([20, 28], tape.Gradients(loss, release: sweep == 2)[p]);
        Near([5, 7], constant);
    }

    [Fact]
    public void Proposed_statistics_stay_until_the_step_even_if_they_were_recorded()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        var mean = p.Value.Mean();
        var variance = (p.Value - mean).Square().Mean();
        tape.Propose(statistics, new Moments(2, mean, variance));
        var gradients = tape.Gradients(((p.Value - mean) / (variance + 1).Sqrt()).Square().Sum(), release: true);
        gradients.CommitStatistics();
        Assert.Equal((2, 2.5, 0.25), statistics.Committed.Single());
    }

    [Fact]
    public void A_second_sweep_over_released_values_says_so_and_harms_nothing()
    {
        using var tape = Tape.Training(Random);
        var loss = Loss(p.Value.Square().Exp());
        var gradients = tape.Gradients(loss, release: true);
        var expected = new[] { 4 * Math.Exp(4), 60 * Math.Exp(9) };
        // these took the freed buffers over
        var others = Enumerable.Range(0, 10).Select(i => Vector(i, -i)).ToArray();
        Throws<InvalidOperationException>(() => tape.Gradients(loss, release: true), "Keep()");
        Throws<InvalidOperationException>(() => tape.Gradients(loss), "Keep()");
        Near(expected, gradients[p]);
        for (var i = 0; i < others.Length; i++) Near([i, -i], others[i]);
    }

    [Fact]
    public void A_gradient_in_the_buffer_of_a_released_value_is_not_mistaken_for_it()
    {
        // a prime that no other test uses: the gradients below must take the buffers of these values
        var shape = new Shape(4133);
        var (a, b) = (new Parameter("a", Tensor.Ones(shape)), new Parameter("b", Tensor.Ones(shape)));
        using var tape = Tape.Training(Random);
        var kept = a.Value * 5;
        kept.Keep();
        var first = Tensor.Scalar(0);
        for (var i = 0; i < 10; i++) first += (a.Value * i).Sum();
        tape.Gradients(first, release: true);
        var gradients = tape.Gradients(((kept + b.Value) * 3).Sum(), release: true);   // one gradient, handed to both
        for (var i = 0; i < 20; i++) Tensor.Zeros(shape);
        Near(3, gradients[b].At(0));
        Near(15, gradients[a].At(0));
    }

    [Fact]
    public void A_new_forward_pass_on_the_same_tape_after_release()
    {
        using var tape = Tape.Training(Random);
        for (var step = 1; step <= 3; step++)
        {
            var gradients = tape.Gradients(Loss(p.Value.Square() * step), release: true);
            Near([4 * step, 60 * step], gradients[p]);
        }
    }

    [Fact]
    public void A_sweep_frees_what_it_makes_on_its_way()
    {
        // Gradients of 10 different lengths: those in the middle must go back to the pool while the tape is still open.
        // The lengths are used nowhere else.
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Ones(new(7919)));   // a prime
        var y = x.Square();
        var middle = (Tensor?)null;
        var loss = Tape.Record("spy", Weigh(y).StopGradient(), (y, (_, g) => middle = Tensor.Ones(y.Shape) * g));
        var found = tape.Gradients(loss, [x])[0];
        AssertFreed(middle!);
        Near(2, found.At(0));
    }

    [Fact]
    public void What_belongs_to_an_outer_scope_stays_there()
    {
        var statistics = new Recorder();
        using var outer = new Scope();
        var (batch, seed, mean) = (Vector(2, 3), Vector(1, 10), Tensor.Scalar(4));
        for (var step = 0; step < 2; step++)
            using (var tape = Tape.Training(Random))
            {
                var x = tape.Watch(batch);
                Near([8, 180], tape.Gradients(x.Square() * batch, [x], seed)[0]);   // 2 x b u
                tape.Propose(statistics, new Moments(1, mean, mean));
                tape.Gradients(Loss(p.Value * batch + batch), release: true).CommitStatistics();
            }
        for (var i = 0; i < 10; i++) Vector(9, 9);
        Near([2, 3], batch);
        Near([1, 10], seed);
        Near(4, mean.ToDouble());
        outer.Dispose();
        Throws<InvalidOperationException>(() => batch.ToDoubles(), "scope has ended");
    }
}
