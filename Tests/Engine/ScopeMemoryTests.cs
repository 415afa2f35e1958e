using Tapegrad.Devices;
using Tapegrad.Optimizers;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// How many buffers are made: counted in the pools of devices of the test's own, which nothing else takes from or gives
/// back to.
/// </summary>
public sealed class ScopeMemoryTests : EngineTest
{
    private readonly CpuDevice cpu = CpuDevice.Create();
    private readonly ReferenceDevice reference = new();

    // Two convolutions with normalization, a pooling and a linear layer: the parts of a small network, written out.
    internal sealed class Network(RandomSource random, int channels)
    {
        private readonly Parameter first =
            new("conv1.weight", Tensor.Normal(new(3, 3, 3, channels), random.Split(0)) * 0.3);
        private readonly Parameter second = new("conv2.weight",
            Tensor.Normal(new(3, 3, channels, channels), random.Split(1)) * 0.1);
        private readonly Parameter gamma = new("norm.gamma", Tensor.Ones(new(channels)));
        private readonly Parameter beta = new("norm.beta", Tensor.Zeros(new(channels)));
        private readonly Parameter linear = new("linear.weight", Tensor.Normal(new(channels, 5), random.Split(2)));
        private readonly Parameter bias = new("linear.bias", Tensor.Zeros(new(5)));

        public Parameter[] Parameters => [first, second, gamma, beta, linear, bias];

        public Tensor Apply(Tensor x)
        {
            x = x.Conv2d(first, padding: 1).Normalize(new Sharing(false, true, 2), 1e-5, out var moments);
            if (moments is not null) Tape.Current?.Propose(Statistics, moments);
            x = (x * gamma + beta).Relu();
            x = (x + x.Conv2d(second, padding: 1)).Relu().MaxPool2d(2).Dropout(0.1);
            return x.GlobalAveragePool().MatrixProduct(linear) + bias;
        }

        public Ignoring Statistics { get; } = new();
    }

    internal sealed class Ignoring : IStatistics
    {
        public int Commits { get; private set; }

        public string Name => "norm";

        public void Commit(IPendingStatistics pending) => Commits++;
    }

    internal static double Step(Network network, Optimizer optimizer, Shape images, int step, bool release)
    {
        var random = Random.Split(step);
        using var tape = Tape.Training(random);
        var batch = Tensor.Normal(images, random.Split(1));
        int[] labels = [.. Enumerable.Range(0, images[0]).Select(i => random.Split(2).Below(5, i))];
        var loss = network.Apply(batch).CrossEntropy(labels);
        var gradients = tape.Gradients(loss, release).ClipByNorm(5);
        optimizer.Step(gradients, 0.05);
        return loss.ToDouble();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_thousand_training_steps_make_no_new_buffer_after_the_first_few(bool release)
    {
        using var device = Device.Use(cpu);
        var network = new Network(Random, 4);
        var optimizer = new Sgd(network.Parameters, momentum: 0.9, weightDecay: 1e-3);
        for (var step = 0; step < 3; step++) Step(network, optimizer, new(2, 6, 6, 3), step, release);
        var (created, waiting) = (cpu.Pool.Created, cpu.Pool.BytesWaiting);
        for (var step = 3; step < 1003; step++) Step(network, optimizer, new(2, 6, 6, 3), step, release);
        Assert.Equal(created, cpu.Pool.Created);
        Assert.Equal(waiting, cpu.Pool.BytesWaiting);
        Assert.Equal(1003, network.Statistics.Commits);
    }

    [Fact]
    public void Evaluation_in_a_plain_scope_makes_no_new_buffer()
    {
        using var device = Device.Use(cpu);
        var network = new Network(Random, 4);
        long created = 0;
        for (var i = 0; i < 20; i++)
        {
            using (new Scope()) network.Apply(Tensor.Ones(new(2, 6, 6, 3))).ToFloats();
            if (i == 0) created = cpu.Pool.Created;
        }
        Assert.Equal(created, cpu.Pool.Created);
    }

    [Fact]
    public void Unrecorded_values_of_an_inner_scope_are_used_again_while_the_tape_is_open()
    {
        using var device = Device.Use(reference);
        using var tape = Tape.Training(Random);
        var constant = Tensor.Ones(new(4099));
        long Made(Action action)
        {
            var before = reference.Pool.Created;
            action();
            return reference.Pool.Created - before;
        }
        Assert.Equal(5, Made(() =>
        {
            for (var i = 0; i < 5; i++) constant.Square();
        }));
        Assert.Equal(1, Made(() =>
        {
            for (var i = 0; i < 5; i++)
                using (new Scope()) constant.Square();
        }));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_deep_sweep_needs_few_buffers_beside_the_values(bool release)
    {
        using var device = Device.Use(reference);
        const int depth = 100;
        const int length = 4111;
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Ones(new(length)));
        var y = x;
        for (var i = 0; i < depth; i++) y = (y + x).Tanh();
        var loss = y.Sum();
        var before = reference.Pool.Created;
        var p = new Parameter("p", Tensor.Zeros(new(1)));
        if (release) tape.Gradients(loss + p.Value.Sum(), release: true);
        else tape.Gradients(loss, [x]);
        // A pull of tanh makes three tensors of this length, a sum two at once, and two gradients wait; 20 leaves room
        // for another way to write them.
        Assert.InRange(reference.Pool.Created - before, 1, 20);
        var waiting = reference.Pool.BytesWaiting;
        tape.Dispose();
        var freed = (reference.Pool.BytesWaiting - waiting) / (length * sizeof(double));
        if (release) Assert.InRange(freed, 0, 20);             // the sweep has freed the 200 values already
        else Assert.InRange(freed, 2 * depth, 2 * depth + 20);
    }

    // A sum hands its gradient to both of its inputs; to one of them another part comes.
    [Fact]
    public void A_gradient_that_two_values_share_is_freed_with_the_last_of_them()
    {
        using var device = Device.Use(reference);
        const int length = 4129;
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Ones(new(length)));
        var y = x;
        for (var i = 0; i < 100; i++)
        {
            var (a, b) = (y * 0.5, y * 0.25);
            y = a.Tanh() + (a + b);
        }
        var loss = y.Sum();
        var before = reference.Pool.Created;
        tape.Gradients(loss, [x]);
        Assert.InRange(reference.Pool.Created - before, 1, 20);
    }

    [Fact]
    public void Gradients_add_up_in_few_buffers()
    {
        using var device = Device.Use(reference);
        const int length = 4127;
        using var tape = Tape.Training(Random);
        var x = tape.Watch(Tensor.Ones(new(length)));
        var loss = Tensor.Scalar(0);
        for (var i = 0; i < 100; i++) loss += (x * i).Sum();
        var before = reference.Pool.Created;
        Near(99 * 50, tape.Gradients(loss, [x])[0].At(0));
        // a hundred gradients of x, each freed when it was added
        Assert.InRange(reference.Pool.Created - before, 1, 20);
    }

    [Fact]
    public void Keep_of_gradients_accumulates_across_tapes()
    {
        var p = new Parameter("p", Vector(1, 2));
        Gradients? total = null;
        for (var i = 1; i <= 5; i++)
        {
            using var tape = Tape.Training(Random);
            var gradients = tape.Gradients((p.Value.Square() * i).Sum()).Keep();
            total = total is null ? gradients : (total + gradients).Keep();
        }
        for (var i = 0; i < 10; i++)
            using (new Scope()) Vector(9, 9);
        Near([2 * 15, 4 * 15], total![p]);
    }
}
