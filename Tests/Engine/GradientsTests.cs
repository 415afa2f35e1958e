using FsCheck;
using FsCheck.Xunit;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Gradients are a value: sums, multiples, norms; and the statistics that travel with them, committed once.
/// </summary>
public sealed class GradientsTests : EngineTest
{
    private readonly Parameter a, b, c;

    public GradientsTests() => (a, b, c) = (new("a", Vector(1, 2)), new("b", Vector(3)), new("c", Vector(5)));

    private Tensor First() => (a.Value.Square() * b.Value).Sum();            // d/da = 2 a b, d/db = sum a^2

    private Tensor Second() => a.Value.Sum() * 10 + c.Value.Square().Sum();   // d/da = 10, d/dc = 2 c

    // ---- arithmetic -------------------------------------------------------------------------------------------------

    [Fact]
    public void The_sum_of_gradients_is_the_gradient_of_the_sum()
    {
        using var tape = Tape.Training(Random);
        var (first, second) = (First(), Second());
        var sum = tape.Gradients(first) + tape.Gradients(second);
        var whole = tape.Gradients(first + second);
        foreach (var parameter in (Parameter[])[a, b, c])
            Assert.Equal(whole[parameter].ToDoubles(), sum[parameter].ToDoubles());
        Assert.Equal(whole.Parameters, sum.Parameters);
        Near([6 + 10, 12 + 10], sum[a]);
        Near([5], sum[b]);
        Near([10], sum[c]);
    }

    [Fact]
    public void A_sum_leaves_its_terms_as_they_are()
    {
        using var tape = Tape.Training(Random);
        var (first, second) = (tape.Gradients(First()), tape.Gradients(Second()));
        _ = first + second;
        Near([6, 12], first[a]);
        Near([10, 10], second[a]);
        Assert.Equal([a, b], first.Parameters);
        Assert.False(first.TryGet(c, out _));
    }

    [Fact]
    public void A_multiple_scales_every_gradient_and_leaves_the_statistics()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
        var scaled = tape.Gradients(First()) * -0.5;
        Near([-3, -6], scaled[a]);
        Near([-2.5], scaled[b]);
        scaled.CommitStatistics();
        Assert.Equal([(4, 7, 2)], statistics.Committed);
    }

    [Fact]
    public void The_norm_is_that_of_all_gradients_together()
    {
        using var tape = Tape.Training(Random);
        Near(Math.Sqrt(6 * 6 + 12 * 12 + 5 * 5), tape.Gradients(First()).Norm());
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(14, true)]
    [InlineData(15, false)]   // the norm is sqrt(205) = 14.3
    [InlineData(1000, false)]
    public void Clipping_keeps_the_direction(double limit, bool clips)
    {
        using var tape = Tape.Training(Random);
        var gradients = tape.Gradients(First());
        var clipped = gradients.ClipByNorm(limit);
        var factor = clips ? limit / Math.Sqrt(205) : 1;
        Near([6 * factor, 12 * factor], clipped[a]);
        Near([5 * factor], clipped[b]);
        if (clips) Near(limit, clipped.Norm());
        else Assert.Equal(gradients[a].ToDoubles(), clipped[a].ToDoubles());
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    [InlineData(double.NaN)]
    public void A_limit_of_nothing_is_refused(double limit)
    {
        using var tape = Tape.Training(Random);
        var gradients = tape.Gradients(First());
        Throws<ArgumentOutOfRangeException>(() => gradients.ClipByNorm(limit), "limit");
    }

    [Fact]
    public void Clipping_zero_gradients_gives_zeros()
    {
        using var tape = Tape.Training(Random);
        Near([0, 0], tape.Gradients((a.Value * 0).Sum()).ClipByNorm(1)[a]);
    }

    [Fact]
    public void Without_keep_they_end_with_their_tape()
    {
        Gradients ended, kept;
        using (var tape = Tape.Training(Random))
        {
            ended = tape.Gradients(First());
            kept = tape.Gradients(Second()).Keep();
        }
        Throws<InvalidOperationException>(() => ended[a].ToDoubles(), "Keep()");
        Near([10, 10], kept[a]);
    }

    [Fact]
    public void Statistics_are_kept_with_the_gradients()
    {
        var statistics = new Recorder();
        Gradients kept;
        using (var tape = Tape.Training(Random))
        {
            tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
            kept = tape.Gradients(First()).Keep();
        }
        for (var i = 0; i < 10; i++)
            using (new Scope()) Tensor.Scalar(9);
        kept.CommitStatistics();
        Assert.Equal([(4, 7, 2)], statistics.Committed);
    }

    // ---- statistics -------------------------------------------------------------------------------------------------

    [Fact]
    public void Committed_once_and_never_used_again()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
        var gradients = tape.Gradients(First());
        Assert.Empty(statistics.Committed);
        gradients.CommitStatistics();
        foreach (var again in (Action[])[gradients.CommitStatistics, () => _ = gradients + tape.Gradients(Second()),
            () => _ = tape.Gradients(Second()) + gradients,
            () => _ = gradients * 2])
            Throws<InvalidOperationException>(again, "used already", "Compute new ones");
        Assert.Single(statistics.Committed);
        Near([6, 12], gradients[a]);   // reading stays
    }

    // Every way from one pass to gradients brings the same statistics: they are pooled once, and committed once.
    [Fact]
    public void One_pass_is_counted_once_however_many_gradients_bring_it()
    {
        var ways = new Func<Gradients, Gradients>[]
        {
            gradients => gradients, gradients => gradients.Keep(), gradients => gradients * 2,
            gradients => gradients.ClipByNorm(1e-3), gradients => gradients.ClipByNorm(1e3),
        };
        foreach (var first in ways)
            foreach (var second in ways)
            {
                var statistics = new Recorder();
                using var tape = Tape.Training(Random);
                tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
                (first(tape.Gradients(First())) + second(tape.Gradients(Second()))).CommitStatistics();
                Assert.Equal([(4, 7, 2)], statistics.Committed);
            }
    }

    [Fact]
    public void What_was_committed_by_one_is_not_committed_by_another_of_the_same_pass()
    {
        foreach (var limit in (double[])[1e-3, 1e3])   // whether something is clipped or not
        {
            var statistics = new Recorder();
            using var tape = Tape.Training(Random);
            tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
            var (gradients, later) = (tape.Gradients(First()), new Moments(2, Tensor.Scalar(1), Tensor.Scalar(0)));
            gradients.ClipByNorm(limit).CommitStatistics();
            gradients.CommitStatistics();
            Assert.Single(statistics.Committed);
            tape.Propose(statistics, later);   // new ones are
            tape.Gradients(Second()).CommitStatistics();
            Assert.Equal([(4, 7, 2), (2, 1, 0)], statistics.Committed);
        }
    }

    [Fact]
    public void Moments_that_are_changed_by_with_are_committed_as_changed()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        var moments = new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)) with { Variance = Tensor.Scalar(3) };
        tape.Propose(statistics, moments);
        tape.Gradients(First()).Keep().CommitStatistics();
        Assert.Equal([(4, 7, 3)], statistics.Committed);
        Assert.Equal(moments, moments with { });
    }

    [Fact]
    public void A_limit_too_small_for_any_factor_leaves_zeros()
    {
        using var tape = Tape.Training(Random);
        Near([0, 0], tape.Gradients(First() * 1e6).ClipByNorm(double.Epsilon)[a], 1e-300);
    }

    [Fact]
    public void Statistics_are_constants()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(2, a.Value.Mean(), a.Value.Square().Mean()));
        tape.Propose(statistics, new Moments(2, a.Value.Sum(), a.Value.Square().Sum()));
        var gradients = tape.Gradients(First());
        var records = tape.Count;
        gradients.CommitStatistics();
        Assert.Equal(records, tape.Count);   // pooling them wrote nothing on the tape
    }

    [Fact]
    public void Moments_with_another_mean_or_variance_are_those()
    {
        var (mean, variance, other) = (Tensor.Scalar(1), Tensor.Scalar(2), Tensor.Scalar(3));
        var moments = new Moments(4, mean, variance);
        Assert.Equal([other, variance], ((IPendingStatistics)(moments with { Mean = other })).Tensors);
        Assert.Equal([mean, other], ((IPendingStatistics)(moments with { Variance = other })).Tensors);
        Assert.Equal([mean, variance], ((IPendingStatistics)moments).Tensors);
    }

    [Fact]
    public void A_layer_applied_twice_commits_once_for_both()
    {
        var (twice, once) = (new Recorder("norm1"), new Recorder("norm2"));
        using var tape = Tape.Training(Random);
        tape.Propose(twice, new Moments(3, Tensor.Scalar(1), Tensor.Scalar(0)));
        tape.Propose(once, new Moments(5, Tensor.Scalar(8), Tensor.Scalar(9)));
        tape.Propose(twice, new Moments(1, Tensor.Scalar(5), Tensor.Scalar(4)));
        tape.Gradients(First()).CommitStatistics();
        // the set 1, 1, 1 and one of mean 5 with variance 4: mean 2, (0 * 3 + 4) / 4 + 16 * 3/16
        Assert.Equal([(4, 2, 1 + 3)], twice.Committed);
        Assert.Equal([(5, 8, 9)], once.Committed);
    }

    [Fact]
    public void Two_losses_of_one_tape_propose_the_same_statistics_once()
    {
        var statistics = new Recorder();
        using var tape = Tape.Training(Random);
        tape.Propose(statistics, new Moments(4, Tensor.Scalar(7), Tensor.Scalar(2)));
        (tape.Gradients(First()) + tape.Gradients(Second()) * 3).CommitStatistics();
        Assert.Equal([(4, 7, 2)], statistics.Committed);   // as the gradient of the sum of the losses would
    }

    [Property(MaxTest = 200)]
    public void Micro_batches_commit_what_one_batch_would(NonEmptyArray<NormalFloat[]> batches)
    {
        var statistics = new Recorder();
        var total = default(Gradients);
        foreach (var batch in batches.Get)
        {
            var numbers = Array.ConvertAll(batch, x => x.Get);
            var mean = numbers.Length > 0 ? numbers.Average() : 0;
            using var tape = Tape.Training(Random);
            tape.Propose(statistics, new Moments(numbers.Length, Tensor.Scalar(mean),
                Tensor.Scalar(numbers.Length > 0 ? numbers.Average(x => (x - mean) * (x - mean)) : 0)));
            var gradients = tape.Gradients(First()).Keep();
            total = total is null ? gradients : (total + gradients).Keep();
        }
        total!.CommitStatistics();
        var all = batches.Get.SelectMany(batch => batch).Select(x => x.Get).ToArray();
        var (count, pooledMean, pooledVariance) = statistics.Committed.Single();
        Assert.Equal(all.Length, count);
        if (all.Length == 0) return;
        var scale = 1 + all.Max(Math.Abs);
        Assert.True(Math.Abs(all.Average() - pooledMean) <= 1e-12 * scale);
        Assert.True(Math.Abs(all.Average(x => (x - all.Average()) * (x - all.Average())) - pooledVariance) <= 1e-12
            * scale
            * scale);
        Near([6 * batches.Get.Length, 12 * batches.Get.Length], total[a]);
    }

    [Fact]
    public void Pooled_moments_are_those_of_the_whole_set_channel_by_channel()
    {
        // 12 rows of 3 channels, one of them far from 0, cut into 5 + 7.
        var rows = Enumerable.Range(0, 12)
            .Select(i => new[] { Random.Normal(3 * i), 1e6 + Random.Normal(3 * i + 1), i < 5 ? -4.0 : 11 }).ToArray();
        static Moments Of(double[][] rows)
        {
            double[] Each(Func<IEnumerable<double>, double> f) =>
                [.. Enumerable.Range(0, 3).Select(c => f(rows.Select(row => row[c])))];
            var mean = Each(x => x.Average());
            return new Moments(rows.Length, Vector(mean),
                Vector(Each(x => x.Average(v => (v - x.Average()) * (v - x.Average())))));
        }
        var (pooled, whole) = (Of(rows[..5]).Pool(Of(rows[5..])), Of(rows));
        Assert.Equal(12, pooled.Count);
        Near(whole.Mean.ToDoubles(), pooled.Mean, 1e-14);
        Near(whole.Variance.ToDoubles(), pooled.Variance, 1e-9);   // values of 1e6 leave 10 digits of their variance
    }

    [Fact]
    public void An_empty_set_pools_to_the_other_one()
    {
        var (some, none) =
            (new Moments(3, Vector(1), Vector(2)), new Moments(0, Vector(double.NaN), Vector(double.NaN)));
        Assert.Same(some, some.Pool(none));
        Assert.Same(some, none.Pool(some));
    }

    // ---- what is not finite -----------------------------------------------------------------------------------------

    [Fact]
    public void The_first_number_that_is_not_finite_is_described()
    {
        var statistics = new Recorder("layer1.norm1");
        using var tape = Tape.Training(Random);
        Assert.Null(tape.Gradients(First()).FindNonFinite());
        Assert.Equal("the gradient of a [2] is NaN at element 1",
            tape.Gradients((a.Value * Vector(1, double.NaN)).Sum()).FindNonFinite());
        Assert.Equal("the gradient of b [1] is -Infinity at element 0",
            tape.Gradients((b.Value * double.NegativeInfinity).Sum()).FindNonFinite());
        tape.Propose(statistics, new Moments(1, Tensor.Scalar(1), Tensor.Scalar(double.PositiveInfinity)));
        Assert.Equal("the batch statistics of layer1.norm1 hold Infinity at element 0",
            tape.Gradients(First()).FindNonFinite());
    }

    [Theory]
    [InlineData(double.NaN, 1)]
    [InlineData(1, double.NaN)]
    public void Either_moment_is_looked_at(double mean, double variance)
    {
        using var tape = Tape.Training(Random);
        tape.Propose(new Recorder(), new Moments(1, Tensor.Scalar(0), Tensor.Scalar(0)));
        tape.Propose(new Recorder("norm2"), new Moments(1, Tensor.Scalar(mean), Tensor.Scalar(variance)));
        Assert.Contains("norm2 hold NaN", tape.Gradients(First()).FindNonFinite());
    }
}
