using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class DropoutOperationTests
{
    private static readonly LawOptions Training = new() { Training = true };

    private static double[] Drop(long seed, double rate, int count)
    {
        using var tape = Tape.Training(new RandomSource(seed));
        return Tensor.Ones(new Shape(count)).Dropout(rate).ToDoubles();
    }

    [Theory]
    [InlineData(0.3)]
    [InlineData(0.75)]
    public void ObeysTheLaws(double rate) => OperationLaws.Check(x => x.Dropout(rate), Input.Any, Training);

    [Fact]
    public void TwoInARowObeyTheLaws() =>
        OperationLaws.Check(x => x.Dropout(0.5).Square().Dropout(0.5), Input.Any, Training);

    // Of n = 10,000 elements each is dropped with probability p: the share's deviation is sqrt(p (1 - p) / n), at most
    // 0.005; five of them are allowed.
    [Theory]
    [InlineData(0.1)]
    [InlineData(0.5)]
    [InlineData(0.9)]
    public void DropsTheShareAndScalesTheRest(double rate) => OnBothDevices(() =>
    {
        var values = Drop(seed: 1, rate, count: 10_000);
        var dropped = values.Count(value => value == 0) / 10_000.0;
        Assert.InRange(dropped, rate - 5 * Math.Sqrt(rate * (1 - rate) / 10_000),
            rate + 5 * Math.Sqrt(rate * (1 - rate) / 10_000));
        Assert.All(values, value => Assert.True(value == 0 || Math.Abs(value * (1 - rate) - 1) < 1e-6));
        Assert.Contains(values, value => value != 0);
    });

    [Fact]
    public void TheGradientPassesWhereTheElementDid() => OnBothDevices(() =>
    {
        using var tape = Tape.Training(new RandomSource(3));
        var x = tape.Watch(Tensor.Ones(new Shape(100)));
        var y = x.Dropout(0.4);
        Same(y.ToDoubles(), tape.Gradients(y, [x])[0].ToDoubles(), 0);
        Assert.Contains(0.0, y.ToDoubles());
    });

    [Fact]
    public void ASeedDrawsTheSameMaskOnEveryDeviceAndAnotherSeedAnother()
    {
        using (Device.Use(Device.Reference))
            Assert.Equal(Drop(5, 0.5, 200).Select(value => value == 0), OnCpu(5).Select(value => value == 0));
        Assert.Equal(OnCpu(5), OnCpu(5));
        Assert.NotEqual(OnCpu(5), OnCpu(6));

        static double[] OnCpu(long seed)
        {
            using (Device.Use(Device.Cpu)) return Drop(seed, 0.5, 200);
        }
    }

    [Fact]
    public void EachCallInAStepDrawsAnotherMask()
    {
        using var tape = Tape.Training(new RandomSource(1));
        var x = Tensor.Ones(new Shape(200));
        Assert.NotEqual(x.Dropout(0.5).ToDoubles(), x.Dropout(0.5).ToDoubles());
    }

    [Fact]
    public void EvaluationKeepsEverything()
    {
        var x = Vector(1, 2, 3);
        Assert.Same(x, x.Dropout(0.9));
        using (Tape.Evaluating()) Assert.Same(x, x.Dropout(0.9));
        using (Tape.Training(new RandomSource(1))) Assert.Same(x, x.Dropout(0));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(-0.1)]
    [InlineData(double.NaN)]
    public void RefusesARateThatIsNone(double rate) =>
        Refuses<ArgumentOutOfRangeException>(() => Vector(1).Dropout(rate), "dropout", "[0, 1)");
}
