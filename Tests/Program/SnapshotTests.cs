using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

public sealed class SnapshotTests
{
    // Weights and statistics say after which step they are.
    [Fact]
    public void What_is_put_back_is_from_before_the_last_step()
    {
        for (var steps = 0; steps < 6; steps++)
        {
            var model = new Sequential(new Linear(2, 3, new RandomSource(1)), new BatchNorm(3));
            Set(0);
            var snapshot = new Snapshot(model);
            for (var step = 1; step <= steps; step++)
            {
                Set(step);
                snapshot.Take(step);
                snapshot.Take(step);   // after a batch without a step
            }
            Set(-1);
            Assert.Equal(Math.Max(0, steps - 1), snapshot.Restore());
            Assert.All(model.State, parameter =>
                Assert.All(parameter.Value.ToFloats(), number => Assert.Equal(Math.Max(0, steps - 1), number)));

            void Set(int step)
            {
                foreach (var parameter in model.State) parameter.Value = Tensor.Full(parameter.Shape, step);
            }
        }
    }
}
