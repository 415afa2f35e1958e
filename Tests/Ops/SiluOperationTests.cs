using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SiluOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Silu(), Input.Any);

    // The sigmoid of log 3 is 3/4.
    [Fact]
    public void WeighsByTheSigmoid() => OnBothDevices(() =>
        Gives(Vector(0, Math.Log(3), -Math.Log(3), 200, -200).Silu(), 0, 0.75 * Math.Log(3), -0.25 * Math.Log(3),
            200, 0));

    [Fact]
    public void ItsSlope() => OnBothDevices(() =>
        Gives(Gradient(x => x.Silu(), Vector(0, Math.Log(3), 200, -200), 2, 1, 1, 1), 1,
            0.75 + 0.1875 * Math.Log(3), 1, 0));
}
