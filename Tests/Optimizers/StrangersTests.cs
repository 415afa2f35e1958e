using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>
/// A layer that was not registered is neither trained nor saved, while the loss falls: it is named, once.
/// </summary>
public sealed class StrangersTests
{
    private sealed class Forgetful : Module
    {
        private readonly Linear first, second, third = new(2, 2, new RandomSource(3));

        public Forgetful(bool all)
        {
            first = Child("first", new Linear(2, 2, new RandomSource(1)));
            second = new Linear(2, 3, new RandomSource(2));
            if (all) Child("second", second);
            third.IsFrozen = true;   // never trained, and not by mistake
        }

        protected override Tensor Forward(Tensor x) => second.Apply(first.Apply(third.Apply(x)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_layer_that_was_not_registered_is_named_once(bool all)
    {
        var model = new Forgetful(all);
        var sgd = new Sgd(model.Parameters);
        var notices = new List<string>();
        void Listen(string notice)
        {
            if (notice.Contains("this optimizer does not update")) notices.Add(notice);
        }
        Notices.Raised += Listen;
        try
        {
            for (var step = 0; step < 3; step++)
            {
                using var tape = Tape.Training(new RandomSource(1));
                sgd.Step(tape.Gradients(model.Apply(Tensor.Ones(new Shape(4, 2))).Square().Mean()), 0.1);
            }
        }
        finally
        {
            Notices.Raised -= Listen;
        }
        if (all) Assert.Empty(notices);
        else
            Assert.StartsWith("the loss was computed from 2 trainable parameters that this optimizer does not update: "
                + "weight [2, 3], bias [3].",
            Assert.Single(notices));
    }

    [Theory]
    [InlineData(1, "p0 [1]. If")]
    [InlineData(5, "p0 [1], p1 [1], p2 [1], p3 [1], p4 [1]. If")]
    [InlineData(6, "p0 [1], p1 [1], p2 [1], p3 [1], p4 [1], .... If")]
    public void Of_many_the_first_five_are_named(int count, string names)
    {
        var known = new Parameter("known", Tensor.Ones(new Shape(1)));
        Parameter[] strangers =
            [.. Enumerable.Range(0, count).Select(i => new Parameter($"p{i}", Tensor.Ones(new Shape(1))))];
        using var notices = HeardNotices.Containing(names);
        using var tape = Tape.Training(new RandomSource(1));
        new Sgd([known]).Step(tape.Gradients(strangers.Aggregate(known.Value, (sum, p) => sum + p.Value).Sum()), 0.1);
        Assert.StartsWith($"the loss was computed from {count} trainable parameters that this optimizer does not "
            + "update: ", Assert.Single(notices.All));
    }
}
