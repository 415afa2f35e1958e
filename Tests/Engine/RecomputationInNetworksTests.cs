using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Networks on the CPU's kernels, whose normalizations are computed again: the same bits as when all stay.</summary>
public sealed class RecomputationInNetworksTests : EngineTest
{
    /// <summary>A small network on the CPU's kernels: the same bits as when every value stays.</summary>
    [Fact]
    public void Gradients_through_forgotten_normalizations_have_the_same_bits()
    {
        using var device = Device.Use(Device.Cpu);
        for (var i = 0; i < 40; i++)
        {
            var random = new RandomSource(5).Split(i);
            var (n, size, channels) = (1 + random.Below(3, 0), 1 + random.Below(9, 1), 1 + random.Below(9, 2));
            var (batch, positions, relu) = ((i & 1) == 1, (i & 2) == 2 || (i & 1) == 1, (i & 4) == 4);
            var sharing = new Sharing(batch, positions, batch ? channels : 1);
            Assert.Equal(Run(stays: true), Run(stays: false));

            float[] Run(bool stays)
            {
                Parameter Weight(string name, Shape shape, int seed) =>
                    new(name, Tensor.Normal(shape, random.Split(seed)));
                var (w, v) = (Weight("w", new(3, 3, channels, channels), 3),
                    Weight("v", new(3, 3, channels, channels), 4));
                var (gamma, beta) = (Weight("gamma", new(channels), 5), Weight("beta", new(channels), 6));
                using var tape = Tape.Training(random);
                var x = tape.Watch(Tensor.Normal(new(n, size, size, channels), random.Split(7)));
                var y = x.Conv2d(w, padding: 1).Normalize(sharing, 1e-5, gamma, beta, relu: relu);
                if (stays) y.Reshape(y.Shape[0], -1);
                var z = y.Conv2d(v, padding: 1);
                var loss = Weigh(z.Normalize(sharing, 1e-5, gamma, beta, residual: y, relu: relu));
                Parameter[] all = [w, v, gamma, beta];
                var ofX = tape.Gradients(loss, [x])[0].ToFloats();
                var gradients = tape.Gradients(loss, release: true);
                return [.. ofX, .. all.SelectMany(p => gradients[p].ToFloats()), (float)loss.ToDouble()];
            }
        }
    }

    /// <summary>
    /// Residual blocks: every second sum gives its memory back when the shortcut has read it, since it can be computed
    /// from the one before; and what is updated has the same bits as when all stay, however the sweep frees.
    /// </summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public void Every_second_sum_of_residual_blocks_is_computed_again_to_the_same_bits(int blocks, bool batch)
    {
        using var device = Device.Use(Device.Cpu);
        var sharing = new Sharing(batch, true, batch ? 5 : 1);
        var (kept, here) = Run(stays: true, release: false);
        Assert.DoesNotContain(false, here);
        foreach (var release in (bool[])[false, true])
        {
            var (found, left) = Run(stays: false, release);
            Assert.Equal(kept, found);
            // The first normalization is computed from its input alone. The last sum is read once.
            Assert.Equal([false, .. Enumerable.Range(1, blocks).Select(block => block % 2 == 1 || block == blocks)],
                left);
        }

        (float[] Numbers, bool[] Here) Run(bool stays, bool release)
        {
            var random = new RandomSource(3);
            Parameter Weight(string name, Shape shape, int seed) => new(name, Tensor.Normal(shape, random.Split(seed)));
            var (gamma, beta) = (Weight("gamma", new(5), 1), Weight("beta", new(5), 2));
            Parameter[] weights =
                [.. Enumerable.Range(0, blocks + 1).Select(i => Weight($"w{i}", new(3, 3, 5, 5), 3 + i))];
            using var tape = Tape.Training(random);
            var y = Tensor.Normal(new(3, 7, 6, 5), random.Split(99)).Conv2d(weights[0], padding: 1)
                .Normalize(sharing, 1e-5, gamma, beta, relu: true);
            var sums = new List<Tensor> { y };
            for (var block = 1; block <= blocks; block++)
            {
                if (stays) y.Reshape(y.Shape[0], -1);
                y = y.Conv2d(weights[block], padding: 1).Normalize(sharing, 1e-5, gamma, beta, residual: y, relu: true);
                sums.Add(y);
            }
            var loss = Weigh(y);
            bool[] here = [.. sums.Select(sum => sum.Storage.IsHere)];
            var gradients = tape.Gradients(loss, release);
            Parameter[] all = [gamma, beta, .. weights];
            return ([.. all.SelectMany(p => gradients[p].ToFloats()), (float)loss.ToDouble()], here);
        }
    }
}
