using Tapegrad.Optimizers;
using Tapegrad.Tests.Engine;
using Xunit;

namespace Tapegrad.Tests.Optimizers;

/// <summary>What an optimizer remembers between steps, by name: what a checkpoint holds, and what it refuses.</summary>
public sealed class OptimizerStateTests : EngineTest
{
    private readonly Parameter a = new("a", Vector(1, 2)), b = new("b", Vector(3));

    private static string[] NamesOf(Optimizer optimizer) => [.. optimizer.State.Select(state => state.Name)];

    [Fact]
    public void Only_what_the_next_step_needs_is_kept_and_none_of_it_is_trained()
    {
        Assert.Empty(new Sgd([a, b], weightDecay: 0.1).State);
        Assert.Equal(["a.velocity", "b.velocity"], NamesOf(new Sgd([a, b], momentum: 0.5)));
        var adam = new Adam([a, b]);
        Assert.Equal(["a.mean", "a.mean_square", "b.mean", "b.mean_square"], NamesOf(adam));
        Assert.All((Parameter[])[.. adam.State, .. new Sgd([a], momentum: 0.5).State], state =>
            Assert.False(state.IsTrainable));
    }

    [Fact]
    public void Counters_are_the_steps_and_the_updates_of_each_parameter_up_to_the_most()
    {
        var adam = new Adam([a, b]);
        using (var tape = Tape.Training(Random)) adam.Step(tape.Gradients(a.Value.Sum()), 0.1);
        Assert.Equal([1, 1, 0], adam.Counters);
        adam.Counters = [Optimizer.MostSteps, 0, Optimizer.MostSteps];
        Assert.Equal([Optimizer.MostSteps, 0, Optimizer.MostSteps], adam.Counters);
        Assert.Equal(Optimizer.MostSteps, adam.Steps);
    }

    public static TheoryData<long[]> Wrong =>
        [[1, 1], [1, 1, 1, 1], [], [1, -1, 1], [-1, 0, 0], [1, 1, Optimizer.MostSteps + 1]];

    [Theory]
    [MemberData(nameof(Wrong))]
    public void Counters_of_other_parameters_or_no_such_numbers_are_refused_and_change_nothing(long[] wrong)
    {
        var adam = new Adam([a, b]) { Counters = [7, 5, 6] };
        Throws<ArgumentException>(() => adam.Counters = wrong, $"{wrong.Length} counters for 2 parameters");
        Assert.Equal([7, 5, 6], adam.Counters);
    }
}
