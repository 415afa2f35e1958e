using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>How a group is treated, and how long a step is, are numbers from 0 up; others are refused.</summary>
public sealed class ParameterGroupTests : EngineTest
{
    private readonly Parameter weight = new("weight", Vector(1, 2));

    private IEnumerable<Func<IReadOnlyList<ParameterGroup>, Optimizer>> Optimizers =>
        [groups => new Sgd(groups), groups => new Sgd(groups, momentum: 0.9), groups => new Adam(groups),
            groups => new AdamW(groups)];

    [Theory]
    [InlineData(-1)]
    [InlineData(-double.Epsilon)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Other_numbers_are_refused(double wrong)
    {
        foreach (var create in Optimizers)
        {
            Throws<ArgumentException>(() => create([new([weight], WeightDecay: wrong)]),
                "a weight decay is a finite number, 0 or above");
            Throws<ArgumentException>(() => create([new([weight], RateFactor: wrong)]),
                "the factor of a rate is a finite number, 0 or above");
            var optimizer = create([new([weight], WeightDecay: 0, RateFactor: 0), new([])]);
            var before = weight.Value.ToDoubles();
            using var tape = Tape.Training(Random);
            var gradients = tape.Gradients(weight.Value.Sum());
            Throws<ArgumentOutOfRangeException>(() => optimizer.Step(gradients, wrong),
                "a learning rate is a finite number, 0 or above");
            Assert.Equal(before, weight.Value.ToDoubles());
            Assert.True(optimizer.Step(gradients, 0));
        }
    }
}
