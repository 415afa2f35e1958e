using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class GeluOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Gelu(), Input.Any);

    // P(1) = 0.8413447.. is the share of the normal distribution below one deviation.
    [Fact]
    public void WeighsByTheNormalDistribution() => OnBothDevices(() =>
        Gives(Vector(0, 1, -1, 2, 40, -40).Gelu(), 0, 0.8413447460685429, -0.1586552539314571, 1.9544997361036416,
            40, 0));

    [Fact]
    public void ItsSlopeAt0IsHalf() => OnBothDevices(() =>
        Gives(Gradient(x => x.Gelu(), Vector(0, 1, 40, -40), 2, 1, 1, 1), 1,
            0.8413447460685429 + 0.24197072451914337, 1, 0));
}
